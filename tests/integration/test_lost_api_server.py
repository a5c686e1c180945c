"""An operator that loses its API server, or starts without one: it lives, says what it can't do, and is back with the API server."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from localenv.cluster import until
from localenv.environment import Environment
from localenv.operator import Operator
from tests.integration.conftest import QUICK
from tests.integration.test_watch import leads

pytestmark = pytest.mark.integration
SHORT: dict[str, str | float] = {
    "lease_duration_seconds": 6,
    "lease_renew_seconds": 3,
    "lease_retry_seconds": 0.5,
    "gateway_timeout_seconds": 2,
}


@pytest.fixture
def without_api_server(env: Environment) -> Iterator[Environment]:
    """The environment with its API server stopped, until the test starts it or ends."""
    env.control_plane.stop_apiserver()
    yield env
    if not env.control_plane.ready():
        env.control_plane.start_apiserver()


def probe(operator: Operator, path: str) -> tuple[int, str]:
    """What a probe gets; 0 when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}{path}", timeout=5) as response:
            return int(response.status), str(response.read().decode())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_a_lost_lease_starts_the_operator_over(env: Environment) -> None:
    """Fails when the process ends with its Lease, or calls itself ready while it knows nothing, or does not lead again."""
    operator = Operator(env, name="loser", settings=QUICK | SHORT).start()
    try:
        until(lambda: leads(operator), what="leading")
        first = operator.pid
        env.control_plane.stop_apiserver()
        try:
            until(lambda: probe(operator, "/readyz")[0] == 503, what="the loss being said", seconds=20)
            assert probe(operator, "/healthz") == (200, "ok\n")
            assert probe(operator, "/readyz") == (503, "the API server was not reached yet\n")
        finally:
            env.control_plane.start_apiserver()
        operator.wait_ready()
        until(lambda: leads(operator), what="leading again", seconds=30)
        assert operator.pid == first and not operator.ended
        assert "Traceback" not in operator.log.read_text()
        assert operator.stop() == 0
    finally:
        operator.kill()


def test_who_waits_for_an_api_server_lives_and_can_be_stopped(without_api_server: Environment) -> None:
    """Fails when the kubelet would take an operator that waits for its API server for stuck, or could end it only by force."""
    operator = Operator(without_api_server, name="waiting", settings=QUICK).start(wait=False)
    try:
        until(lambda: probe(operator, "/healthz")[0] == 200, what="/healthz")
        assert probe(operator, "/readyz")[0] == 503
        assert operator.stop() == 0
    finally:
        operator.kill()
