"""`same: product`: an episode about something else, ended by an event about one of its products."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.engine.about import PRODUCTS_KEPT
from retarget.rules.model import Rule
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import HOUR, MINUTE
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, a_purchase, a_view, an_add, an_event, an_item

BOUGHT = [{"event": "purchase", "same": "product"}]
TALK = {"opens": "chat", "after": "1h"}


def left(**keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """An hour after the last view, to whoever has bought nothing of it."""
    return a_rule(**{
        "rule": "left", "subject": "person", "quiet": {"opens": "view", "after": "1h"}, "unless": BOUGHT,
        "steps": [{"channels": ["onsite"], "template": "a"}],
    } | keys)  # fmt: skip


def a_shop(*events: Event, lateness: int = 0, **keys: Any) -> Shop:  # noqa: ANN401 - see left
    """A shop with that rule, after these events."""
    return Shop([left(**keys)], lateness=lateness).read(*events)


def sent(shop: Shop) -> list[str]:
    """What was done to messages, in order."""
    return [str(m["operation"]) for m in shop.until(NOON + 9 * HOUR).messages]


def test_a_purchase_of_what_was_looked_at_ends_the_episode() -> None:
    """Of any of the products, not of the last one alone."""
    views = [a_view("p1", at=NOON), a_view("p2", at=NOON + MINUTE)]
    assert sent(a_shop(*views, a_purchase("p1", at=NOON + 2 * MINUTE))) == []
    assert sent(a_shop(*views, a_purchase("p2", at=NOON + 2 * MINUTE))) == []


def test_a_purchase_of_something_else_ends_nothing() -> None:
    """The person may buy bread and still think about the television."""
    assert sent(a_shop(a_view("p1", at=NOON), a_purchase("p9", at=NOON + MINUTE))) == ["send"]
    assert sent(a_shop(a_view("p1", at=NOON), an_event("purchase", at=NOON + MINUTE))) == ["send"]


def test_a_later_purchase_calls_the_message_back() -> None:
    """Also one of a product that the message shows although it was seen before the episode opened."""
    shop = a_shop(a_view("p1", at=NOON), a_view("p2", at=NOON + 2 * HOUR)).until(NOON + 4 * HOUR)
    assert [p["product_id"] for p in shop.messages[-1]["products"]] == ["p2", "p1"]
    shop.read(a_purchase("p9", at=NOON + 5 * HOUR))
    assert [m["operation"] for m in shop.messages] == ["send", "send"]
    shop.read(a_purchase("p1", at=NOON + 6 * HOUR))
    assert [m["operation"] for m in shop.messages] == ["send", "send", "recall", "recall"]


def test_only_what_is_about_the_product_ends() -> None:
    """The message about p1 is called back, the episode about p2 goes on."""
    steps = [{"channels": ["onsite"], "template": "a", "products": {"of": "view", "within": "1h", "most": 1}}]
    shop = a_shop(an_event("chat", at=NOON, items=[an_item("p1")]), quiet=TALK, steps=steps)
    shop.until(NOON + 2 * HOUR).read(an_event("chat", at=NOON + 2 * HOUR, items=[an_item("p2")]))
    shop.read(a_purchase("p1", at=NOON + 2 * HOUR + MINUTE))
    assert sent(shop) == ["send", "recall", "send"]


def test_a_purchase_that_is_read_but_held_counts_as_known() -> None:
    """Nobody is reminded of what they have already bought."""
    events = [a_view("p1", at=NOON), a_purchase("p1", at=NOON + HOUR + MINUTE)]
    shop = a_shop(*events, an_event("page", at=NOON + HOUR + 2 * MINUTE), lateness=2 * MINUTE)
    assert shop.outcomes() == [(1, "closed")]
    other = a_shop(events[0], a_purchase("p9", at=NOON + HOUR + MINUTE), lateness=2 * MINUTE)
    assert other.read(an_event("page", at=NOON + HOUR + 2 * MINUTE)).outcomes() == [(1, "sent")]


def test_a_late_touch_opens_nothing_about_what_has_been_bought_since() -> None:
    """The view comes after the purchase of it, which was later; of another product it opens as ever."""
    shop = a_shop(a_purchase("p1", at=NOON + MINUTE), a_view("p1", at=NOON), a_view("p2", at=NOON))
    assert list(shop.lane.journeys["u1"].episodes["left"]["u1"].about) == ["p2"]


def test_a_cart_is_about_what_is_in_it() -> None:
    """What was taken out again is nothing to the cart."""
    keys: dict[str, Any] = {
        "subject": "cart",
        "quiet": {"opens": "add", "touches": ["add", "remove"], "after": "1h"},
    }
    touches = [
        an_add("p1", at=NOON),
        an_add("p2", at=NOON),
        an_event("remove", at=NOON, items=[an_item("p1")]),
    ]
    assert sent(a_shop(*touches, a_purchase("p1", at=NOON + MINUTE), **keys)) == ["send"]
    assert sent(a_shop(*touches, a_purchase("p2", at=NOON + MINUTE), **keys)) == []


def test_an_order_is_about_what_is_in_it() -> None:
    """A plain delay after a purchase, ended by a refund of any of its products."""
    keys: dict[str, Any] = {
        "subject": "order", "quiet": {"opens": "purchase", "touches": [], "after": "1h"},
        "unless": [{"event": "refund", "same": "product"}],
    }  # fmt: skip
    bought = a_purchase("p1", at=NOON)
    assert sent(a_shop(bought, an_event("refund", at=NOON + MINUTE, items=[an_item("p1")]), **keys)) == []
    assert sent(a_shop(bought, an_event("refund", at=NOON + MINUTE, items=[an_item("p2")]), **keys)) == [
        "send"
    ]


def test_a_category_is_about_its_own_products() -> None:
    """What else the event names does not count."""
    seen = a_view(at=NOON, items=[an_item("p1", category="tv"), an_item("p2", category="hifi")])
    shop = a_shop(seen, a_purchase("p1", at=NOON + MINUTE), subject="category")
    assert [d["subject"]["id"] for d in shop.until(NOON + 9 * HOUR).decisions] == ["hifi"]


def test_for_a_rule_about_products_the_same_product_is_the_subject() -> None:
    """Both words say the same there."""
    views = [a_view("p1", at=NOON), a_view("p2", at=NOON)]
    shop = a_shop(*views, a_purchase("p1", at=NOON + MINUTE), subject="product")
    assert [d["subject"]["id"] for d in shop.until(NOON + 9 * HOUR).decisions] == ["p2"]


def test_a_count_starts_afresh_at_such_an_event_of_the_subject() -> None:
    """A count cannot tell the products apart, and what it led to is called back where it is about them."""
    rule = a_rule(
        rule="left", subject="person", count={"of": "view", "at_least": 2, "within": "1d"}, unless=BOUGHT,
        steps=[{"channels": ["onsite"], "template": "a"}],
    )  # fmt: skip
    shop = Shop([rule]).read(a_view("p1", at=NOON), a_purchase("p9", at=NOON + MINUTE))
    assert not shop.read(a_view("p2", at=NOON + 2 * MINUTE)).messages
    assert sent(shop.read(a_view("p1", at=NOON + 3 * MINUTE), a_purchase("p1", at=NOON + HOUR))) == [
        "send", "recall",
    ]  # fmt: skip


def test_a_long_visit_keeps_the_latest_products() -> None:
    """The journey stays small however much somebody looks at."""
    views = [a_view(f"p{n}", at=NOON + n) for n in range(PRODUCTS_KEPT + 10)]
    about = a_shop(*views).lane.journeys["u1"].episodes["left"]["u1"].about
    assert len(about) == PRODUCTS_KEPT
    assert about[0] == f"p{PRODUCTS_KEPT + 9}"


def test_other_rules_remember_no_products() -> None:
    """It costs nothing where no rule asks."""
    shop = a_shop(a_view("p1", at=NOON), unless=["purchase"])
    assert not shop.lane.journeys["u1"].episodes["left"]["u1"].about
    assert not shop.until(NOON + 2 * HOUR).lane.journeys["u1"].sends[0].about


@pytest.mark.parametrize("event", ["identify", "email_open"])
def test_what_never_names_a_product_is_refused(event: str) -> None:
    """Such an ending could never have an effect."""
    draft = {
        "rule": "r", "description": "d", "subject": "person", "quiet": TALK,
        "unless": [{"event": event, "same": "product"}], "steps": [{"channels": ["onsite"], "template": "a"}],
    }  # fmt: skip
    _, problems = read_rules([Document("a test", draft)], VOCABULARY)
    assert f"found {event}, which is never about a product" in str(problems)
