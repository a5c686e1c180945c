"""The Apiman gateway with its in-memory registry: configuration, start, and the calls that publish APIs.

Sources: the options that a recent Java needs and the configuration are those that the gateway's own test suite uses for its in-memory variant.
What this module deliberately does not do: register clients; that is the operator's work.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localenv.errors import LocalEnvError

_ENGINE = "io.apiman.gateway.engine"
_VERTX = "io.apiman.gateway.platforms.vertx3"
_CLASSES = {
    "registry": f"{_ENGINE}.vertxebinmemory.EBInMemoryRegistry",
    "encrypter": f"{_ENGINE}.impl.DefaultDataEncrypter",
    "plugin-registry": f"{_VERTX}.engine.VertxPluginRegistry",
    "connector-factory": f"{_VERTX}.connector.ConnectorFactory",
    "policy-factory": f"{_ENGINE}.policy.PolicyFactoryImpl",
    "logger-factory": f"{_VERTX}.logging.VertxLoggerDelegate",
    "metrics": f"{_ENGINE}.impl.InMemoryMetrics",
}
_COMPONENTS = {
    "IHttpClientComponent": f"{_VERTX}.components.HttpClientComponentImpl",
    "ISharedStateComponent": f"{_ENGINE}.impl.InMemorySharedStateComponent",
    "IRateLimiterComponent": f"{_ENGINE}.impl.InMemoryRateLimiterComponent",
    "ICacheStoreComponent": f"{_ENGINE}.impl.InMemoryCacheStoreComponent",
    "IPolicyFailureFactoryComponent": f"{_VERTX}.components.PolicyFailureFactoryComponent",
    "IBufferFactoryComponent": f"{_VERTX}.components.BufferFactoryComponentImpl",
    "IExecuteBlockingComponent": f"{_VERTX}.components.ExecuteBlockingComponentImpl",
    "ILdapComponent": f"{_VERTX}.components.LdapClientComponentImpl",
    "IPeriodicComponent": f"{_VERTX}.components.PeriodicComponentImpl",
}
JAVA_OPTIONS = [
    # Without these two the JAXB of this gateway dies on Java 17 and newer.
    "-Dcom.sun.xml.bind.v2.bytecode.ClassTailor.noOptimize=true",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-Djava.net.preferIPv4Stack=true",
    "-XX:+UseSerialGC",
]


@dataclass(frozen=True, slots=True)
class Api:
    """One version of one private API."""

    organization: str
    name: str
    version: str


APIS = (Api("acme", "orders", "1.0"), Api("acme", "billing", "1.0"), Api("acme", "catalog", "2.0"))
"""What every fresh gateway of the local environment has."""


def configuration(
    *, config_port: int, traffic_port: int, user: str, password: str, hostname: str = "127.0.0.1"
) -> dict[str, Any]:
    """The gateway's configuration file; `hostname` is the address that it listens on."""
    sections: dict[str, Any] = {name: {"class": class_, "config": {}} for name, class_ in _CLASSES.items()}
    components: dict[str, Any] = {name: {"class": class_, "config": {}} for name, class_ in _COMPONENTS.items()}
    components["ICacheStoreComponent"]["config"] = {"maxCacheSize": "10485760"}
    return sections | {
        "components": components,
        "hostname": hostname,
        "verticles": {
            "http": {"port": traffic_port, "count": 1},
            "https": {"port": 8443, "count": 0},
            "api": {"port": config_port, "count": 1},
        },
        "auth": {"type": "BASIC", "config": {"realm": "apiman-gateway", "username": user, "password": password}},
        "preferSecure": False,
    }


def command(*, java: str, jar: Path, config: Path, heap: str, scratch: Path) -> list[str]:
    """The command line; `heap` is the JVM's maximum, such as 256m. `scratch` is a folder in which it may unpack what it runs; it does not clear it."""
    return [
        java,
        f"-Xmx{heap}",
        f"-Djava.io.tmpdir={scratch}",
        *JAVA_OPTIONS,
        "-jar",
        str(jar),
        "-conf",
        str(config),
    ]


@dataclass(frozen=True, slots=True)
class GatewayApi:
    """The configuration API, for what the local environment itself needs of it."""

    url: str
    user: str
    password: str

    def up(self) -> bool:
        """Whether the gateway answers and calls itself up."""
        try:
            status = self._call("GET", "/system/status")
        except (OSError, ValueError):
            return False
        return isinstance(status, dict) and bool(status.get("up"))

    def publish(self, api: Api, *, backend: str) -> None:
        """Publish a private API in front of `backend`; raises LocalEnvError when the gateway refuses."""
        body = {
            "publicAPI": False,
            "organizationId": api.organization,
            "apiId": api.name,
            "version": api.version,
            "endpoint": f"{backend}/{api.name}",
            "endpointType": "rest",
            "endpointContentType": "json",
            "endpointProperties": {},
            "parsePayload": False,
            "keysStrippingDisabled": False,
            "apiPolicies": [],
        }
        self._checked("PUT", "/apis", body)

    def retire(self, api: Api) -> None:
        """Take an API off."""
        self._checked("DELETE", f"/organizations/{api.organization}/apis/{api.name}/versions/{api.version}")

    def _checked(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        try:
            self._call(method, path, body)
        except OSError as error:
            raise LocalEnvError(f"{method} {path} on the gateway failed: {error}. See the gateway's log.") from error

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context()) as response:
            text = response.read()
        return json.loads(text) if text else None
