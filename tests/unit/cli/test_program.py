"""The program as a whole, where no cluster is needed: help, wrong usage, faults, and failures of an API server that a test plays."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

import registrar.cli
from registrar.cli import app as program
from registrar.cli.__main__ import main
from registrar.cli.cluster import connect, explained
from registrar.cli.commands.consumers import is_for
from registrar.cli.diagnosis.walk import diagnose
from registrar.cli.errors import CliError, Exit, NoCluster, NoKinds
from registrar.cli.gather import LEASE, facts
from registrar.cli.options import Target
from registrar.errors import KubeConflict, KubeGone, KubeNotFound, KubeRefused, KubeUnavailable
from registrar.kube.client import CLIENTS
from tests.unit.cli.objects import contract, unseen

COMMANDS = [command.name or "" for command in program.app.registered_commands]


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_needs_no_cluster_for_it(command: str) -> None:
    said = CliRunner().invoke(program.app, [command, "--help"])
    assert said.exit_code == 0 and "Usage" in said.output


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["status", "shop", "-A"],
        ["status", "-o", "xml"],
        ["why"],
        ["reregister"],
        ["reregister", "shop", "--all"],
        ["reregister", "shop", "-l", "a=b"],
        ["reregister", "shop", "-A"],
        ["reregister", "shop", "--timeout", "0"],
        ["force-delete"],
        ["force-delete", "shop", "--all", "-n", "x"],
        ["force-delete", "--all"],
        ["consumers", "orders"],
        ["consumers", "a/b/c/d"],
        ["consumers", "a//c"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_before_a_cluster_is_asked(words: list[str]) -> None:
    assert main(words) == Exit.USAGE


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["why", "x"],
        ["diff", "x"],
        ["log", "x"],
        ["reregister", "x"],
        ["consumers", "a/b"],
        ["force-delete", "x"],
    ],
    ids=" ".join,
)
def test_without_a_cluster_there_is_one_line_with_the_next_step(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == Exit.NO_CLUSTER
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("error: No cluster: ") and "Set KUBECONFIG" in said.err


def test_a_defect_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is shown a traceback who has not asked for one."""

    def broken(*_: object) -> int:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("registrar.cli.cluster.run", broken)
    assert main(["status"]) == Exit.FAULT
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "secret detail" not in said and said.count("\n") == 1
    monkeypatch.setenv("KUBECTL_REGISTRAR_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["status"])


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("registrar.cli.cluster.run", interrupted)
    assert main(["status"]) == Exit.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KubeUnavailable("GET /x: TimeoutError"), Exit.NO_CLUSTER),
        (KubeRefused("GET /x: 401", status=401), Exit.NO_RIGHTS),
        (KubeRefused("GET /x: 403 no", status=403), Exit.NO_RIGHTS),
        (KubeRefused("PATCH /x: 422 wrong", status=422), Exit.REFUSED),
        (KubeConflict("PATCH /x: 409", status=409), Exit.REFUSED),
        (KubeGone("GET /x: 410", status=410), Exit.REFUSED),
        (KubeNotFound("GET /x: 404", status=404), Exit.NOT_FOUND),
    ],
    ids=lambda value: str(value),
)
def test_every_failure_of_the_api_server_has_a_next_step(error: Exception, code: Exit) -> None:
    said = explained(error, server="https://s")  # type: ignore[arg-type]
    assert said.exit_code is code and said.step


def test_every_exit_code_is_in_the_table_of_the_errors() -> None:
    """The table at the top of the module is what the documentation is made of."""
    table = (Path(registrar.cli.__file__).parent / "errors.py").read_text()
    for kind in CliError.__subclasses__():
        if kind.exit_code not in (Exit.USAGE,):
            assert f"{kind.__name__} " in table and f" {int(kind.exit_code)} " in table


def test_nothing_slow_is_imported_for_help() -> None:
    """No module that `--help` loads imports aiohttp, yaml, rich or our models at its top."""
    folder = Path(registrar.cli.__file__).parent
    loaded = [
        folder / "app.py",
        folder / "options.py",
        folder / "completion.py",
        folder / "__main__.py",
        folder / "errors.py",
    ]
    for file in (*loaded, *(folder / "commands").glob("*.py")):
        for name in _imports(file):
            assert name.partition(".")[0] not in ("aiohttp", "orjson", "yaml", "rich", "pydantic", "kubernetes"), file
            assert not name.startswith(("registrar.kube", "registrar.resources", "registrar.cli.cluster")), file


def _imports(file: Path) -> Iterator[str]:
    """The modules that a module imports when it is loaded."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_a_contract_counts_for_what_it_asks_for_and_for_what_is_live() -> None:
    moving = contract(version="2.0")
    moving["status"]["liveVersion"] = "1.0"
    assert [is_for(moving, "acme", "orders", version) for version in ("", "1.0", "2.0", "3.0")] == [
        True,
        True,
        True,
        False,
    ]
    assert not is_for(moving, "acme", "order", "") and not is_for(moving, "team", "orders", "")


# An API server that a test plays: what the real one can't be made to answer ------------------------------------------


@asynccontextmanager
async def server(answer: Callable[[web.Request], web.StreamResponse], folder: Path) -> AsyncIterator[Target]:
    """A server with one answer to everything."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = folder / "config"
    config.write_text(
        "current-context: c\n"
        f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )
    try:
        yield Target(kubeconfig=str(config))
    finally:
        await runner.cleanup()


def another_version(request: web.Request) -> web.StreamResponse:
    if request.path == "/apis/gateway-registrar.dev":
        return web.json_response({"kind": "APIGroup", "versions": [{"version": "v2"}, {"version": "v1"}]})
    return web.json_response({"kind": "Status", "message": "404 page not found"}, status=404)


async def test_a_cluster_with_another_version_of_the_kinds(tmp_path: Path) -> None:
    async with server(another_version, tmp_path) as target:
        with pytest.raises(NoKinds, match="in v2, v1, and this plugin speaks v1alpha1"):
            async with connect(target) as session:
                await session.items(CLIENTS)


async def test_an_answer_that_is_no_kubernetes(tmp_path: Path) -> None:
    async with server(lambda _: web.Response(text="<html>login</html>"), tmp_path) as target:
        with pytest.raises(NoCluster, match="the answer is no JSON"):
            async with connect(target) as session:
                await session.items(CLIENTS)


async def test_the_user_agent_is_not_the_operators(tmp_path: Path) -> None:
    """The operator takes what its own field manager wrote for its own; a user's write must wake it."""
    agents: list[str] = []

    def listed(request: web.Request) -> web.StreamResponse:
        agents.append(request.headers["User-Agent"])
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    async with server(listed, tmp_path) as target, connect(target) as session:
        assert await session.items(CLIENTS) == []
        await asyncio.gather(session.items(CLIENTS, namespace="x"))
    assert {agent.partition("/")[0] for agent in agents} == {"kubectl-registrar"}


def leases(*namespaces: str) -> Callable[[web.Request], web.StreamResponse]:
    """A server that has the operator's Lease in these namespaces, and a Client that nobody has looked at."""
    found = [
        {
            "metadata": {"name": LEASE, "namespace": where},
            "spec": {"holderIdentity": "x", "renewTime": "2020-01-01T00:00:00Z"},
        }
        for where in namespaces
    ]

    def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/clients/shop"):
            return web.json_response(unseen())
        if request.path.endswith(f"/leases/{LEASE}"):
            here = [row for row in found if f"/namespaces/{row['metadata']['namespace']}/" in request.path]
            return web.json_response(here[0] if here else {"message": "not found"}, status=200 if here else 404)
        return web.json_response({"metadata": {}, "items": found if request.path.endswith("/leases") else []})

    return answer


@pytest.mark.parametrize(
    ("where", "said"),
    [(["elsewhere"], "elsewhere"), (["guess", "elsewhere"], "guess"), (["one", "two"], "guess"), ([], "guess")],
    ids=["the only one of the cluster", "where it should be", "one of several", "none"],
)
async def test_the_operator_is_found_by_its_lease(tmp_path: Path, where: list[str], said: str) -> None:
    async with server(leases(*where), tmp_path) as target, connect(target) as session:
        known = await facts(session, "client/shop", operator_namespace="guess")
    assert known.operator_namespace == said
    assert known.lease is not None and not known.lease.held
    finding = diagnose(known)
    assert finding is not None and finding.reason == "OperatorNotRunning"
    assert f"kubectl -n {said} get deployments,pods,leases" in finding.mends[0].command


async def test_an_operator_that_is_scaled_to_nothing_is_named(tmp_path: Path) -> None:
    """Only Deployments with the chart's label, and of those only the ones that are to have no pod."""
    asked: list[str] = []
    rows = [{"metadata": {"name": name}, "spec": {"replicas": count}} for name, count in (("b", 0), ("a", 0), ("c", 2))]
    others = leases("guess")

    def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/apis/apps/v1/namespaces/guess/deployments":
            asked.append(request.query["labelSelector"])
            return web.json_response({"metadata": {}, "items": rows})
        return others(request)

    async with server(answer, tmp_path) as target, connect(target) as session:
        known = await facts(session, "client/shop", operator_namespace="guess")
    assert (known.stopped, asked) == (("a", "b"), ["app.kubernetes.io/name=gateway-registrar"])
