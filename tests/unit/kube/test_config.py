"""Kubeconfigs: merged as kubectl merges them, and refused where they ask for what is not supported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from registrar.errors import SettingsError
from registrar.kube.config import load_access, load_contexts


def write(file: Path, **content: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    return file


def one(
    folder: Path, name: str, *, current: str = "", user: dict[str, object] | None = None, **cluster: object
) -> Path:
    """A kubeconfig with one context, whose cluster, user and namespace have its name."""
    return write(
        folder / f"{name}.yaml",
        **{"current-context": current},
        clusters=[{"name": name, "cluster": {"server": f"http://{name}:1"} | cluster}],
        users=[{"name": name, "user": {"token": f"{name}-token"} if user is None else user}],
        contexts=[{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
    )


def test_a_context_is_chosen(tmp_path: Path) -> None:
    files = os.pathsep.join(str(one(tmp_path, name, current="b")) for name in ("a", "b"))
    assert load_access(files).server == "http://b:1"
    chosen = load_access(files, context="a")
    assert (chosen.server, chosen.namespace, chosen.authorization()) == ("http://a:1", "ns-a", "Bearer a-token")
    assert load_contexts(files) == ("a", "b")


def test_of_two_entries_with_one_name_the_first_counts(tmp_path: Path) -> None:
    first = one(tmp_path / "1", "x", current="x")
    second = one(tmp_path / "2", "x", current="y", server="http://other:1")
    assert load_access(f"{first}{os.pathsep}{second}").server == "http://x:1"


def test_files_that_are_not_there_are_skipped_unless_none_is(tmp_path: Path) -> None:
    present = one(tmp_path, "a", current="a")
    assert load_access(f"{tmp_path / 'absent'}{os.pathsep}{present}").server == "http://a:1"
    with pytest.raises(SettingsError, match="does not exist"):
        load_access(f"{tmp_path / 'absent'}{os.pathsep}{tmp_path / 'gone'}")


def test_paths_are_relative_to_the_file_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "token").write_text("from-file\n")
    first = one(tmp_path / "1", "a")
    second = one(tmp_path / "2", "b", current="b", user={"tokenFile": "token"})
    assert load_access(f"{first}{os.pathsep}{second}").authorization() == "Bearer from-file"


@pytest.mark.parametrize(
    ("name", "user", "cluster"),
    [
        ("insecure-skip-tls-verify", None, {"insecure-skip-tls-verify": True}),
        ("proxy-url", None, {"proxy-url": "http://p"}),
        ("username", {"username": "u", "password": "p"}, {}),
        ("as", {"token": "t", "as": "somebody"}, {}),
    ],
)
def test_what_is_not_supported_is_refused_and_not_left_out(
    tmp_path: Path, name: str, user: dict[str, object] | None, cluster: dict[str, object]
) -> None:
    """To leave out an impersonation would be to act with more rights than were asked for."""
    with pytest.raises(SettingsError, match=f"{name} is not supported"):
        load_access(str(one(tmp_path, "a", current="a", user=user, **cluster)))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="it has no current-context"):
        load_access(str(one(tmp_path, "a")))
    with pytest.raises(SettingsError, match="there is no b among its contexts"):
        load_access(str(one(tmp_path, "a", current="a")), context="b")
    with pytest.raises(SettingsError, match="is no mapping"):
        file = tmp_path / "list.yaml"
        file.write_text("[1]")
        load_access(str(file))


def test_no_credential_is_in_a_repr(tmp_path: Path) -> None:
    assert "a-token" not in repr(load_access(str(one(tmp_path, "a", current="a"))))


def test_an_exec_plugin_is_run_for_the_context_that_was_chosen(tmp_path: Path) -> None:
    """As kubectl's own exec plugins: the process is run, and what it prints is the token."""
    script = tmp_path / "login"
    script.write_text(
        '#!/bin/sh\necho \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
        '"status": {"token": "of-the-plugin"}}\'\n'
    )
    script.chmod(0o755)
    user: dict[str, object] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    }
    first, second = one(tmp_path, "a", current="a"), one(tmp_path, "b", user=user)
    chosen = load_access(f"{first}{os.pathsep}{second}", context="b")
    assert (chosen.server, chosen.authorization(), chosen.namespace) == ("http://b:1", "Bearer of-the-plugin", "ns-b")


def test_a_plugin_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    """Without credentials every answer would be a 401 or, worse, what anonymous users may do."""
    user: dict[str, object] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(tmp_path / "absent"),
            "interactiveMode": "Never",
        }
    }
    with pytest.raises(SettingsError, match="the plugin of context a gave no credentials"):
        load_access(str(one(tmp_path, "a", current="a", user=user)))
