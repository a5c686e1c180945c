"""Adds and removes our finalizer, leaving everybody else's alone.

Invariant: each patch tests the resourceVersion and, where it removes, the very entry, so that no concurrent change is lost.
What this module deliberately does not do: decide when.
"""

from __future__ import annotations

from typing import Any

from registrar.errors import KubeNotFound
from registrar.kube.client import JSON_PATCH, KubeClient, Resource
from registrar.seam import Site

FINALIZER = "gateway-registrar.dev/registration"


class Finalizers:
    """The finalizer of this operator."""

    def __init__(self, client: KubeClient) -> None:
        """Use that client."""
        self._client = client

    async def add(
        self,
        resource: Resource,
        *,
        namespace: str,
        name: str,
        resource_version: str,
        existing: tuple[str, ...],
        site: Site,
    ) -> dict[str, Any]:
        """Add the finalizer to the `existing` ones; returns the object as it is now. KubeConflict when it has changed."""
        operation = (
            {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}
            if existing
            else {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}
        )
        body = [_unchanged(resource_version), operation]
        return await self._client.patch(
            resource, namespace=namespace, name=name, body=body, site=site, content_type=JSON_PATCH
        )

    async def remove(
        self,
        resource: Resource,
        *,
        namespace: str,
        name: str,
        resource_version: str,
        existing: tuple[str, ...],
        site: Site,
    ) -> dict[str, Any] | None:
        """Remove the finalizer; returns the object as it is now, or None when it is gone. KubeConflict when it has changed."""
        if FINALIZER not in existing:
            return None
        path = f"/metadata/finalizers/{existing.index(FINALIZER)}"
        body = [
            _unchanged(resource_version),
            {"op": "test", "path": path, "value": FINALIZER},
            {"op": "remove", "path": path},
        ]
        try:
            return await self._client.patch(
                resource, namespace=namespace, name=name, body=body, site=site, content_type=JSON_PATCH
            )
        except KubeNotFound:
            return None


def _unchanged(resource_version: str) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}
