"""etcd, kube-apiserver and kube-controller-manager on loopback, with real TLS and real RBAC.

Invariants: nothing listens outside loopback; clients verify the server by the certificate that it made itself; readiness is asked for, never assumed.
What this module deliberately does not do: run nodes or pods; there is no kubelet.
"""

from __future__ import annotations

import secrets
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from localenv.binaries import Binaries
from localenv.ports import listening
from localenv.processes import Processes

USERS = ("admin", "team-a", "team-b")
"""The users of the token file: an administrator, and two without any right of their own, for tests of RBAC."""
AUDITED = "system:serviceaccount:gateway-registrar-system:audited"
"""The only user whose requests the API server writes down, so that everybody else's cost nothing."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Starts and finds the processes; `ports` has the keys apiserver, etcd, etcd_peer and controller."""

    folder: Path
    binaries: Binaries
    processes: Processes
    ports: dict[str, int]

    @property
    def url(self) -> str:
        """Where the API server is."""
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def ca_file(self) -> Path:
        """The certificate that the API server made for itself, by which clients verify it."""
        return self.folder / "certs" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        """What `AUDITED` has asked of the API server: one JSON object per line, without bodies."""
        return self.folder / "audit.log"

    def token(self, user: str) -> str:
        """The bearer token of one of `USERS`."""
        return (self.folder / f"token-{user}").read_text()

    def kubeconfig(self, user: str = "admin") -> Path:
        """The kubeconfig of one of `USERS`."""
        return self.folder / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")

    def start(self) -> None:
        """Start what does not run yet, and wait until the API server is ready."""
        self._prepare()
        if self.processes.find("etcd") is None:
            self.processes.start("etcd", self._etcd())
        self.processes.wait_ready("etcd", lambda: listening(self.ports["etcd"]), seconds=60, hint=_HINT)
        self.start_apiserver()
        if self.processes.find("kube-controller-manager") is None:
            self.processes.start("kube-controller-manager", self._controller_manager())

    def start_apiserver(self) -> None:
        """Start the API server alone, and wait until it is ready."""
        if self.processes.find("kube-apiserver") is None:
            self.processes.start("kube-apiserver", self._apiserver())
        self.processes.wait_ready("kube-apiserver", self.ready, seconds=120, hint=_HINT)
        for user in USERS:
            self._write_kubeconfig(user)

    def stop_apiserver(self) -> None:
        """Stop the API server alone."""
        self.processes.stop("kube-apiserver")

    def stop(self) -> None:
        """Stop everything, the newest first."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self.processes.stop(name)

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        if not self.ca_file.exists():
            return False
        request = urllib.request.Request(
            f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token('admin')}"}
        )
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            with urllib.request.urlopen(request, timeout=5, context=context) as response:
                return bool(response.status == 200)
        except (OSError, ssl.SSLError):
            return False

    def _prepare(self) -> None:
        """Keys, tokens and the controller manager's kubeconfig, made once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "service-account.key"
        if not key.exists():
            command = ["openssl", "genrsa", "-out", str(key), "2048"]
            subprocess.run(command, check=True, capture_output=True)
            key.chmod(0o600)
        rows = []
        for user in USERS:
            file = self.folder / f"token-{user}"
            if not file.exists():
                file.touch(mode=0o600)
                file.write_text(secrets.token_urlsafe(24))
            groups = ',"system:masters"' if user == "admin" else ""
            rows.append(f"{file.read_text()},{user},{user}{groups}")
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text("\n".join(rows) + "\n")
        self._audit_policy.write_text(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
            f"rules: [{{level: Metadata, users: ['{AUDITED}']}}, {{level: None}}]\n"
        )

    @property
    def _audit_policy(self) -> Path:
        return self.folder / "audit-policy.yaml"

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "etcd_peer"))
        return [
            str(self.binaries.etcd),
            f"--data-dir={self.folder / 'etcd'}",
            # The data need not survive the machine; without this the disk would be what is measured.
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ]

    def _apiserver(self) -> list[str]:
        key = self.folder / "service-account.key"
        return [
            str(self.binaries.kube_apiserver),
            f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}",
            f"--secure-port={self.ports['apiserver']}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'certs'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            f"--audit-policy-file={self._audit_policy}",
            f"--audit-log-path={self.audit_log}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--endpoint-reconciler-type=none",
            "--disable-admission-plugins=ServiceAccount",
        ]

    def _controller_manager(self) -> list[str]:
        return [
            str(self.binaries.kube_controller_manager),
            f"--kubeconfig={self.kubeconfig()}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports['controller']}",
            f"--cert-dir={self.folder / 'controller-certs'}",
            f"--service-account-private-key-file={self.folder / 'service-account.key'}",
            "--use-service-account-credentials=false",
            "--leader-elect=false",
            # What deletes owned objects and empties namespaces; the rest would only make noise here.
            "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller",
        ]

    def _write_kubeconfig(self, user: str) -> None:
        file = self.kubeconfig(user)
        file.touch(mode=0o600)
        file.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: localenv\n"
            f"clusters: [{{name: localenv, cluster: {{server: '{self.url}', certificate-authority: '{self.ca_file}'}}}}]\n"
            f"users: [{{name: {user}, user: {{token: '{self.token(user)}'}}}}]\n"
            f"contexts: [{{name: localenv, context: {{cluster: localenv, user: {user}}}}}]\n"
        )


_HINT = "Run `make down` and try again; if the port is taken, set LOCALENV_APISERVER_PORT to a free one."
