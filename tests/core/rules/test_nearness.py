"""Amounts compare as people reckon them, not as binary fractions come out; whole numbers as ever."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.journeys.model import Journey
from retarget.rules.conditions import Condition, parse_condition
from retarget.rules.expressions.nearness import TESTS, against, snapped
from retarget.rules.scene import Scene
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Touchpoint
from tests.factories import NOON

CENTS: Final = st.integers(1, 10_000_000)
SHARES: Final = st.integers(1, 100)
_SAYS: Final = {
    "==": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__",
}  # fmt: skip


@given(CENTS, CENTS, SHARES, st.sampled_from(sorted(_SAYS)))
def test_a_share_of_a_price_compares_as_on_paper(price: int, other: int, share: int, sign: str) -> None:
    """Down to the cent, up to 100,000: of any price, beside any other and beside the share itself."""
    exact = Fraction(price * share, 100)
    for cents in (Fraction(other), exact, exact + 1, exact - 1):
        wanted = getattr(cents, _SAYS[sign])(exact)
        one, limit = float(cents / 100), price / 100 * (share / 100)
        assert TESTS[sign](one, limit) is wanted
        test, beside = against(sign, limit)
        assert test(one, beside) is wanted
        assert getattr(snapped(one, limit), _SAYS[sign])(limit) is wanted


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70), st.sampled_from(sorted(_SAYS)))
def test_whole_numbers_compare_as_they_are(one: int, other: int, sign: str) -> None:
    """An id of twenty digits is not the next one."""
    for number in (one, other + 1):
        wanted = getattr(number, _SAYS[sign])(other)
        test, beside = against(sign, other)
        assert (TESTS[sign](number, other), test(number, beside)) == (wanted, wanted)


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("event.value <= 28.00 * 0.95", 26.60, True),
        ("event.value <= 18.90 * 0.9", 17.01, True),
        ("event.value < 18.90 * 0.9", 17.01, False),
        ("event.value * 0.9 >= 17.01", 18.90, True),
        ("event.value * 0.9 == 17.01", 18.90, True),
        ("event.value * 0.9 == 17.01", 18.91, False),
        ("event.value + 34.19 + 16.05 >= 100", 49.76, True),
        ("event.value * 0.9 >= event.value - 1.89", 18.90, True),
    ],
)
def test_conditions_compare_so(condition: str, value: float, *, holds: bool) -> None:
    """With numbers that are written down, and with those that are not."""
    found = parse_condition(condition, VOCABULARY, "person")
    assert isinstance(found, Condition)
    event = Touchpoint(id="e", type="purchase", user_id="u", time=NOON, value=value)
    scene = Scene(Journey(person="u"))
    scene.event, scene.at = event, NOON

    assert found.evaluate(scene) is holds
