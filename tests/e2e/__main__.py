"""`python -m tests.e2e down`: end the cluster of kind that E2E_DIR has kept."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.e2e import making


def main() -> int:
    """Remove it; 0 when it is gone, 2 with one line when the command line or E2E_DIR is no such thing."""
    kept = os.environ.get("E2E_DIR", "")
    if sys.argv[1:] != ["down"] or not Path(kept, "state.json").is_file():
        print("usage: E2E_DIR=FOLDER python -m tests.e2e down, where FOLDER has a kept cluster", file=sys.stderr)
        return 2
    making.end(Path(kept))
    shutil.rmtree(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
