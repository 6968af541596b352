"""`unless` with a condition: what it ends, and that nothing opens while it holds."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, a_profile, a_purchase, a_remove, a_view, an_add, an_event, an_item

MAIL: Final = {"channels": ["email"], "template": "t"}
BOUGHT: Final = "person.purchases >= 1"
TRIGGERS: Final[dict[str, dict[str, Any]]] = {
    "quiet": {"quiet": {"after": "1h", "opens": "view"}},
    "plain delay": {"quiet": {"after": "1h", "opens": "view", "touches": []}},
    "count": {"count": {"of": "view", "at_least": 2, "within": "1d"}},
    "sequence": {"sequence": {"first": "profile", "then": "view", "within": "1d"}},
    "event": {"event": "view"},
    "becomes": {"becomes": {"here": 'count("view", within=days(1)) >= 1'}},
    "date": {"date": {"trait": "day"}},
    "every year": {"date": {"trait": "day", "every": "year"}},
}


def tried(trigger: dict[str, Any], when: str = BOUGHT, **keys: Any) -> Rule:  # noqa: ANN401 - as authors write
    """Two steps that a condition keeps from people."""
    steps = [MAIL, {"after": "1d", **MAIL}]
    return a_rule(**{"rule": "tried", "subject": "person", "steps": steps, "unless": [{"when": when}]}
                  | trigger | keys)  # fmt: skip


def visits() -> list[Event]:
    """Two views, between which a day is told."""
    return [
        a_view(at=NOON), a_profile(at=NOON + MINUTE, day="2024-03-05"), a_view(at=NOON + 2 * MINUTE),
    ]  # fmt: skip


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_nothing_opens_while_the_condition_holds(trigger: str) -> None:
    """Whoever has bought hears nothing, by whichever trigger; everybody else does."""
    rule = tried(TRIGGERS[trigger])
    assert Shop([rule]).read(*visits()).until(NOON + 9 * DAY).outcomes() == [(1, "sent"), (2, "sent")]
    shop = Shop([rule]).read(a_purchase("p1", at=NOON - HOUR), *visits()).until(NOON + 9 * DAY)
    assert shop.outcomes() == []


def test_a_cart_that_is_still_small_is_not_waited_for() -> None:
    """It opens with the event at which the condition holds no longer, and is over when it holds again."""
    cart = {"quiet": {"after": "1h", "opens": "add"}}
    rule = tried(cart, "cart.value < 50", subject="cart", steps=[MAIL])
    small, dear = [an_item("p1", price=10)], [an_item("p2", price=60)]
    shop = Shop([rule]).read(an_add(items=small, at=NOON)).until(NOON + 2 * HOUR)
    assert shop.outcomes() == []
    shop.read(an_add(items=dear, at=NOON + 2 * HOUR)).until(NOON + 4 * HOUR)
    assert shop.outcomes() == [(1, "sent")]
    shop.read(an_add(items=dear, at=NOON + 4 * HOUR), a_remove("p2", at=NOON + 4 * HOUR + MINUTE))
    assert shop.until(NOON + 9 * DAY).outcomes() == [(1, "sent")]


def test_a_count_starts_afresh_while_the_condition_holds() -> None:
    """Also where it held only between two of the events that are counted."""
    count = {"count": {"of": "view", "at_least": 2, "within": "1d"}}
    rule = tried(count, "product.in_cart", subject="product", steps=[MAIL])
    shop = Shop([rule]).read(a_view("p1", at=NOON), an_add("p1", at=NOON + 1), a_remove("p1", at=NOON + 2))
    assert shop.read(a_view("p1", at=NOON + 3)).outcomes() == []
    assert shop.read(a_view("p1", at=NOON + 4)).outcomes() == [(1, "sent")]


def test_a_state_is_decided_once_the_condition_holds_no_longer() -> None:
    """It was not noted while nobody could hear of it."""
    rule = tried(TRIGGERS["becomes"], "carts.size > 0")
    shop = Shop([rule]).read(an_add("p1", at=NOON), a_view(at=NOON + 1))
    assert shop.outcomes() == []
    assert shop.read(a_remove("p1", at=NOON + 2)).outcomes() == [(1, "sent")]


def test_a_yearly_turn_comes_again_after_one_that_the_condition_kept_away() -> None:
    """The next year finds out anew."""
    rule = tried(TRIGGERS["every year"], 'count("chat", within=days(30)) >= 1', steps=[MAIL])
    shop = Shop([rule]).read(a_profile(at=NOON, day="2024-03-05"), an_event("chat", at=NOON + MINUTE))
    shop.read(an_event("page", at=NOON + 200 * DAY)).until(NOON + 380 * DAY)
    assert [d["due"][:4] for d in shop.final()] == ["2025"]


def test_a_date_that_is_told_while_the_condition_holds_is_not_waited_for() -> None:
    """Also where nothing happens until then that could end the wait."""
    shop = Shop([tried(TRIGGERS["date"])]).read(
        a_purchase("p1", at=NOON), a_profile(at=NOON, day="2024-03-05")
    )
    assert shop.until(NOON + 9 * DAY).outcomes() == []
