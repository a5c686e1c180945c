"""Who is asked to say that it waits for its heal: everybody behind a slow gateway, only a few while heals go quickly."""

from __future__ import annotations

from registrar.engine.heal_rate import FEW, MOST, HealRate


def heal(*counts: int, every: float = 5.0) -> HealRate:
    """A rate that saw these counts, one look after the other."""
    rate = HealRate()
    for number, count in enumerate(counts):
        rate.saw(count, now=number * every)
    return rate


def test_a_fast_gateway_is_not_held_up() -> None:
    """Fails when a reset that is over in half a minute has thousands of statuses written ahead of its heals."""
    rate = heal(10_000, 8_750, 7_500)
    assert rate.seconds_left(7_500) == 30
    assert rate.asked(7_500, healing=7_500, grace=10) == FEW


def test_everybody_says_so_behind_a_slow_gateway() -> None:
    """Fails when Clients that will wait for minutes go on looking registered."""
    rate = heal(10_000, 9_990, 9_980)
    assert rate.asked(80, healing=9_980, grace=10) == 80
    assert rate.asked(9_980, healing=9_980, grace=10) == MOST, "look after look, so that heals go on beside it"


def test_a_gateway_that_takes_nothing_is_a_slow_one() -> None:
    """Fails when no progress at all counts as fast, or before it is known."""
    assert heal(50, 50, 50).asked(50, healing=50, grace=10) == 50
    assert heal(50).asked(50, healing=50, grace=10) == 50
    assert heal().asked(50, healing=50, grace=10) == 50


def test_looks_in_quick_succession_do_not_spoil_the_rate() -> None:
    """Fails when two looks within a second make a rate of nothing or of everything."""
    rate = HealRate()
    rate.saw(1_000, now=0)
    rate.saw(999, now=0.1)
    assert rate.rate is None
    rate.saw(900, now=2.0)
    rate.saw(900, now=2.1)
    assert rate.rate == 50


def test_a_heal_that_slows_down_is_noticed() -> None:
    """Fails when a good start is believed for ever: half of what is known is from the last look."""
    rate = heal(10_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000)
    assert rate.seconds_left(5_000) > 60


def test_asking_is_not_what_makes_it_slow() -> None:
    """Fails when those who are asked hold up the heals, and so many are asked because of that: 10,000 heals took four minutes that take one."""
    rate = heal(10_000, 9_000, 8_000, 7_900, 7_800, 7_700)
    assert rate.seconds_left(7_700) > 60
    assert rate.asked(7_700, healing=7_700, grace=10) == FEW
    rate.saw(6_800, now=30)
    rate.saw(5_700, now=35)
    rate.saw(5_690, now=60)
    assert rate.asked(5_690, healing=5_690, grace=10) == FEW
    rate.saw(0, now=65)
    rate.saw(1_000, now=70)
    rate.saw(990, now=75)
    assert rate.asked(990, healing=990, grace=10) == MOST, "the best of another loss is no measure"


def test_a_new_loss_starts_anew() -> None:
    """Fails when a second reset makes a rate below zero, or the end of the first is taken for its speed."""
    rate = heal(100, 50, 80)
    assert rate.rate is None
    rate.saw(0, now=20)
    assert (rate.rate, rate.seconds_left(0)) == (None, float("inf"))
