"""Writes `argocd-cm.yaml` from the Lua scripts in `resource_customizations/`; `--check` says whether it is what they make.

Argo CD reads scripts from its ConfigMap only, where nobody can lint or review them; so they are files here, laid out as in Argo CD's own repository.

Invariants: equal scripts make an equal file. What this module deliberately does not do: talk to a cluster.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

HERE = Path(__file__).parent
GROUP = "gateway-registrar.dev"
SCRIPTS = HERE / "resource_customizations" / GROUP
TARGET = HERE / "argocd-cm.yaml"
HEAD = """\
# What Argo CD's ConfigMap gets: made by render.py from the scripts in resource_customizations/. Change those, then run: python contrib/argo-cd/render.py
"""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as literal blocks, so that a script stays readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dump(content: object) -> str:
    """Plain YAML with literal blocks, its keys in the order in which they were put."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=1000)


def render() -> str:
    """The whole file."""
    data: dict[str, str] = {}
    for folder in sorted(path for path in SCRIPTS.iterdir() if path.is_dir()):
        data[f"resource.customizations.health.{GROUP}_{folder.name}"] = (folder / "health.lua").read_text()
        discovery = folder / "actions" / "discovery.lua"
        if discovery.exists():
            scripts = sorted(discovery.parent.glob("*/action.lua"))
            definitions = [{"name": script.parent.name, "action.lua": script.read_text()} for script in scripts]
            actions = dump({"discovery.lua": discovery.read_text(), "definitions": definitions})
            data[f"resource.customizations.actions.{GROUP}_{folder.name}"] = actions
    return HEAD + dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": data})


def main(arguments: list[str]) -> int:
    """Write the file, or check it; 1 when it is not what the scripts make."""
    if arguments == ["--check"]:
        if TARGET.read_text() == render():
            return 0
        print(f"{TARGET} is not what the scripts make. Run: python contrib/argo-cd/render.py", file=sys.stderr)
        return 1
    TARGET.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
