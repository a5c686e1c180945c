"""Writes images into one file in the format of `docker save`, which every engine and containerd can load.

Invariants: no engine is asked, so no tag of a real image is moved on the machine that writes; the same folders give the same bytes; all files belong to root.
What this module deliberately does not do: compress, or make images of more than one layer.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of one layer: its tag, the folder with its files, and the command that it starts with (none: who runs it names one)."""

    tag: str
    folder: Path
    entrypoint: tuple[str, ...] = ()


def write(file: Path, images: Iterable[Image], *, machine: str) -> None:
    """Write the images into `file`; `machine` is what `platform.machine()` says where they run."""
    index: list[dict[str, object]] = []
    with tarfile.open(file, "w") as archive:
        for image in images:
            layer = file.with_name(f"{file.name}.layer")
            _pack(image.folder, layer)
            with layer.open("rb") as packed:
                digest = hashlib.file_digest(packed, "sha256").hexdigest()
            config = json.dumps(_config(image, digest, machine)).encode()
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            archive.add(layer, f"{digest}/layer.tar", filter=_plain)
            layer.unlink()
            _add(archive, name, config)
            index.append({"Config": name, "RepoTags": [image.tag], "Layers": [f"{digest}/layer.tar"]})
        _add(archive, "manifest.json", json.dumps(index).encode())


def _pack(folder: Path, layer: Path) -> None:
    with tarfile.open(layer, "w") as packed:
        for path in sorted(folder.rglob("*")):
            packed.add(path, str(path.relative_to(folder)), recursive=False, filter=_plain)


def _plain(row: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry without what is by chance: who made it, and when."""
    row.uid = row.gid = 0
    row.uname = row.gname = ""
    row.mtime = 0
    return row


def _config(image: Image, digest: str, machine: str) -> dict[str, object]:
    settings: dict[str, object] = {"Env": [_PATH]}
    if image.entrypoint:
        settings["Entrypoint"] = list(image.entrypoint)
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    row = _plain(tarfile.TarInfo(name))
    row.size = len(content)
    archive.addfile(row, io.BytesIO(content))
