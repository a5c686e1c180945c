"""The alerts and the dashboard's expressions, checked by promtool itself."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from localenv.binaries import Binaries
from localenv.environment import ROOT

pytestmark = pytest.mark.integration
FILES = ROOT / "charts/gateway-registrar/files"


def promtool(*arguments: str, at: Path = ROOT) -> str:
    """What promtool says; it must be content."""
    done = subprocess.run([str(Binaries().promtool), *arguments], cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_alerts() -> None:
    """Fails when an alert fires too early, too late, for a fleet in order, or with another text than its test says."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(FILES / "alerts.yaml"))
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yaml", at=Path(__file__).parent)


def test_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    """Fails when Prometheus could not parse one of them."""
    panels = json.loads((FILES / "dashboard.json").read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    plain = [
        re.sub(r"\$__rate_interval", "5m", expression).replace("$job", "x").replace("$gateway", ".+")
        for expression in found
    ]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(plain)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", "--lint=none", str(path))
