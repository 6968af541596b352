"""What cannot be read of a word of consent is counted, and never allows more than was allowed before."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.engine import reach
from tests.core.shop import Shop, a_policy
from tests.factories import a_consent

_ODD: Final[tuple[object, ...]] = (5, 0, 1.5, True, False, [], ["email"], {}, {"a": 1})


@pytest.mark.parametrize("value", _ODD, ids=repr)
@pytest.mark.parametrize("field", ["purpose", "channel"])
def test_a_grant_of_unclear_extent_grants_nothing(field: str, value: object) -> None:
    """It is counted, and what was said before stays; a denial of unclear extent denies everything there."""
    shop = Shop([]).read(a_consent("granted", **{field: value}))
    assert (shop.lane.journeys["u1"].consents, shop.counts["ignored", "consent"]) == ({}, 1)
    shop.read(a_consent("denied", purpose="marketing", channel="email"))
    shop.read(a_consent("denied", **{"purpose": "marketing", "channel": "email"} | {field: value}))
    journey = shop.lane.journeys["u1"]
    wide = {"purpose": "*|email", "channel": "marketing|*"}[field]
    assert {key: word.granted for key, word in journey.consents.items()} == {
        "marketing|email": False,
        wide: False,
    }
    assert not reach.may_address(journey, "marketing", "email", a_policy())
    assert shop.counts["ignored", "consent"] == 2


@pytest.mark.parametrize("state", [*_ODD, "Granted", "yes", "withdrawn", "", None], ids=repr)
def test_a_state_that_is_not_known_is_a_no(state: Any) -> None:  # noqa: ANN401
    """Whoever has withdrawn in other words is not written to; it is counted."""
    shop = Shop([]).read(a_consent("granted"), a_consent(state))
    journey = shop.lane.journeys["u1"]
    assert not reach.may_address(journey, "marketing", "email", a_policy())
    assert (shop.dead, shop.counts["ignored", "consent"]) == ([], 1)
