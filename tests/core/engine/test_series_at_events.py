"""Rules by event with something that stays open: an ending ends the rest, as of any other rule."""

from __future__ import annotations

from typing import Any, Final

from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_purchase, a_view, an_event

MAIL: Final = {"channels": ["email"], "template": "t"}
ORDER: Final = {"order_id": "o1"}
REFUND: Final = {"unless": [{"event": "refund", "same": "subject"}]}


def thanks(**keys: Any) -> Rule:  # noqa: ANN401 - as its author would write them
    """A word at the purchase and one three days later, unless it is given back."""
    steps = [MAIL, {"after": "3d", **MAIL}]
    at = {} if "becomes" in keys else {"event": "purchase"}
    return a_rule(**{"rule": "thanks", "subject": "order", "steps": steps, **at, **REFUND, **keys})


def test_a_refund_ends_the_rest_of_a_series() -> None:
    """That of another order does not."""
    bought = [a_purchase("p1", at=NOON, order_id=order) for order in ("o1", "o2")]
    shop = Shop([thanks()]).read(*bought, an_event("refund", at=NOON + DAY, **ORDER)).until(NOON + 9 * DAY)
    mails = [(d["subject"]["id"], d["step"]) for d in shop.final() if d["operation"] == "send"]
    assert mails == [("o1", 1), ("o2", 1), ("o2", 2)]
    assert [d["subject"]["id"] for d in shop.final() if d["operation"] == "recall"] == ["o1"]


def test_a_refund_ends_an_audience() -> None:
    """Of a single step that joins one."""
    rule = thanks(steps=[{"audience": {"add": "bought", "expires": "30d"}}])
    shop = Shop([rule]).read(a_purchase("p1", at=NOON, **ORDER))
    assert [one.audience for one in shop.lane.journeys["u1"].audiences] == ["bought"]
    shop.read(an_event("refund", at=NOON + DAY, **ORDER))
    assert shop.lane.journeys["u1"].audiences == []


def test_a_late_event_begins_nothing_that_a_later_one_has_ended() -> None:
    """In order of time the series would be over."""
    shop = Shop([thanks()]).read(
        an_event("refund", at=NOON + HOUR, **ORDER), a_purchase("p1", at=NOON, **ORDER)
    )
    assert shop.until(NOON + 9 * DAY).outcomes() == []


def test_an_ending_that_is_held_closes_the_first_step() -> None:
    """It was read before the purchase counted."""
    shop = Shop([thanks()], a_policy(), lateness=10 * MINUTE)
    shop.read(a_purchase("p1", at=NOON, **ORDER), an_event("refund", at=NOON + MINUTE, **ORDER))
    shop.read(a_view(at=NOON + 10 * MINUTE)).until(NOON + 9 * DAY)
    assert shop.outcomes() == [(1, "closed")]


def test_an_ending_ends_the_series_of_a_state() -> None:
    """A rule by `becomes` has steps that wait, too."""
    steps = [MAIL, {"after": "1d", **MAIL}]
    rule = thanks(subject="person", steps=steps, unless=["chat"], becomes={"here": "true"})
    shop = Shop([rule]).read(a_view(at=NOON), an_event("chat", at=NOON + HOUR)).until(NOON + 9 * DAY)
    assert [d["step"] for d in shop.final() if d["operation"] == "send"] == [1]
