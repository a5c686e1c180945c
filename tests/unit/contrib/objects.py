"""Whole objects with the statuses that the operator's own code computes: what the judges are given in the unit tests."""

from __future__ import annotations

from typing import Any

from registrar.engine.gateway_status import gateway_status
from registrar.lifecycle.case import case_of
from registrar.lifecycle.contracts import changed_statuses
from registrar.lifecycle.model import Fault, View
from registrar.lifecycle.report import report
from registrar.resources.objects import ClientObject, ContractObject
from tests.unit.lifecycle.build import NOW, gateway

Json = dict[str, Any]
API = "gateway-registrar.dev/v1alpha1"


def made(kind: str, *, status: Json, spec: Json | None = None, generation: int = 1, **metadata: Any) -> Json:
    """An object as the API server returns it."""
    meta = {"name": "shop", "namespace": "team", "generation": generation} | metadata
    return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": spec or {}, "status": status}


def client_of(view: View) -> Json:
    """The Client of a view, with the status that the operator writes for it."""
    client: ClientObject = view.client
    tokens = {f"gateway-registrar.dev/{verb}": token for verb, token in client.tokens}
    spec: Json = {"state": client.state, "paused": client.paused, "apiKey": {"source": client.api_key.source}}
    more: Json = {"deletionTimestamp": "2027-01-15T08:00:00Z"} if client.meta.deleting else {}
    return made("Client", status=report(case_of(view)).to_json(), spec=spec, annotations=tokens, **more)


def contract_of(view: View) -> Json:
    """The first Contract of a view that gets a status."""
    contract: ContractObject
    contract, status = changed_statuses(case_of(view))[0]
    api = {"organization": contract.api.organization, "name": contract.api.name, "version": contract.api.version}
    spec: Json = {"clientRef": {"name": contract.client}, "api": api, "plan": contract.plan}
    return made("Contract", status=status.to_json(), spec=spec, name=contract.meta.name)


def gateway_of(*, credentials: bool = True, fault: Fault | None = None, **facts: Any) -> Json:
    """A RuntimeGateway in the state that the facts describe; ten registrations are expected."""
    counts: Json = {"expected": 10, "healing": 0, "foreign": 0, "missing": 0} | facts
    row = gateway(drift_mode=counts.pop("drift_mode", "Correct"))
    status = gateway_status(
        row, credentials=credentials, namespace="registrar", fault=fault, version="3.1.3", now=NOW, **counts
    )
    return made("RuntimeGateway", status=status, name="default")


def conditions(*rows: str, **more: Any) -> Json:
    """A status with conditions, each written as `Type=Status/Reason`."""
    listed = []
    for row in rows:
        type_, _, rest = row.partition("=")
        status, _, reason = rest.partition("/")
        listed.append({"type": type_, "status": status, "reason": reason, "message": f"{type_} says {reason}."})
    return {"observedGeneration": 1, "conditions": listed} | more
