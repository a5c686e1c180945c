"""The Docker engine, as far as building and loading images needs it: every call of the `docker` command is here.

Invariants: an image's tag holds a digest of all that it was made from, so one that is there is never made again.
What this module deliberately does not do: install, start or stop an engine; that is `engine`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from localenv.errors import LocalEnvError

_ASK_SECONDS = 20
_TAIL = 20


def answers() -> bool:
    """Whether a Docker engine answers here; a client without one, or none at all, is no error."""
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def run(*arguments: str, stdin: str | None = None) -> str:
    """Run `docker` and return what it prints; raises LocalEnvError with the end of its output when it fails."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_TAIL:])
        raise LocalEnvError(f"`docker {' '.join(arguments[:2])}` failed:\n{tail}")
    return done.stdout


def feed(file: Path, *arguments: str) -> None:
    """Run `docker` with a file as its standard input; raises LocalEnvError with the end of its output when it fails."""
    with file.open("rb") as source:
        done = subprocess.run(["docker", *arguments], stdin=source, capture_output=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-_TAIL:])
        raise LocalEnvError(f"`docker {arguments[0]}` failed:\n{tail}")


def has(tag: str) -> bool:
    """Whether the engine has an image of that name and tag."""
    return bool(run("images", "--quiet", tag).strip())


def has_network(name: str) -> bool:
    """Whether the engine has a network of that very name."""
    return bool(run("network", "ls", "--quiet", f"--filter=name=^{name}$").strip())


def containers(*conditions: str) -> list[str]:
    """The identifiers of all containers, stopped ones too, that meet every condition, such as `network=kind`."""
    return run("ps", "--all", "--quiet", *(f"--filter={row}" for row in conditions)).split()


def pulled(image: str, *, seconds: float) -> bool:
    """Whether the engine gets the image from its registry within that time; a registry that is not there or refuses is no error."""
    try:
        done = subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def import_tree(tree: Path, tag: str, *changes: str) -> None:
    """Make an image of one layer from a folder; `changes` are Dockerfile instructions such as `ENTRYPOINT ["/pause"]`.

    Owners and modes are those of the folder, so it is run by who owns the tree. Raises LocalEnvError when tar or the engine fails.
    """
    options = [option for change in changes for option in ("--change", change)]
    with subprocess.Popen(["tar", "-C", str(tree), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE) as packed:
        done = subprocess.run(
            ["docker", "import", *options, "-", tag], stdin=packed.stdout, capture_output=True, text=True, check=False
        )
    if packed.returncode or done.returncode:
        raise LocalEnvError(f"The image {tag} can't be imported: {done.stderr.strip() or 'tar failed'}")


def build(
    context: Path, *, tag: str, dockerfile: Path, arguments: Mapping[str, str], options: Iterable[str] = ()
) -> None:
    """Build an image; `arguments` are its build arguments. Raises LocalEnvError with the end of the build's output."""
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    run("build", f"--file={dockerfile}", f"--tag={tag}", *given, *options, str(context))
