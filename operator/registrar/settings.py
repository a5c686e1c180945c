"""Every setting of the operator, from flags and environment variables, checked once at the start.

`python -m registrar run --help` lists them with variable and default. Invariants: a wrong value never gets past the start; every mistake is named in one
line. What this module deliberately does not do: read the cluster.
"""

from __future__ import annotations

import os
import socket
from typing import Annotated, Literal, Self
from uuid import uuid4

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, CliSettingsSource, NoDecode, SettingsConfigDict

from registrar.errors import SettingsError

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=1_000)]
NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"


class Settings(BaseSettings):
    """The operator's settings; each field's environment variable is `REGISTRAR_` and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="REGISTRAR_",
        extra="forbid",
        frozen=True,
        cli_prog_name="python -m registrar run",
        cli_kebab_case=True,
        populate_by_name=True,
    )

    namespace: str = Field(
        "gateway-registrar-system",
        pattern=NAME,
        validation_alias=AliasChoices("REGISTRAR_NAMESPACE", "POD_NAMESPACE", "namespace"),
        description="The operator's own namespace: its Lease and the gateways' credentials are there (REGISTRAR_NAMESPACE or POD_NAMESPACE).",
    )
    watch_namespaces: Annotated[tuple[Annotated[str, Field(pattern=NAME)], ...], NoDecode] = Field(
        (),
        description="Namespaces to watch beside the operator's own, separated by commas; all when empty (REGISTRAR_WATCH_NAMESPACES).",
    )
    kubeconfig: str = Field("", description="Path of a kubeconfig; KUBECONFIG or the pod's service account when empty.")
    settle_seconds: Seconds = Field(
        2.0, description="How long a Client's objects must be quiet before it is registered."
    )
    settle_max_seconds: Seconds = Field(10.0, description="The longest that a registration waits for quiet.")
    action_timeout_seconds: Seconds = Field(
        600.0, description="How long an action is tried while a gateway has a fault."
    )
    workers: Count = Field(20, description="How many Clients are reconciled side by side.")
    kube_max_in_flight: Count = Field(20, description="How many calls of the API server are under way at once.")
    resync_interval_seconds: Seconds = Field(
        600.0, description="Between two sweeps for lost watch events, give or take 10 %."
    )
    sentinel_interval_seconds: Seconds = Field(5.0, description="Between two looks at each gateway.")
    drift_interval_seconds: Seconds = Field(
        600.0, description="Between two full checks of a gateway, unless it says otherwise."
    )
    heal_grace_seconds: Seconds = Field(
        10.0, description="How long a lost registration or a fault stays unsaid on a Client."
    )
    counter_interval_seconds: Seconds = Field(10.0, description="The shortest time between two writes of counters.")
    gateway_timeout_seconds: Seconds = Field(4.0, description="The limit for one call of a gateway.")
    backoff_base_seconds: Seconds = Field(1.0, description="The first backoff; it doubles with each failure.")
    backoff_max_seconds: Seconds = Field(420.0, description="The longest backoff.")
    lease: bool = Field(True, description="Whether to elect a leader; needed with more than one replica.")
    lease_name: str = Field("gateway-registrar", pattern=NAME, description="The Lease's name.")
    lease_duration_seconds: Seconds = Field(15.0, description="How long a Lease holds without being renewed.")
    lease_renew_seconds: Seconds = Field(10.0, description="After how long without renewal a leader steps down.")
    lease_retry_seconds: Seconds = Field(2.0, description="Between two attempts to get or renew the Lease.")
    identity: str = Field(
        default_factory=lambda: f"{socket.gethostname()}_{uuid4().hex[:8]}",
        max_length=253,
        description="The name of this process in the Lease and in Events; host name and a random part by default.",
    )
    probes_host: str = Field("0.0.0.0", description="Address of /healthz, /readyz and /metrics.")  # noqa: S104 - kubelets call it
    probes_port: int = Field(
        8080, ge=0, le=65_535, description="Port of /healthz, /readyz and /metrics; 0 takes a free one."
    )
    hash_secret_name: str = Field(
        "gateway-registrar-hash",
        pattern=NAME,
        description="The Secret with which the operator signs what it published.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["text", "json"] = Field("text", description="How it is logged.")
    audit_log: str = Field("", description="File for the audit lines; the log when empty.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: dict[str, object]) -> dict[str, object]:
        names = values.get("watch_namespaces")
        if isinstance(names, str):
            values["watch_namespaces"] = tuple(name.strip() for name in names.split(",") if name.strip())
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if not self.lease_retry_seconds < self.lease_renew_seconds < self.lease_duration_seconds:
            problems.append("lease_retry_seconds < lease_renew_seconds < lease_duration_seconds must hold")
        if self.gateway_timeout_seconds >= self.lease_duration_seconds - self.lease_renew_seconds:
            problems.append(
                "gateway_timeout_seconds must be less than lease_duration_seconds - lease_renew_seconds, or a call could outlive the Lease"
            )
        if self.settle_seconds > self.settle_max_seconds:
            problems.append("settle_seconds must not be more than settle_max_seconds")
        if self.backoff_base_seconds > self.backoff_max_seconds:
            problems.append("backoff_base_seconds must not be more than backoff_max_seconds")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load(arguments: list[str]) -> Settings:
    """The settings from `arguments` (flags such as --workers=10) and the environment; flags win.

    Raises SettingsError with one line for each mistake. `--help` prints all settings and ends the process.
    """
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("REGISTRAR_") and name.removeprefix("REGISTRAR_").lower() not in Settings.model_fields
    )
    if unknown:
        raise SettingsError(tuple(f"{name}: there is no such setting; see --help" for name in unknown))
    try:
        source: CliSettingsSource[Settings] = CliSettingsSource(
            Settings, cli_parse_args=arguments, cli_exit_on_error=True
        )
        return Settings(_cli_settings_source=source)
    except ValidationError as error:
        raise SettingsError(tuple(_line(row["loc"], row["msg"], row.get("input")) for row in error.errors())) from error


def _line(location: tuple[int | str, ...], message: str, value: object) -> str:
    """One mistake as one line, with the flag and the variable that set it."""
    text = message.removeprefix("Value error, ")
    if not location:
        return text
    name = str(location[0]).removeprefix("REGISTRAR_").lower()
    return f"--{name.replace('_', '-')} (REGISTRAR_{name.upper()}) is {value!r}: {text}"
