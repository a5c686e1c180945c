"""Who is named for a change, from the field managers of an object."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from registrar.resources.managers import changed_spec, set_annotation
from registrar.resources.parse import may_be_read, parse_client, parse_secret

SPEC: dict[str, Any] = {"f:spec": {"f:paused": {}}}
TOKEN: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:gateway-registrar.dev/reregister": {}}}}


def managed(*rows: tuple[str, str, Any], **more: Any) -> dict[str, Any]:
    """An object that these (manager, time, fields) have written."""
    fields = [{"manager": name, "time": time, "fieldsV1": written, **more} for name, time, written in rows]
    return {"metadata": {"name": "shop", "managedFields": fields}}


def test_the_newest_writer_is_named() -> None:
    """Fails when the first writer is named, or one that wrote something else."""
    raw = managed(("helm", "2026-01-01T00:00:00Z", SPEC), ("argocd", "2026-01-02T00:00:00Z", SPEC))
    raw["metadata"]["managedFields"] += managed(("kubectl-annotate", "2026-01-03T00:00:00Z", TOKEN))["metadata"][
        "managedFields"
    ]
    assert (changed_spec(raw), set_annotation(raw, "reregister")) == ("argocd", "kubectl-annotate")
    assert set_annotation(raw, "unregister") == ""


def test_a_status_write_is_no_change() -> None:
    """Fails when the operator is named for what it only wrote a status of."""
    assert changed_spec(managed(("gateway-registrar", "2026-01-01T00:00:00Z", SPEC), subresource="status")) == ""


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"metadata": None},
        {"metadata": {"managedFields": "x"}},
        {"metadata": {"managedFields": ["x", {"manager": "m"}, {"manager": "m", "fieldsV1": []}]}},
        {"metadata": {"managedFields": [{"manager": "m", "fieldsV1": {"f:metadata": {"f:annotations": []}}}]}},
        {"metadata": {"managedFields": [{"manager": None, "fieldsV1": SPEC}]}},
    ],
)
def test_nonsense_names_nobody(raw: dict[str, Any]) -> None:
    """Fails when an object without field managers stops the event."""
    assert (changed_spec(raw), set_annotation(raw, "reregister")) == ("", "")


def test_a_manager_is_one_short_line() -> None:
    """Fails when a name that anybody may choose brings a line break into the log."""
    assert changed_spec(managed(("a\nb" + "x" * 200, "", SPEC))) == "a b" + "x" * 61


def test_a_spoofed_owner_is_no_owner() -> None:
    """Fails when any owner reference makes a Secret a Client's own."""

    def secret(**owner: Any) -> dict[str, Any]:
        return {"metadata": {"name": "s", "ownerReferences": [{"uid": "u", "controller": True, **owner}]}, "data": {}}

    ours = secret(apiVersion="gateway-registrar.dev/v1alpha1", kind="Client")
    assert (parse_secret(ours).owner_uid, may_be_read(ours, owner_uid="u")) == ("u", True)
    for spoofed in (
        secret(apiVersion="gateway-registrar.dev/v1alpha1", kind="Contract"),
        secret(apiVersion="v1", kind="Client"),
        secret(apiVersion="gateway-registrar.dev.evil/v1", kind="Client"),
        secret(apiVersion="gateway-registrar.dev/v1alpha1", kind="Client", controller=False),
    ):
        assert (parse_secret(spoofed).owner_uid, may_be_read(spoofed, owner_uid="u")) == ("", False)
    labelled = {"metadata": {"name": "s", "labels": {"gateway-registrar.dev/allow-use": "true"}}}
    assert may_be_read(labelled, owner_uid="u")


def test_huge_secrets_do_not_stay() -> None:
    """Fails when a tenant fills the operator's memory with labelled Secrets."""
    small, large = base64.b64encode(b"k" * 43).decode(), base64.b64encode(b"x" * 900_000).decode()
    found = parse_secret({"metadata": {"name": "s"}, "data": {"apiKey": small, "odd": "no base64!", "large": large}})
    assert found.data == {"apiKey": b"k" * 43}


def test_huge_annotations_do_not_stay() -> None:
    """Fails when a tenant fills the operator's memory with annotations."""
    raw = {
        "metadata": {
            "name": "shop",
            "annotations": {
                "gateway-registrar.dev/force-delete": "x" * 200_000,
                "gateway-registrar.dev/reregister": "y" * 200_000,
            },
        }
    }
    found = parse_client(raw)
    assert (len(found.force_delete), len(dict(found.tokens)["reregister"])) == (64, 71)
