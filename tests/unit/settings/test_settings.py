"""Settings: flags beat the environment, and every mistake is one line."""

from __future__ import annotations

import pytest

from registrar.errors import SettingsError
from registrar.settings import Settings, load


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that the tests run on gets in."""
    import os

    for name in list(os.environ):
        if name.startswith("REGISTRAR_") or name == "POD_NAMESPACE":
            monkeypatch.delenv(name)


def test_defaults() -> None:
    """Fails when the defaults contradict each other."""
    assert load([]).settle_seconds == 2.0


def test_flags_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a flag is ignored, or a variable is."""
    monkeypatch.setenv("REGISTRAR_WORKERS", "7")
    monkeypatch.setenv("REGISTRAR_WATCH_NAMESPACES", "a, b")
    assert load([]).workers == 7
    assert load([]).watch_namespaces == ("a", "b")
    assert load(["--workers=9"]).workers == 9


def test_the_pods_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when the downward API's variable is not taken, or beats our own."""
    monkeypatch.setenv("POD_NAMESPACE", "from-the-pod")
    assert load([]).namespace == "from-the-pod"
    monkeypatch.setenv("REGISTRAR_NAMESPACE", "ours")
    assert load([]).namespace == "ours"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--workers=0"], ["--workers", "REGISTRAR_WORKERS", "greater than or equal to 1"]),
        (["--settle-seconds=20"], ["settle_seconds must not be more than settle_max_seconds"]),
        (["--lease-retry-seconds=11"], ["lease_retry_seconds < lease_renew_seconds"]),
        (["--gateway-timeout-seconds=6"], ["could outlive the Lease"]),
        (["--backoff-base-seconds=500"], ["backoff_base_seconds must not be more"]),
        (["--log-level=loud"], ["--log-level", "'debug', 'info', 'warning' or 'error'"]),
        (["--namespace=Not/Valid"], ["--namespace", "pattern"]),
    ],
)
def test_a_mistake_is_one_line(flags: list[str], words: list[str]) -> None:
    """Fails when a wrong value gets past the start, or the line does not say which and why."""
    with pytest.raises(SettingsError) as caught:
        load(flags)
    lines = caught.value.problems
    assert len(lines) == 1 and "\n" not in lines[0]
    for word in words:
        assert word in lines[0]


def test_two_mistakes_are_two_lines() -> None:
    """Fails when the second mistake shows only after the first is mended."""
    with pytest.raises(SettingsError) as caught:
        load(["--workers=0", "--probes-port=70000"])
    assert len(caught.value.problems) == 2


def test_an_unknown_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a misspelled variable is silently ignored."""
    monkeypatch.setenv("REGISTRAR_WORKRES", "7")
    with pytest.raises(SettingsError, match="REGISTRAR_WORKRES: there is no such setting"):
        load([])


def test_every_setting_is_described() -> None:
    """Fails when --help has a setting without words."""
    for name, field in Settings.model_fields.items():
        assert field.description and len(field.description) >= 15, name


def test_help_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails when --help leaves a setting out."""
    with pytest.raises(SystemExit) as caught:
        load(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text
