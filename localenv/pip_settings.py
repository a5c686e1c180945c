"""What this machine's pip was told (a mirror, a proxy, a certificate authority), for builds in which pip runs in a container and knows nothing of it.

Invariants: only settings that say how a package index is reached are taken; what is downloaded is still checked by its hash.
What this module deliberately does not do: build. The folder that it writes may hold an index's password, so the image that is made from it stays on this machine.
"""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from localenv.errors import LocalEnvError

_TAKEN = (
    "cert",
    "default-timeout",
    "extra-index-url",
    "index-url",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
)
_SECTIONS = ("global", "wheel", ":env:")
"""Of two values pip takes that of the later section: the files' general ones, those for `pip wheel`, the environment's."""
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_TARGET = "pip-ca.pem"


def read(*, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings that are in force here; raises LocalEnvError when pip can't tell them."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalEnvError(f"pip does not tell its settings: {done.stderr.strip()}. Run `pip config list` to see why.")
    return parse(done.stdout, environment=environment)


def parse(listed: str, *, environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in what `pip config list` printed; a certificate authority may also be in the environment, where other tools look for it."""
    found: dict[tuple[str, str], str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if key in _TAKEN and section in _SECTIONS:
            found[section, key] = str(ast.literal_eval(value))
    certificate = next((environment[name] for name in _CERTIFICATES if environment.get(name)), None)
    settings = {"cert": certificate} if certificate else {}
    for section in _SECTIONS:
        settings |= {key: value for (of, key), value in found.items() if of == section}
    return settings


def write(folder: Path, base: str, settings: Mapping[str, str]) -> None:
    """Fill a folder from which an image is built that is `base` with these settings; raises LocalEnvError when the certificates can't be read."""
    etc = folder / "etc"
    etc.mkdir()
    told = dict(settings)
    if "cert" in told:
        source = Path(told["cert"])
        try:
            (etc / _TARGET).write_bytes(source.read_bytes())
        except OSError as error:
            raise LocalEnvError(
                f"pip was told to trust the certificates in {source}, which can't be read: {error.strerror}. "
                "Correct it in `pip config list` or in the environment."
            ) from error
        told["cert"] = f"/etc/{_TARGET}"
    parser = configparser.ConfigParser(interpolation=None)
    parser["global"] = told
    with (etc / "pip.conf").open("w") as output:
        parser.write(output)
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY etc/ /etc/\n")
