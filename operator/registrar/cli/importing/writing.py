"""Manifests into files: a folder for each Client, its Secrets in a file of their own that only the user can read.

Invariants: no file that exists is overwritten; a file with secrets is never readable by others, not even for a moment; the names sort in the order in which the
objects must be applied. What this module deliberately does not do: apply anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from registrar.cli.errors import Usage
from registrar.cli.importing.manifests import grants_of, objects_of, secrets_of
from registrar.cli.importing.model import Outcome
from registrar.cli.manifest_yaml import as_yaml

SECRETS = "1-secrets.yaml"
OBJECTS = "2-client.yaml"
GRANTS = "0-grants.yaml"


def files_of(outcome: Outcome, *, gateway: str, generated_keys: bool) -> dict[str, list[dict[str, Any]]]:
    """The manifests by the path of their file, in the order in which they are to be applied."""
    files: dict[str, list[dict[str, Any]]] = {}
    if outcome.grants:
        files[GRANTS] = grants_of(outcome.grants)
    for client in outcome.clients:
        folder = f"{client.namespace}/{client.name}"
        if secrets := secrets_of(client, generated_keys=generated_keys):
            files[f"{folder}/{SECRETS}"] = secrets
        files[f"{folder}/{OBJECTS}"] = objects_of(client, gateway=gateway, generated_keys=generated_keys)
    return files


def write(files: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """Write the files below `folder`; raises Usage when it has something in it, or can't be written."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise Usage(f"{folder} is not empty.", step="Name another directory with -o, or remove this one.")
        for name, manifests in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _new(path, as_yaml(manifests), mode=0o600 if _secret(manifests) else 0o644)
    except OSError as error:
        raise Usage(
            f"{folder} can't be written ({error.strerror or type(error).__name__}).",
            step="Name another directory with -o.",
        ) from error


def _new(path: Path, text: str, *, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
        file.write(text)


def _secret(manifests: Iterable[dict[str, Any]]) -> bool:
    return any(manifest["kind"] == "Secret" for manifest in manifests)
