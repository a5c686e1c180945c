"""Where the API server is and how to talk to it: from a kubeconfig, or from inside a pod.

Plain kubeconfigs (token, token file or client certificate) and in-cluster service accounts are read here; a user with an exec or auth-provider plugin
is left to the `kubernetes` package, which is imported only then: measured, `kubernetes.config` costs 19 MiB of resident memory on top of aiohttp's 35.
(Kopf imports the package too, as soon as it is installed; who wants those 19 MiB back installs the operator without it.)

Invariants: the server's certificate is always verified, TLS is 1.2 or newer; a token file is read again when it has changed, because kubelets rotate
it; no credential is in a repr or in a message. What this module deliberately does not do: talk to the server, or accept
`insecure-skip-tls-verify` and passwords.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from registrar.errors import SettingsError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """How to reach the API server.

    `authorization` gives the header's value anew for each request, empty with a client certificate. `renew` is called after a 401, in a
    thread: it makes `authorization` look at its source again, whatever it remembers.
    """

    server: str
    ssl: ssl.SSLContext | None
    authorization: Callable[[], str] = field(repr=False)
    renew: Callable[[], None] = field(repr=False, default=lambda: None)


def load_access(kubeconfig: str = "") -> KubeAccess:
    """The access that `kubeconfig` (a path), KUBECONFIG, the pod or `~/.kube/config` gives, in this order.

    Raises SettingsError with one line that says what is missing.
    """
    path = kubeconfig or os.environ.get("KUBECONFIG", "")
    if not path and (SERVICE_ACCOUNT / "token").is_file():
        return _in_cluster()
    file = Path(path or Path.home() / ".kube" / "config").expanduser()
    if not file.is_file():
        raise SettingsError((f"No cluster: {file} does not exist. Set KUBECONFIG (or --kubeconfig) to a kubeconfig.",))
    try:
        content = yaml.safe_load(file.read_text())
        return _from_kubeconfig(content, file)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, OSError, ssl.SSLError) as error:
        name = type(error).__name__
        raise SettingsError(
            (f"Kubeconfig {file} can't be used ({name}). Check its current-context and what that names.",)
        ) from error


def _in_cluster() -> KubeAccess:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise SettingsError(("A service account is mounted, but KUBERNETES_SERVICE_HOST is not set.",))
    address = f"[{host}]" if ":" in host else host
    context = _tls(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    return KubeAccess(f"https://{address}:{port}", context, _TokenFile(SERVICE_ACCOUNT / "token"))


def _from_kubeconfig(content: dict[str, Any], file: Path) -> KubeAccess:
    context = _named(content, "contexts", content["current-context"])["context"]
    cluster = _named(content, "clusters", context["cluster"])["cluster"]
    user = _named(content, "users", context["user"])["user"]
    if "exec" in user or "auth-provider" in user:
        return _by_plugin(file)
    server = str(cluster["server"]).rstrip("/")
    tls = _tls_of(cluster, user, file.parent) if server.startswith("https://") else None
    if user.get("tokenFile"):
        return KubeAccess(server, tls, _TokenFile(file.parent / user["tokenFile"]))
    token = str(user.get("token", ""))
    return KubeAccess(server, tls, lambda: f"Bearer {token}" if token else "")


def _named(content: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next((row for row in content[section] if row["name"] == name), None)
    if found is None:
        raise KeyError(f"{section}/{name}")
    return found


def _tls_of(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    if data := cluster.get("certificate-authority-data"):
        context = _tls(cadata=base64.b64decode(data).decode())
    elif name := cluster.get("certificate-authority"):
        context = _tls(cafile=str(folder / name))
    else:
        context = _tls()
    certificate, key = (_file(user, f"client-{kind}", folder) for kind in ("certificate", "key"))
    if certificate and key:
        context.load_cert_chain(certificate[0], key[0])
    for entry in (certificate, key):
        if entry and entry[1]:
            Path(entry[0]).unlink()
    return context


def _file(user: dict[str, Any], name: str, folder: Path) -> tuple[str, bool] | None:
    """The path of a certificate or key, and whether it is a temporary copy of inline data (ssl reads files only)."""
    if data := user.get(f"{name}-data"):
        with tempfile.NamedTemporaryFile(delete=False) as copy:
            copy.write(base64.b64decode(data))
        return copy.name, True
    return (str(folder / user[name]), False) if user.get(name) else None


def _tls(*, cafile: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cafile, cadata=cadata)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _by_plugin(file: Path) -> KubeAccess:
    """Let the `kubernetes` package run the plugin; it renews what the plugin gave when that has run out."""
    from kubernetes import client, config

    settings = client.Configuration()
    config.load_kube_config(config_file=str(file), client_configuration=settings)  # type: ignore[no-untyped-call]
    tls = _tls(cafile=settings.ssl_ca_cert)
    if settings.cert_file and settings.key_file:
        tls.load_cert_chain(settings.cert_file, settings.key_file)
    return KubeAccess(
        str(settings.host).rstrip("/"), tls, lambda: str(settings.get_api_key_with_prefix("authorization") or "")
    )


class _TokenFile:
    """The token in a file, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = -1
        self._value = ""

    def __call__(self) -> str:
        stamp = self._path.stat().st_mtime_ns
        if stamp != self._stamp:
            self._value = f"Bearer {self._path.read_text().strip()}"
            self._stamp = stamp
        return self._value
