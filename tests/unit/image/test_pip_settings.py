"""What a build's pip is told is what pip is told here, no more; the real pip lists it and reads it back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localenv import pip_settings
from localenv.errors import LocalEnvError

MIRROR = "https://user:pass%word@mirror.example/wheels"


def _environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which pip has the file `pip.conf` of the folder, which wins over the machine's own."""
    return {"HOME": str(folder), "PIP_CONFIG_FILE": str(folder / "pip.conf")} | more


def test_files_and_environment_are_read_as_pip_reads_them(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = {MIRROR}\ntimeout = 7\nfind-links = /opt/wheels\nextra-index-url =\n  https://a.example\n  https://b.example\n"
        "[wheel]\ntimeout = 8\n[install]\ntimeout = 9\nuser = true\n"
    )
    settings = pip_settings.read(environment=_environment(tmp_path, PIP_RETRIES="3"))
    told = {
        "index-url": MIRROR,
        "timeout": "8",
        "extra-index-url": "\nhttps://a.example\nhttps://b.example",
        "retries": "3",
    }
    assert settings.items() >= told.items()
    assert not {"find-links", "user"} & settings.keys()
    assert pip_settings.read(environment=_environment(tmp_path, PIP_TIMEOUT="10"))["timeout"] == "10"


def test_a_machine_without_settings_has_none(tmp_path: Path) -> None:
    assert pip_settings.read(environment=_environment(tmp_path, PIP_CONFIG_FILE=os.devnull)) == {}


def test_a_certificate_authority_of_the_environment_serves_unless_pip_has_its_own(tmp_path: Path) -> None:
    environment = {"SSL_CERT_FILE": "/etc/general.pem"}
    assert pip_settings.parse("", environment=environment) == {"cert": "/etc/general.pem"}
    assert pip_settings.parse("global.cert='/etc/pips.pem'", environment=environment) == {"cert": "/etc/pips.pem"}


def test_what_is_written_says_the_same_to_pip(tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text("certificates")
    settings = {
        "cert": str(authority),
        "index-url": MIRROR,
        "extra-index-url": "\nhttps://a.example\nhttps://b.example",
    }
    folder = tmp_path / "context"
    folder.mkdir()
    pip_settings.write(folder, "python:3.13", settings)
    assert (folder / "Dockerfile").read_text().splitlines() == ["FROM python:3.13", "COPY etc/ /etc/"]
    assert (folder / "etc" / "pip-ca.pem").read_text() == "certificates"
    environment = {**_environment(tmp_path), "PIP_CONFIG_FILE": str(folder / "etc" / "pip.conf")}
    told = settings | {"cert": "/etc/pip-ca.pem"}
    assert pip_settings.read(environment=environment).items() >= told.items()


def test_certificates_that_cannot_be_read_are_said_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(LocalEnvError, match=r"absent\.pem, which can't be read: No such file"):
        pip_settings.write(tmp_path, "python:3.13", {"cert": str(tmp_path / "absent.pem")})


def test_a_pip_that_fails_is_said(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("no section\n")
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={**os.environ, **_environment(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert listed.returncode != 0
    with pytest.raises(LocalEnvError, match=r"(?s)pip does not tell its settings: .* Run `pip config list`"):
        pip_settings.read(environment=_environment(tmp_path))
