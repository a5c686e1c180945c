"""The API server and the gateway from a user's side, for the demo and the tests: plain HTTP, and of the operator's code only the reading of a kubeconfig.

Invariants: nothing here knows how the operator works; waiting is asking until a deadline, with the last answer in the error.
What this module deliberately does not do: go through kubectl where thousands of calls would be slow.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import urllib3

from localenv.errors import LocalEnvError
from registrar.kube.config import KubeAccess

Json = dict[str, Any]
GROUP = "gateway-registrar.dev"
API = f"{GROUP}/v1alpha1"
_PLURALS = {
    "Client": f"/apis/{API}/namespaces/{{namespace}}/clients",
    "Contract": f"/apis/{API}/namespaces/{{namespace}}/contracts",
    "Policy": f"/apis/{API}/namespaces/{{namespace}}/policies",
    "APIGrant": f"/apis/{API}/namespaces/{{namespace}}/apigrants",
    "RuntimeGateway": f"/apis/{API}/runtimegateways",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Namespace": "/api/v1/namespaces",
    "Event": "/apis/events.k8s.io/v1/namespaces/{namespace}/events",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
}
_POLL = 0.05
_SECONDS = 30.0
"""How long the API server may take to answer."""
_AT_ONCE = 10
"""How many connections one view keeps, for as many threads that ask at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `body` is the parsed JSON, or None. `headers` are those of a call through the gateway."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Surroundings(Protocol):
    """What a `Cluster` looks at: the API server and the gateway, wherever they run."""

    gateway_user: str
    gateway_password: str

    @property
    def keeps_connections(self) -> bool:
        """Whether connections to the API server are kept, which saves three quarters of the time of a request, or each request makes its own."""

    @property
    def gateway_url(self) -> str:
        """Where APIs are called."""

    @property
    def gateway_config_url(self) -> str:
        """The gateway's configuration API."""

    def access(self, user: str = "admin") -> KubeAccess:
        """How to reach the API server as a user."""

    def reset_gateway(self) -> None:
        """Have the gateway lose everything, and publish its APIs again."""


class Cluster:
    """One user's view of the cluster and the gateway."""

    def __init__(self, environment: Surroundings, *, user: str = "admin") -> None:
        """`user` is one that the environment knows, such as one of `localenv.controlplane.USERS`."""
        self.environment = environment
        self._access = environment.access(user)
        self._connections = urllib3.PoolManager(
            maxsize=_AT_ONCE, ssl_context=self._access.ssl, timeout=_SECONDS, retries=False
        )

    # The API server ---------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: Json | list[Json] | None = None, *, content_type: str = "application/json"
    ) -> Answer:
        """One call of the API server; raises OSError when there is no answer."""
        url = f"{self._access.server}{path}"
        try:
            answer = self._connections.request(
                method,
                url,
                body=json.dumps(body).encode() if body is not None else None,
                headers={"Content-Type": content_type, "Accept": "application/json", **self._headers()},
            )
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"{method} {url}: {error}") from error
        if answer.status >= 400 and not answer.data.startswith(b"{"):
            return Answer(answer.status, None)
        return Answer(answer.status, json.loads(answer.data or b"null"))

    def _headers(self) -> dict[str, str]:
        value = self._access.authorization()
        authorization = {"Authorization": value} if value else {}
        return authorization if self.environment.keeps_connections else authorization | {"Connection": "close"}

    def path(self, kind: str, namespace: str = "", name: str = "") -> str:
        """The URL path of an object, or of the kind's collection."""
        return _PLURALS[kind].format(namespace=namespace) + (f"/{name}" if name else "")

    def apply(self, *manifests: Json, manager: str = "demo") -> list[Json]:
        """Apply manifests on the server's side; raises LocalEnvError with the API server's message when one is refused."""
        applied = []
        for manifest in manifests:
            meta = manifest["metadata"]
            path = self.path(manifest["kind"], meta.get("namespace", ""), meta["name"])
            answer = self.request(
                "PATCH",
                f"{path}?fieldManager={manager}&force=true",
                manifest,
                content_type="application/apply-patch+yaml",
            )
            if answer.status >= 300:
                raise LocalEnvError(f"{manifest['kind']} {meta['name']} was refused: {answer.body.get('message')}")
            applied.append(answer.body)
        return applied

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        """An object, or None."""
        answer = self.request("GET", self.path(kind, namespace, name))
        if answer.status == 404:
            return None
        body: Json = answer.body
        return body

    def list(self, kind: str, namespace: str) -> list[Json]:
        """All objects of a kind in a namespace."""
        rows: list[Json] = self.request("GET", self.path(kind, namespace)).body["items"]
        return rows

    def patch(self, kind: str, namespace: str, name: str, body: Json, *, subresource: str = "") -> Answer:
        """A merge patch."""
        path = self.path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, body, content_type="application/merge-patch+json")

    def annotate(self, kind: str, namespace: str, name: str, key: str, value: str) -> None:
        """Set an annotation of our group, as `kubectl annotate --overwrite` does."""
        answer = self.patch(kind, namespace, name, {"metadata": {"annotations": {f"{GROUP}/{key}": value}}})
        if answer.status >= 300:
            raise LocalEnvError(f"{kind} {name} can't be annotated: {answer.body}")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; one that is not there is fine."""
        self.request("DELETE", self.path(kind, namespace, name))

    def namespace(self, name: str) -> str:
        """Make a namespace, and return its name."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def wait(
        self,
        kind: str,
        namespace: str,
        name: str,
        wanted: Callable[[Json], bool],
        *,
        what: str,
        seconds: float = 30.0,
    ) -> Json:
        """Wait until the object is as wanted, and return it; raises LocalEnvError with its status when it does not get there."""
        found: Json | None = None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.get(kind, namespace, name)
            if found is not None and wanted(found):
                return found
            time.sleep(_POLL)  # between two questions
        status = json.dumps((found or {}).get("status"), indent=1)
        raise LocalEnvError(
            f"{kind} {namespace}/{name}: {what} did not happen in {seconds:.0f} s; its status is {status}"
        )

    def wait_gone(self, kind: str, namespace: str, name: str, *, seconds: float = 30.0) -> None:
        """Wait until there is no such object."""
        until(lambda: self.get(kind, namespace, name) is None, what=f"{kind} {name} being gone", seconds=seconds)

    def wait_refused(
        self, kind: str, namespace: str, name: str, reason: str, *, type_: str = "Ready", seconds: float = 30.0
    ) -> Json:
        """Wait until the object's condition is False for that reason."""
        return self.wait(
            kind,
            namespace,
            name,
            lambda o: condition(o, type_).get("reason") == reason and condition(o, type_)["status"] == "False",
            what=f"{type_}=False/{reason}",
            seconds=seconds,
        )

    def wait_rights(self, namespace: str, rules: Iterable[Json]) -> None:
        """Wait until this user may do in the namespace what rules of RBAC say: the API server goes by a new role or binding only when its watch has seen it."""
        wanted = allowed(rules)
        until(lambda: wanted <= self._rights(namespace), what=f"the rights in namespace {namespace} being known")

    def _rights(self, namespace: str) -> set[tuple[str, str, str]]:
        """What the API server says that this user may do there (SelfSubjectRulesReview)."""
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
        answer = self.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            review | {"spec": {"namespace": namespace}},
        )
        return allowed(answer.body["status"]["resourceRules"])

    def wait_phase(self, namespace: str, client: str, phase: str, *, seconds: float = 30.0) -> Json:
        """Wait until the Client has that phase for its present generation."""
        return self.wait(
            "Client",
            namespace,
            client,
            lambda o: (
                o["status"].get("phase") == phase
                and o["status"].get("observedGeneration") == o["metadata"]["generation"]
            ),
            what=f"phase {phase}",
            seconds=seconds,
        )

    def key(self, namespace: str, secret: str) -> str:
        """The API key in a key Secret."""
        found = self.get("Secret", namespace, secret)
        if found is None:
            raise LocalEnvError(f"Secret {namespace}/{secret} does not exist.")
        return base64.b64decode(found["data"]["apiKey"]).decode()

    # The gateway ------------------------------------------------------------------------------------------------

    def call(self, api: str, key: str = "") -> int:
        """Call an API (organization/name/version, or a whole URL) with the key; returns the status code."""
        url = api if api.startswith("http") else f"{self.environment.gateway_url}/{api}"
        request = urllib.request.Request(f"{url}/hello", headers={"X-API-Key": key} if key else {})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    def fetch(
        self,
        api: str,
        key: str,
        path: str = "hello",
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Call a path of an API (organization/name/version) with the key; returns the whole answer."""
        url = f"{self.environment.gateway_url}/{api}/{path}"
        request = urllib.request.Request(url, method=method, data=data, headers={"X-API-Key": key} | (headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return Answer(response.status, json.loads(response.read() or b"null"), dict(response.headers))
        except urllib.error.HTTPError as error:
            text = error.read()
            return Answer(error.code, json.loads(text) if text.startswith(b"{") else None, dict(error.headers))

    def registration(self, organization: str, client: str, version: str = "1.0") -> Json | None:
        """What the gateway has for a client, read from its configuration API."""
        parts = (urllib.parse.quote(part, safe="") for part in (organization, client, version))
        path = "/organizations/{}/clients/{}/versions/{}".format(*parts)
        found: Json | None = self.gateway_request("GET", path).body
        return found

    def gateway_request(self, method: str, path: str, body: Json | None = None) -> Answer:
        """One call of the gateway's configuration API; the body of a refusal is dropped."""
        environment = self.environment
        credentials = base64.b64encode(f"{environment.gateway_user}:{environment.gateway_password}".encode()).decode()
        request = urllib.request.Request(
            f"{environment.gateway_config_url}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                text = response.read()
                return Answer(response.status, json.loads(text) if text else None)
        except urllib.error.HTTPError as error:
            return Answer(error.code, None)


def allowed(rules: Iterable[Json]) -> set[tuple[str, str, str]]:
    """What rules of RBAC allow, as triples of group, resource and verb."""
    return {
        triple for rule in rules for triple in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def until(check: Callable[[], bool], *, what: str, seconds: float = 30.0) -> None:
    """Wait until `check` is true; raises LocalEnvError when it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(_POLL)  # between two questions
    raise LocalEnvError(f"{what} did not happen in {seconds:.0f} s.")


def client(namespace: str, name: str, **spec: Any) -> Json:
    """A Client's manifest."""
    return _manifest("Client", namespace, name, spec)


def contract(
    namespace: str, name: str, *, client: str, api: str, version: str, plan: str = "gold", organization: str = "acme"
) -> Json:
    """A Contract's manifest."""
    reference = {"organization": organization, "name": api, "version": version}
    return _manifest("Contract", namespace, name, {"clientRef": {"name": client}, "api": reference, "plan": plan})


def rate_limit(namespace: str, name: str, *, client: str, limit: int, period: str = "Minute") -> Json:
    """A Policy's manifest: a rate limit on a Client."""
    spec = {
        "targetRefs": [{"kind": "Client", "name": client}],
        "rateLimit": {"limit": limit, "period": period, "granularity": "Client"},
    }
    return _manifest("Policy", namespace, name, spec)


def policy(namespace: str, name: str, *targets: Json, order: int = 0, **spec: Any) -> Json:
    """A Policy's manifest; `spec` has its one typed member."""
    return _manifest("Policy", namespace, name, {"targetRefs": list(targets), "order": order} | spec)


def secret(namespace: str, name: str, *, allowed: bool = True, **entries: str) -> Json:
    """A Secret's manifest, with the label that lets the operator read it."""
    labels = {f"{GROUP}/allow-use": "true"} if allowed else {}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": entries}


def _manifest(kind: str, namespace: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def condition(found: Json, type_: str) -> Json:
    """A condition of an object's status; an empty one when it is not there."""
    rows = found.get("status", {}).get("conditions") or []
    return next((row for row in rows if row["type"] == type_), {})
