"""How long people are remembered of whom nothing is heard."""

from __future__ import annotations

import pytest

from retarget.times import DAY
from tests.core.lanes import Lanes
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, a_consent, a_view, an_add, an_event

CART = frozenset({"abandoned_cart"})
POLICY = a_policy(kept=60 * DAY, kept_anonymous=30 * DAY)


@pytest.mark.parametrize(("person", "days"), [("u1", 60), ("a1", 30)])
def test_who_is_known_longer_than_who_is_not(person: str, days: int) -> None:
    """From their last event on; whoever does something meanwhile stays."""
    shop = Shop(shipped(CART), POLICY).read(a_view(person=person), a_view(at=NOON + 20 * DAY, person=person))
    shop.until(NOON + (20 + days) * DAY - 1)
    assert person in shop.lane.journeys
    shop.until(NOON + (20 + days) * DAY + 3 * DAY)
    assert person not in shop.lane.journeys


def test_what_a_rule_waits_for_is_waited_for() -> None:
    """An open wait, as that of the win-back after 60 days, keeps an anonymous person so long."""
    shop = Shop(shipped(frozenset({"win_back"})), POLICY).read(a_view(person="a1"))
    shop.until(NOON + 59 * DAY)
    assert "a1" in shop.lane.journeys
    shop.until(NOON + 61 * DAY)
    assert "a1" not in shop.lane.journeys


def test_the_word_on_consent_outlives_it() -> None:
    """A no stays a no."""
    shop = Shop(shipped(CART), POLICY).read(a_consent("denied")).until(NOON + 100 * DAY)
    assert shop.lane.journeys["u1"].consents
    assert not shop.lane.journeys["u1"].recent


def test_a_device_leads_to_its_person_as_long_as_they_are_known() -> None:
    """Not only as long as it would have been remembered itself."""
    both = an_event("identify", at=NOON + 1, person="u1", anonymous_id="a1")
    lanes = Lanes(shipped(CART), POLICY).read(an_add("p1", person="a1"), both).cross()
    lanes.until(NOON + 50 * DAY)
    assert "a1" in lanes.lanes[0].redirects
    lanes.until(NOON + 100 * DAY)
    assert "a1" not in lanes.lanes[0].redirects
