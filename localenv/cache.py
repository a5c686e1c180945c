"""The cache of built and fetched things, outside the tree and shared by all checkouts.

Invariants: an entry's name holds a digest of all that it was made from; an entry appears whole or not at all, also when two runs race for it.
What this module deliberately does not do: delete anything; the folder can be removed at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_root() -> Path:
    """The folder of the cache: below XDG_CACHE_HOME, else HOME, else the system's folder for temporary files."""
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        home = os.environ.get("HOME")
        base = str(Path(home) / ".cache") if home else tempfile.gettempdir()
    return Path(base) / "gateway-registrar"


def digest(*parts: bytes) -> str:
    """A short digest of everything that an entry is made from."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def entry(name: str, make: Callable[[Path], None], *, root: Path | None = None) -> Path:
    """The folder of the entry `name`, made by `make` (which fills an empty folder) unless it is there already.

    A second run that wants the same entry waits for the first. Whatever `make` raises passes through and leaves nothing behind.
    """
    root = root or cache_root()
    target = root / name
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        work = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=root))
        try:
            make(work)
            work.rename(target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    return target
