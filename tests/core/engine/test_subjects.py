"""Subjects that events name themselves: the visit and what was searched for."""

from __future__ import annotations

from retarget.times import HOUR, MINUTE
from retarget.touchpoints import LONGEST_ID
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, a_view, an_event
from tests.oracle.model import queries_of

STEPS = [{"channels": ["onsite"], "template": "help"}]


def test_a_visit_is_counted_by_itself() -> None:
    """Views of one `session_id` count together, those without one for no visit."""
    rule = a_rule(
        rule="lost", subject="session", count={"of": "view", "at_least": 2, "within": "1h"}, steps=STEPS
    )
    shop = Shop([rule]).read(
        a_view(at=NOON, session_id="s1"),
        a_view(at=NOON, session_id="s2"),
        a_view(at=NOON),
        a_view(at=NOON + MINUTE),
        a_view(at=NOON + MINUTE, session_id="s1", items=[{"product_id": "p2"}]),
    )
    assert [(m["subject"]["kind"], m["subject"]["id"]) for m in shop.sent()] == [("session", "s1")]
    assert [p["product_id"] for p in shop.sent()[0]["products"]] == ["p2", "p1"]


def test_a_search_for_nothing_opens_nothing() -> None:
    """A query of space alone is none; around words space means nothing."""
    rule = a_rule(rule="asks", subject="query", quiet={"after": "1h", "opens": "search"}, steps=STEPS)
    shop = Shop([rule]).read(
        an_event("search", query="  "),
        an_event("search", query=" tent"),
        an_event("search", query="tent ", at=NOON + MINUTE),
        an_event("search"),
    )
    shop.until(NOON + 3 * HOUR)
    assert [(m["subject"]["id"], m["due"][11:16]) for m in shop.sent()] == [("tent", "13:01")]


def test_a_long_search_is_its_beginning() -> None:
    """As long as an id may be: texts that begin alike for so long are one subject, here and in the oracle."""
    rule = a_rule(rule="asks", subject="query", quiet={"after": "1h", "opens": "search"}, steps=STEPS)
    same = "x" * LONGEST_ID
    texts = [f" {same} tent", f"{same} lamp", f"{same[1:]} tent", f"y{same}"]
    events = [an_event("search", at=NOON + n, query=text) for n, text in enumerate(texts)]
    shop = Shop([rule]).read(*events).until(NOON + 3 * HOUR)
    expected = [same, same[1:], f"y{same[1:]}"]
    assert [m["subject"]["id"] for m in shop.sent()] == expected
    assert list(dict.fromkeys(text for event in events for text in queries_of(event))) == expected
