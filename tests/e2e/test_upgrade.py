"""An upgrade from the version before, and the way back, while registrations change and their APIs are called all the time.

Both ways are gone once for the module; each test looks at another side of what was seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest
import yaml

from localenv.charts import OPERATOR_CHART, render
from localenv.cluster import Cluster, Json, condition, until
from tests.e2e import previous, workloads
from tests.e2e.callers import Board, Callers
from tests.e2e.crossing import KINDS, Crossing, Crossings, watched
from tests.e2e.lives import STEPS
from tests.e2e.previous import Previous
from tests.e2e.promises import CLOSED, HIDDEN, OPEN, Said
from tests.e2e.release import Release
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e
USERS_VALUES: Json = {
    "settings": {"settleSeconds": 1, "counterIntervalSeconds": 1},
    "podLabels": {"team": "platform"},
    "extraEnv": [{"name": "LOGNAME", "value": "registrar"}],
}
"""What somebody has set for the previous version; with its name in the environment the recorded one runs where the image has no user of that number (decision 112)."""
GAP_SECONDS = 5.0
"""How long nobody may lead when the leader is ended gracefully."""
PAUSE_SECONDS = 10.0
CALLS_PER_SECOND = 3.0
"""How long no answer may come, and how many there must be, on a machine that is busy with other things too: else the calls would not have been there all the time."""


@dataclass(frozen=True, slots=True)
class There:
    """The two crossings, and over what they went."""

    previous: Previous
    crossings: Crossings
    values: Json
    """The values of the release after the upgrade."""
    upgrade: Crossing
    rollback: Crossing

    def __getitem__(self, way: str) -> Crossing:
        """The crossing of that name."""
        return {"upgrade": self.upgrade, "rollback": self.rollback}[way]


@pytest.fixture(scope="module")
def there(site: Site, release: Release) -> Iterator[There]:
    """The previous version with its Clients, upgraded to this one and rolled back."""
    before = previous.checkout(site.folder / "previous")
    image = previous.given_image() or (before.image() if site.node else "")
    if not image:
        pytest.skip(
            f"the cluster pulls its images itself: {previous.IMAGE_VARIABLE} names none of the previous version"
        )
    if site.node:
        site.load(image)
    namespace = f"e2e-{uuid4().hex[:8]}"
    site.apply(workloads.namespace(namespace))
    with ExitStack() as stack:
        stack.callback(site.run_kubectl, "delete", "namespace", namespace, "--wait=false")
        release.ensure(chart=before.chart, image=image, **USERS_VALUES)
        release.ensure_gateways()
        crossings = stack.enter_context(Crossings(site, release, namespace).open())
        upgrade = crossings.cross(lambda: release.upgrade(OPERATOR_CHART, image=site.images.operator))
        values = release.values()
        rollback = crossings.cross(release.rollback)
        yield There(before, crossings, values, upgrade, rollback)


both = pytest.mark.parametrize("way", ["upgrade", "rollback"])


@pytest.fixture
def sound(there: There, way: str) -> Crossing:
    """A crossing to a version that takes the Lease over as this one does."""
    if way == "rollback" and not there.previous.released:
        pytest.skip(
            "the recorded version leads with caches from before its predecessor's end, mended since (CHANGELOG)"
        )
    return there[way]


@both
def test_no_answer_was_wrong(sound: Crossing) -> None:
    """Fails when a call was answered otherwise than a status allowed while it was under way."""
    assert not sound.judged.wrong


@both
def test_calls_were_there_all_the_time(there: There, way: str) -> None:
    """Fails when there were too few calls to see anything, of one kind of promise or for some seconds."""
    judged = there[way].judged
    assert min(judged.by_promise[promise] for promise in (OPEN, HIDDEN, CLOSED)) >= 10, judged.by_promise
    assert sum(judged.by_promise.values()) / there[way].seconds > CALLS_PER_SECOND
    assert judged.longest_pause < PAUSE_SECONDS


@both
def test_the_changes_went_on(there: There, way: str) -> None:
    """Fails when a change that was asked for meanwhile was lost, or when none was: each round ends when its statuses say that it is done."""
    assert there[way].rounds >= 2
    assert len(there.crossings.lives.moving) == there.upgrade.rounds + there.rollback.rounds


@both
def test_nothing_was_pushed_needlessly(sound: Crossing) -> None:
    """Fails when a registration or a key was changed that nobody asked to change, or more than once: the audit lines name each change."""
    assert sound.audited == sound.wanted


@both
def test_nothing_was_written_where_nothing_changed(there: There, way: str) -> None:
    """Fails when the other version writes an object that nobody changed, as docs/how-to/upgrade.md says that it does not."""
    moved = [
        f"{name}: {before.get('status')} -> {after.get('status')}"
        for name, (before, after) in there[way].untouched.items()
        if before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]
    ]
    assert not moved
    assert len(there[way].untouched) > len(STEPS)


@both
def test_the_old_pods_ended_gracefully(there: There, way: str) -> None:
    """Fails when a pod had to be killed, when a new one did not come up at once, or when the Lease was not handed over in time."""
    handover = there[way].handover
    assert len(handover.gone) == 2
    assert {name: handover.exit_codes.get(name) for name in handover.gone} == dict.fromkeys(handover.gone, 0)
    assert handover.restarts == 0
    assert handover.gaps
    assert max(handover.gaps) < GAP_SECONDS


@both
def test_the_crds_stayed(there: There, way: str) -> None:
    """Fails when a CRD was made anew, which would have deleted every object of it."""
    before, after = there[way].crds
    assert before == after
    assert sum(name.endswith("gateway-registrar.dev") for name in after) == 5


def test_no_spec_was_lost(there: There) -> None:
    """Fails when an object is missing after both ways, or does not say any more what was applied."""
    lives = there.crossings.lives
    found = {
        (kind, row["metadata"]["name"]): row for kind in KINDS for row in lives.cluster.list(kind, lives.namespace)
    }
    assert found.keys() == lives.applied.keys()
    lost = [name for name, manifest in lives.applied.items() if not contains(found[name]["spec"], manifest["spec"])]
    assert not lost


def test_every_client_is_where_its_steps_led(there: There) -> None:
    """Fails when a Client is in another phase than before, or when the gateway is not ready."""
    crossings = there.crossings
    lost = [
        life.name
        for life in (*crossings.staying, *crossings.lives.moving)
        if not STEPS[life.steps - 1].reached(crossings.lives, life)
    ]
    assert not lost
    # Its status is written with each look, every five seconds; right after the rollback it has been seen not Ready once. If that lasts, the error has the status.
    crossings.release.cluster.wait(
        "RuntimeGateway", "", "default", lambda o: condition(o, "Ready")["status"] == "True", what="Ready", seconds=10
    )


def test_the_users_values_outlived_the_upgrade(there: There) -> None:
    """Fails when a value of the previous version's user is lost, or when this version's chart refuses one that the previous chart had."""
    assert contains(there.values, USERS_VALUES)
    defaults = yaml.safe_load((there.previous.chart / "values.yaml").read_text())
    assert render(OPERATOR_CHART, defaults)


def test_a_wrong_answer_is_found(there: There) -> None:
    """Fails when calls that are answered otherwise than promised go unseen: here a registration is taken off behind the operator's back."""
    crossings = there.crossings
    namespace, site = crossings.namespace, crossings.site
    victim = next(life for life in crossings.staying if life.steps == 1)
    board = Board()
    with watched(site, namespace, board), Callers(Cluster(site), board):
        until(lambda: board.judged.by_promise[OPEN] > len(board.lines()), what="a call of each line", seconds=20)
        assert not board.judged.wrong

        def found() -> bool:
            """Take it off again with each look: the operator can put it back before its turn to be called comes."""
            crossings.release.cluster.gateway_request("DELETE", f"/clients/{namespace}/{victim.name}/1.0")
            return bool(board.judged.wrong)

        until(found, what="the wrong answer being found", seconds=20)
        assert {(row.line.client, row.said) for row in board.judged.wrong} == {(victim.name, Said.REFUSED)}


def contains(whole: Json, part: Json) -> bool:
    """Whether everything that is in `part` is in `whole`, the same."""
    return all(
        contains(whole[key], value)
        if isinstance(value, dict) and isinstance(whole.get(key), dict)
        else whole.get(key) == value
        for key, value in part.items()
    )
