"""The shop's own touchpoints by name: `custom:NAME` wherever a rule names a touchpoint type."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.engine.policy import Policy
from retarget.rules.model import Rule
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, an_event

STEPS = [{"channels": ["onsite"], "template": "a"}]


def own(name: str, minute: int = 0, **fields: Any) -> Event:  # noqa: ANN401 - whatever an event has
    """A custom event of that name, minutes after noon."""
    return an_event("custom", name=name, at=NOON + minute * MINUTE, **fields)


def rule_of(**keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """A rule about persons with these keys."""
    return a_rule(**{"rule": "own", "subject": "person", "purpose": "service", "steps": STEPS} | keys)


def at_minutes(rule: Rule, *events: Event, policy: Policy | None = None) -> list[int]:
    """When something was sent, in minutes from noon on, until a day after the last event."""
    shop = Shop([rule], policy or a_policy()).read(*events)
    shop.until(max(event["time"] for event in events) + DAY)
    return [(send.at - NOON) // MINUTE for send in shop.lane.journeys["u1"].sends]


def test_an_event_is_one_of_its_name_alone() -> None:
    """Other names, names in other letters, and events of another type with that name are none."""
    rule = rule_of(event="custom:quiz done")
    events = [own("quiz done"), own("Quiz done", 1), own("quiz", 2), own("quiz done", 3)]
    view = an_event("view", name="quiz done", at=NOON + 4 * MINUTE, items=[{"product_id": "p"}])
    nameless = an_event("custom", at=NOON + 5 * MINUTE)

    assert at_minutes(rule, *events, view, nameless) == [0, 3]
    assert at_minutes(rule_of(event="custom"), *events, view, nameless) == [0, 1, 2, 3, 5]
    assert at_minutes(rule_of(event=["custom", "custom:quiz"]), *events, view, nameless) == [0, 1, 2, 3, 5]


def test_a_type_that_nobody_knows_is_a_name() -> None:
    """A producer's own type becomes `custom` with that name."""
    assert at_minutes(rule_of(event="custom:video_watched"), an_event("video_watched", at=NOON)) == [0]


def test_those_of_a_name_are_counted() -> None:
    """Two of one name within the window, exactly its length ago no more; others beside them do not count."""
    rule = rule_of(count={"of": "custom:quiz", "at_least": 2, "within": "1h"})
    found = at_minutes(
        rule, own("quiz"), own("other", 1), own("quiz", 60), own("other", 61), own("quiz", 119)
    )
    assert found == [119]


def test_a_wait_is_opened_touched_and_ended_by_name() -> None:
    """Any other of the shop's own is no touch, and no ending."""
    rule = rule_of(quiet={"after": "30m", "opens": "custom:begun"}, unless=["custom:done"])
    assert at_minutes(rule, own("begun"), own("other", 10), own("begun", 20), own("other", 40)) == [50]
    assert at_minutes(rule, own("begun"), own("done", 20)) == []
    assert at_minutes(rule_of(quiet={"after": "30m", "opens": "custom:begun"}, unless=["custom"]),
                      own("begun"), own("whatever", 20)) == []  # fmt: skip


def test_an_ending_of_a_name_takes_back_and_is_known_early() -> None:
    """What was sent is recalled; an ending that is read but still held closes what it would end."""
    rule = rule_of(quiet={"after": "30m", "opens": "custom:begun"}, unless=["custom:done"])
    shop = Shop([rule]).read(own("begun"), own("x", 40), own("done", 41), own("x", 42))
    assert [message["operation"] for message in shop.messages] == ["send", "recall"]

    early = Shop([rule], lateness=5 * MINUTE).read(own("begun"), own("done", 31), own("other", 35))
    assert [(one["outcome"], one["reason"]) for one in early.final()] == [("suppressed", "closed")]
    early = Shop([rule], lateness=5 * MINUTE).read(own("begun"), own("else", 31), own("other", 35))
    assert [one["outcome"] for one in early.final()] == ["sent"]


def test_a_count_starts_afresh_at_a_name() -> None:
    """An ending of one name forgets what was counted; another does not."""
    rule = rule_of(
        count={"of": "view", "at_least": 2, "within": "2h"},
        unless=[{"event": "custom:reset", "same": "subject"}],
    )
    views = [an_event("view", at=NOON + m * MINUTE, items=[{"product_id": "p"}]) for m in (0, 20)]
    assert at_minutes(rule, views[0], own("other", 10), views[1]) == [20]
    assert at_minutes(rule, views[0], own("reset", 10), views[1]) == []


@pytest.mark.parametrize(("between", "found"), [("other", [20]), ("stop", [])])
def test_a_sequence_goes_by_names(between: str, found: list[int]) -> None:
    """First one name, then another, without a third between."""
    sequence = {"first": "custom:begun", "then": "custom:done", "within": "1h", "without": "custom:stop"}
    rule = rule_of(sequence=sequence)
    assert at_minutes(rule, own("done"), own("begun", 1), own(between, 10), own("done", 20)) == found


def test_conditions_count_by_name() -> None:
    """Over windows and since the episode opened; `custom` counts those of every name."""
    rule = rule_of(
        quiet={"after": "30m", "opens": ["custom"]},
        **{"if": 'count("custom:a.b+c", within=hours(2)) == 2 and count("custom", within=hours(2)) == 3 '
                 'and since_opened("custom:a.b+c") == 2 and since_opened("custom") == 3'},
    )  # fmt: skip
    assert at_minutes(rule, own("a.b+c"), own("x", 1), own("a.b+c", 2)) == [32]
    assert at_minutes(rule, own("a.b+c"), own("x", 1), own("a-b+c", 2)) == []


def test_products_are_those_of_named_events() -> None:
    """What a message shows may come from the shop's own events, and distinct ones are counted."""
    steps = [{"channels": ["onsite"], "template": "a",
              "products": {"of": "custom:tried on", "within": "1d"}}]  # fmt: skip
    count = {"of": "custom:tried on", "distinct": "product", "at_least": 2, "within": "1d"}
    rule = rule_of(count=count, steps=steps)
    told = enumerate([("tried on", "p"), ("seen", "q"), ("tried on", "r")])
    events = [own(name, minute, items=[{"product_id": product}]) for minute, (name, product) in told]
    shop = Shop([rule]).read(*events).until(NOON + HOUR)
    assert [[one["product_id"] for one in message["products"]] for message in shop.sent()] == [["r", "p"]]


@pytest.mark.parametrize(("keys", "said"), [
    ({"event": "custom:"}, "unknown touchpoint type 'custom:'"),
    ({"event": "quiz_done"}, "unknown touchpoint type 'quiz_done'"),
    ({"event": "quiz_done"}, "; your own events are custom:NAME"),
    ({"event": "custom:cancer_test"}, "a word about health"),
    ({"event": "custom:opened on iPhone"}, "$.event: found custom:opened on iPhone, the class of a device"),
    ({"event": "view", "if": 'count("custom:ipad", within=hours(1)) > 0'}, "found custom:ipad, the class of"),
    ({"event": "custom:x", "if": 'count("custom:", within=hours(1)) > 0'}, "unknown types 'custom:'"),
    ({"sequence": {"first": "custom", "then": "custom:x", "within": "1h"}}, "which stands under first"),
    ({"count": {"of": "custom:x", "at_least": 2, "within": "1h"}, "unless": ["custom"]}, "which is counted"),
])  # fmt: skip
def test_mistakes_are_found(keys: dict[str, Any], said: str) -> None:
    """Empty names, types that are none, and what contradicts itself."""
    rule = {"rule": "own", "subject": "person", "steps": STEPS, **keys}
    _, problems = read_rules([Document("a test", rule)], VOCABULARY)
    assert any(said in problem for problem in problems), problems
