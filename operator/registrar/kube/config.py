"""Where the API server is and how to talk to it: from a kubeconfig, or from inside a pod.

Plain kubeconfigs (token, token file or client certificate) and in-cluster service accounts are read here; a user with an exec or auth-provider plugin
is left to the `kubernetes` package, which is imported only then: measured, `kubernetes.config` costs 19 MiB of resident memory on top of aiohttp's 35.
(Kopf imports the package too, as soon as it is installed; who wants those 19 MiB back installs the operator without it.)

KUBECONFIG may name several files, which are merged as kubectl merges them: of two entries with one name the first counts.

Invariants: the server's certificate is always verified, TLS is 1.2 or newer; a token file is read again when it has changed, because kubelets rotate
it; no credential is in a repr or in a message. What this module deliberately does not do: talk to the server, or accept
`insecure-skip-tls-verify`, passwords and impersonation: what such a context would do differently is refused, not left out.
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
    namespace: str = "default"
    """The namespace that the context, or the pod, names."""


def load_access(kubeconfig: str = "", *, context: str = "") -> KubeAccess:
    """The access that `kubeconfig` (a path), KUBECONFIG, the pod or `~/.kube/config` gives, in this order.

    `context` is used instead of the kubeconfig's current one. Raises SettingsError with one line that says what is missing.
    """
    path = kubeconfig or os.environ.get("KUBECONFIG", "")
    if not path and not context and (SERVICE_ACCOUNT / "token").is_file():
        return _in_cluster()
    files = _files(path)
    shown = os.pathsep.join(str(file) for file in files)
    try:
        return _from_kubeconfig(_merged(files), files, context)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, OSError, ssl.SSLError) as error:
        why = error.args[0] if isinstance(error, _Unusable) else type(error).__name__
        raise SettingsError(
            (f"Kubeconfig {shown} can't be used ({why}). Check its current-context and what that names.",)
        ) from error


def load_contexts(kubeconfig: str = "") -> tuple[str, ...]:
    """The names of the contexts, sorted; raises SettingsError when there is no kubeconfig."""
    rows = _merged(_files(kubeconfig or os.environ.get("KUBECONFIG", ""))).get("contexts", ())
    return tuple(sorted(str(row["name"]) for row in rows))


class _Unusable(KeyError):
    """A kubeconfig lacks something, or asks for something that is not supported; the argument says what."""


def _files(path: str) -> list[Path]:
    """The kubeconfig files that exist; raises SettingsError when none does."""
    named = [Path(part).expanduser() for part in path.split(os.pathsep) if part]
    files = named or [Path.home() / ".kube" / "config"]
    found = [file for file in files if file.is_file()]
    if not found:
        shown = os.pathsep.join(str(file) for file in files)
        raise SettingsError((f"No cluster: {shown} does not exist. Set KUBECONFIG (or --kubeconfig) to a kubeconfig.",))
    return found


def _merged(files: list[Path]) -> dict[str, Any]:
    """One kubeconfig of several, with its paths made absolute; what comes first wins."""
    merged: dict[str, Any] = {"clusters": [], "contexts": [], "users": []}
    for file in files:
        content = yaml.safe_load(file.read_text()) or {}
        if not isinstance(content, dict):
            raise _Unusable(f"{file} is no mapping")
        if not merged.get("current-context") and content.get("current-context"):
            merged["current-context"] = content["current-context"]
        for section, member in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
            known = {row["name"] for row in merged[section]}
            for row in content.get(section) or ():
                if row["name"] not in known:
                    merged[section].append({"name": row["name"], member: _absolute(row.get(member) or {}, file.parent)})
    return merged


_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The entry with its paths relative to the folder of the file that it is in."""
    return {key: str(folder / value) if key in _PATHS and value else value for key, value in entry.items()}


def _in_cluster() -> KubeAccess:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise SettingsError(("A service account is mounted, but KUBERNETES_SERVICE_HOST is not set.",))
    address = f"[{host}]" if ":" in host else host
    context = _tls(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    own = SERVICE_ACCOUNT / "namespace"
    namespace = own.read_text().strip() if own.is_file() else ""
    token = _TokenFile(SERVICE_ACCOUNT / "token")
    return KubeAccess(f"https://{address}:{port}", context, token, namespace=namespace or "default")


_UNSUPPORTED = {
    "cluster": ("insecure-skip-tls-verify", "tls-server-name", "proxy-url"),
    "user": ("username", "as", "as-uid", "as-groups", "as-user-extra"),
}


def _from_kubeconfig(content: dict[str, Any], files: list[Path], name: str) -> KubeAccess:
    name = name or content.get("current-context", "")
    if not name:
        raise _Unusable("it has no current-context")
    context = _named(content, "contexts", name)["context"]
    cluster = _named(content, "clusters", context.get("cluster", ""))["cluster"]
    user = _named(content, "users", context["user"])["user"] if context.get("user") else {}
    for kind, entry in (("cluster", cluster), ("user", user)):
        if found := next((key for key in _UNSUPPORTED[kind] if entry.get(key)), None):
            raise _Unusable(f"{found} is not supported")
    namespace = str(context.get("namespace") or "default")
    if "exec" in user or "auth-provider" in user:
        return _by_plugin(files, context=name, namespace=namespace)
    server = str(cluster["server"]).rstrip("/")
    tls = _tls_of(cluster, user) if server.startswith("https://") else None
    if user.get("tokenFile"):
        return KubeAccess(server, tls, _TokenFile(Path(user["tokenFile"])), namespace=namespace)
    token = str(user.get("token", ""))
    return KubeAccess(server, tls, lambda: f"Bearer {token}" if token else "", namespace=namespace)


def _named(content: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next((row for row in content[section] if row["name"] == name), None)
    if found is None:
        raise _Unusable(f"there is no {name or 'name'} among its {section}")
    return found


def _tls_of(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    if data := cluster.get("certificate-authority-data"):
        context = _tls(cadata=base64.b64decode(data).decode())
    elif name := cluster.get("certificate-authority"):
        context = _tls(cafile=name)
    else:
        context = _tls()
    certificate, key = (_file(user, f"client-{kind}") for kind in ("certificate", "key"))
    if certificate and key:
        context.load_cert_chain(certificate[0], key[0])
    for entry in (certificate, key):
        if entry and entry[1]:
            Path(entry[0]).unlink()
    return context


def _file(user: dict[str, Any], name: str) -> tuple[str, bool] | None:
    """The path of a certificate or key, and whether it is a temporary copy of inline data (ssl reads files only)."""
    if data := user.get(f"{name}-data"):
        with tempfile.NamedTemporaryFile(delete=False) as copy:
            copy.write(base64.b64decode(data))
        return copy.name, True
    return (user[name], False) if user.get(name) else None


def _tls(*, cafile: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cafile, cadata=cadata)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _by_plugin(files: list[Path], *, context: str, namespace: str) -> KubeAccess:
    """Let the `kubernetes` package run the plugin; it renews what the plugin gave when that has run out."""
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=os.pathsep.join(map(str, files)), context=context, client_configuration=settings
        )
    except config.ConfigException as error:
        raise _Unusable(f"the plugin of context {context} can't be used") from error
    # The package logs a plugin that fails, and goes on as if nobody had to log in.
    if not settings.get_api_key_with_prefix("BearerToken", alias="authorization") and not settings.cert_file:
        raise _Unusable(f"the plugin of context {context} gave no credentials; run it by hand")
    tls = _tls(cafile=settings.ssl_ca_cert)
    if settings.cert_file and settings.key_file:
        tls.load_cert_chain(settings.cert_file, settings.key_file)
    return KubeAccess(
        str(settings.host).rstrip("/"),
        tls,
        # The package has changed the name under which it keeps the token; it knows one of the two.
        lambda: str(settings.get_api_key_with_prefix("BearerToken", alias="authorization") or ""),
        namespace=namespace,
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
