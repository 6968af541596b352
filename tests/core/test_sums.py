"""Sums that nothing shows in but the numbers."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget import sums

PRICES = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
FINE = st.floats(-1e9, 1e9)


@given(st.lists(st.one_of(PRICES, FINE)), st.randoms(use_true_random=False))
def test_a_total_is_the_nearest_number_in_any_order(numbers: list[float], order: random.Random) -> None:
    """As fractions tell it."""
    order.shuffle(numbers)
    assert sums.total(numbers) == float(sum(map(Fraction, numbers)))


@given(st.lists(PRICES), st.lists(PRICES))
def test_parts_are_added_and_taken_away_without_a_trace(some: list[float], others: list[float]) -> None:
    """What is left is the total of what is left."""
    all_of_them, gone = sums.parts([*some, *others]), sums.parts(some)
    assert all_of_them is not None
    assert gone is not None
    assert sums.of_parts(sum(all_of_them) - sum(gone)) == sums.total(others)


@pytest.mark.parametrize("odd", [1e-40, 1e300, -math.inf, math.nan, 5e-324])
def test_what_is_finer_or_larger_is_no_number_of_parts(odd: float) -> None:
    """Nor is what is no number."""
    assert sums.parts([9.99, odd]) is None


def test_what_no_number_can_tell_is_infinite_or_none() -> None:
    """Nothing is raised: conditions compare with it as with any number."""
    assert sums.total([1e308, 1e308]) == math.inf
    assert math.isnan(sums.total([math.inf, -math.inf]))
