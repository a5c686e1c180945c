"""Writes statuses: the smallest merge patch that turns the old one into the new one, and none when they are equal.

Invariants: a patch carries the resourceVersion that the status was computed from, so a status is never put on an object that has changed; applying
the patch to the old status gives exactly the new one. What this module deliberately does not do: compute a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registrar.kube.client import KubeClient, Resource
from registrar.seam import Site


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) from `old` to `new`: objects key by key, everything else whole, what vanishes as null."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = value
    return patch


class StatusWriter:
    """Writes to the status subresource."""

    def __init__(self, client: KubeClient) -> None:
        """Use that client."""
        self._client = client

    async def write(
        self,
        resource: Resource,
        *,
        namespace: str,
        name: str,
        resource_version: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        site: Site,
    ) -> dict[str, Any] | None:
        """Make the status `new`; returns the object as it is now, or None when there was nothing to write.

        Raises KubeConflict when the object has changed since `resource_version`, KubeNotFound when it is gone.
        """
        patch = merge_patch(old, new)
        if not patch:
            return None
        body = {"metadata": {"resourceVersion": resource_version}, "status": patch}
        return await self._client.patch(
            resource, namespace=namespace, name=name, body=body, site=site, subresource="status"
        )
