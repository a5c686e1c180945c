"""Every workload about keys with a crash after each effect, and after each pair of effects: the end is the same, and what must hold of keys holds at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from registrar.lifecycle.model import KeyRole
from tests.unit.lifecycle.build import NOW, blob, policy
from tests.unit.lifecycle.key_world import HOUR, KeyWorld, key_world
from tests.unit.lifecycle.test_crashes import TIMES, cleaned

Act = Callable[[KeyWorld], None]


def ask(*verbs: str, token: str = "one") -> Act:
    """Ask for actions, in one commit."""

    def act(world: KeyWorld) -> None:
        assert world.client is not None
        before = dict(world.client.tokens)
        world.client = replace(world.client, tokens=tuple((before | {verb: token for verb in verbs}).items()))

    return act


def both(*acts: Act) -> Act:
    """One after the other, at once."""

    def act(world: KeyWorld) -> None:
        for one in acts:
            one(world)

    return act


def tighten(world: KeyWorld) -> None:
    """A change that waits for a publish."""
    world.policies = [policy(limit=10)]


def drop_contract(world: KeyWorld) -> None:
    """Delete one Contract."""
    world.contracts = [c for c in world.contracts if c.meta.name != "billing"]


def drop_all(world: KeyWorld) -> None:
    """Delete all Contracts."""
    world.contracts = []


def delete(world: KeyWorld) -> None:
    """Delete the Client."""
    assert world.client is not None
    world.client = replace(world.client, meta=replace(world.client.meta, deleting=True))


def exempt(world: KeyWorld) -> None:
    """From here on a key may die before the new one works."""
    world.exempt = True


def edit_key(world: KeyWorld) -> None:
    """Somebody puts a key of his own into the Secret."""
    assert world.keys is not None
    world.exempt = True
    world.keys.texts[KeyRole.CURRENT] = "edited"


def lose_secret(world: KeyWorld) -> None:
    """The Secret is deleted."""
    world.keys = None


def lose_gateway(world: KeyWorld) -> None:
    """The gateway loses everything."""
    world.slots.clear()
    world.live.clear()
    world.second.clear()
    world.dead.clear()


def wipe(world: KeyWorld) -> None:
    """The status is lost, and the process with it."""
    assert world.client is not None
    world.client = replace(world.client, status_blob=blob({"observedGeneration": -1}), tokens=())
    world.live, world.second, world.effected = {}, {}, {}


def block(world: KeyWorld) -> None:
    """The platform team blocks the Client."""
    world.blocked = True


def plain() -> KeyWorld:
    """Registered, with nothing about keys in the spec."""
    return key_world()


def scheduled() -> KeyWorld:
    """Registered, with a key that is replaced every two hours with ten minutes of overlap."""
    return key_world(interval=2 * HOUR, overlap=600)


def in_overlap() -> KeyWorld:
    """Registered under both identities."""
    world = key_world()
    ask("rotate-key", token="zero")(world)
    world.horizon = NOW + 60
    world.run()
    assert len(world.slots) == 2
    world.horizon = NOW + 3 * HOUR
    world.effects = 0
    world.pushes.clear()
    world.done.clear()
    return world


WORKLOADS: dict[str, tuple[Callable[[], KeyWorld], Act]] = {
    "rotate": (plain, ask("rotate-key")),
    "rotate-with-a-change-pending": (plain, both(tighten, ask("rotate-key"))),
    "rotate-and-reregister": (plain, both(tighten, ask("rotate-key", "reregister"))),
    "rotate-and-unregister": (plain, ask("rotate-key", "unregister")),
    "rotate-and-revoke": (plain, both(exempt, ask("rotate-key", "revoke-key"))),
    "rotate-in-an-overlap": (in_overlap, ask("rotate-key")),
    "schedule": (scheduled, lambda world: None),
    "revoke-key": (plain, both(exempt, ask("revoke-key"))),
    "revoke-key-in-an-overlap": (in_overlap, both(exempt, ask("revoke-key"))),
    "revoke-key-and-reregister": (plain, both(exempt, tighten, ask("revoke-key", "reregister"))),
    "edited": (plain, edit_key),
    "edited-in-an-overlap": (in_overlap, edit_key),
    "reregister-in-an-overlap": (in_overlap, both(tighten, ask("reregister"))),
    "contract-off-in-an-overlap": (in_overlap, drop_contract),
    "last-contract-off-in-an-overlap": (in_overlap, drop_all),
    "unregister-in-an-overlap": (in_overlap, ask("unregister")),
    "delete-in-an-overlap": (in_overlap, delete),
    "blocked-in-an-overlap": (in_overlap, block),
    "reset-in-an-overlap": (in_overlap, lose_gateway),
    "secret-lost": (plain, lose_secret),
    "wiped-in-an-overlap": (in_overlap, wipe),
}
VARYING = TIMES | {"createdAt", "copyOf", "nextRotationAt", "overlapEndsAt", "second"}


def without_times(value: Any) -> Any:
    """A status without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in VARYING}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def outcome(name: str, crash_at: frozenset[int] = frozenset()) -> tuple[Any, KeyWorld]:
    """The end of a workload, comparable, and the world that it ended in."""
    start, act = WORKLOADS[name]
    world = start()
    world.crash_at = crash_at
    act(world)
    world.run()
    statuses = {c.meta.name: cleaned(c.status.to_json()) for c in world.contracts}
    seen = without_times(world.client.raw_status) if world.client is not None else None
    slots = {version: wire for version, (wire, _) in world.slots.items()}
    roles = sorted(world.keys.texts) if world.keys is not None else None
    return (seen, statuses, slots, roles), world


@pytest.mark.parametrize("name", WORKLOADS)
def test_one_crash(name: str) -> None:
    """Fails when a step of a key's change is not found again after a crash right behind it, or a key works that no Secret holds."""
    expected, clean = outcome(name)
    assert clean.effects > 0
    for point in range(1, clean.effects + 1):
        got, world = outcome(name, frozenset({point}))
        assert got == expected, f"crash after effect {point} of {clean.done}"
        assert set(world.pushes) <= set(clean.pushes), f"crash after effect {point} pushed something else"
        assert world.made == clean.made, f"crash after effect {point} made another key"


@pytest.mark.parametrize("name", WORKLOADS)
def test_two_crashes(name: str) -> None:
    """Fails when the recovery itself can't be interrupted."""
    expected, clean = outcome(name)
    for pair in combinations(range(1, clean.effects + 4), 2):
        assert outcome(name, frozenset(pair))[0] == expected, f"crashes after effects {pair} of {clean.done}"


ENDS = {
    "rotate": ({"1.0.r"}, 2),
    "rotate-and-unregister": (set(), 1),
    "rotate-and-revoke": ({""}, 2),
    "rotate-in-an-overlap": ({""}, 3),
    "schedule": ({"1.0.r"}, 2),
    "revoke-key": ({""}, 2),
    "revoke-key-in-an-overlap": ({"1.0.r"}, 3),
    "edited": ({""}, 1),
    "delete-in-an-overlap": (set(), 2),
    "unregister-in-an-overlap": (set(), 2),
    "blocked-in-an-overlap": (set(), 2),
    "last-contract-off-in-an-overlap": (set(), 2),
    "wiped-in-an-overlap": ({"1.0.r"}, 2),
    "secret-lost": ({""}, 1),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_ends(name: str) -> None:
    """Fails when a workload ends under another identity, or with more keys made than were asked for."""
    _, world = outcome(name)
    assert (set(world.slots), world.made) == ENDS[name]


def test_a_block_that_came_halfway() -> None:
    """Fails when a crash between taking off the one key and the other leaves the other one working for a blocked Client."""
    world = in_overlap()
    world.blocked, world.exempt = True, True
    world.slots.pop(world.recorded().version)
    world.live, world.second, world.effected = {}, {}, {}
    world.run()
    assert world.slots == {}


def test_nothing_is_read_twice_at_rest() -> None:
    """Fails when a restart of a Client that has been rotated reads or writes more than once."""
    _, world = outcome("rotate")
    world.live, world.second, world.effected = {}, {}, {}
    world.done.clear()
    world.run()
    assert world.done == ["ReadLive"]
    assert world.second == {}


def test_writes_of_a_rotation() -> None:
    """Fails when a rotation costs more than its steps."""
    _, world = outcome("rotate")
    assert [name for name in world.done if name != "ReadLive"] == [
        "WriteStatus",
        "UpdateSecret",
        "PushKey",
        "WriteStatus",
        "UpdateSecret",
        "WriteStatus",
        "EndOverlap",
        "WriteStatus",
        "UpdateSecret",
    ]
