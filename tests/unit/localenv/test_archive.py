"""What is written is an image archive that an engine can trust: every digest is right, and the bytes depend on the files alone."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

from localenv.kind import archive
from localenv.kind.archive import Image


def files(folder: Path, *, mtime: int) -> Path:
    """A small root: a command, and a link to it."""
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/tool").write_text("#!/bin/sh\n")
    (folder / "usr/bin/tool").chmod(0o755)
    (folder / "usr/bin/alias").symlink_to("tool")
    os.utime(folder / "usr/bin/tool", (mtime, mtime))
    return folder


def test_every_digest_is_that_of_what_it_names(tmp_path: Path) -> None:
    """Fails when an engine would refuse the archive, or would give an image another name or command."""
    image = Image("registry.example/tool:1", files(tmp_path / "root", mtime=1), entrypoint=("/usr/bin/tool",))
    bare = Image("registry.example/bare:2", files(tmp_path / "bare", mtime=1))
    archive.write(tmp_path / "images.tar", [image, bare], machine="x86_64")
    with tarfile.open(tmp_path / "images.tar") as written:
        read = {row.name: written.extractfile(row) for row in written}
        contents = {name: stream.read() for name, stream in read.items() if stream is not None}
    manifest = json.loads(contents["manifest.json"])
    assert [row["RepoTags"] for row in manifest] == [["registry.example/tool:1"], ["registry.example/bare:2"]]
    for row in manifest:
        assert row["Config"] == f"{hashlib.sha256(contents[row['Config']]).hexdigest()}.json"
        layers = [f"sha256:{hashlib.sha256(contents[layer]).hexdigest()}" for layer in row["Layers"]]
        assert json.loads(contents[row["Config"]])["rootfs"]["diff_ids"] == layers
    first, second = (json.loads(contents[row["Config"]]) for row in manifest)
    assert first["architecture"] == "amd64"
    assert first["config"]["Entrypoint"] == ["/usr/bin/tool"]
    assert "Entrypoint" not in second["config"]


def test_a_layer_is_the_files_and_nothing_by_chance(tmp_path: Path) -> None:
    """Fails when modes or links are lost, or when who made the files, or when, is written down."""
    for name, mtime in (("one", 1), ("two", 2)):
        archive.write(
            tmp_path / f"{name}.tar", [Image("tool:1", files(tmp_path / name, mtime=mtime))], machine="aarch64"
        )
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as outer:
        layer = next(name for name in outer.getnames() if name.endswith("/layer.tar"))
        outer.extract(layer, tmp_path / "out", filter="data")
    with tarfile.open(tmp_path / "out" / layer) as inner:
        rows = {row.name: row for row in inner}
    assert rows["usr/bin/tool"].mode & 0o777 == 0o755
    assert rows["usr/bin/alias"].linkname == "tool"
    assert {(row.uid, row.gid, row.uname, row.mtime) for row in rows.values()} == {(0, 0, "", 0)}
    assert not list(tmp_path.glob("*.layer"))
