"""The parts of the demo that judge and speak, without servers."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.decode import encode_touchpoint
from retarget.messages import Decision, GateRecord, Message, Subject
from retarget.times import HOUR, MINUTE, format_time, parse_time
from retarget.touchpoints import Item, Touchpoint
from streams.demo import words
from streams.demo.judge import comes_after_purchase
from streams.demo.lines import Line, Restraint, render
from streams.demo.tally import Tally
from streams.demo.witness import Witness

T0 = parse_time("2024-05-06T08:00:00Z")
LATENESS = 2_000
LAMP = Item(product_id="P-1", name="Lamp", price=20.5, quantity=2)


def witness_of(*events: Touchpoint) -> Witness:
    """A witness of one lane that has seen these."""
    witness = Witness(1, LATENESS)
    for event in events:
        witness.note(0, encode_touchpoint(event), 0.0)
    return witness


def event(nth: int, kind: str, minute: float, **fields: Any) -> Touchpoint:  # noqa: ANN401 - any field
    """The nth event of ann, so many minutes after the start."""
    return Touchpoint(id=f"e{nth}", type=kind, time=T0 + round(minute * MINUTE), user_id="ann", **fields)


def reminder(kind: str, subject: str, minute: int, **fields: Any) -> Message:  # noqa: ANN401 - any field
    """A message to ann that came due so many minutes after the start."""
    at = format_time(T0 + minute * MINUTE)
    return Message(
        message_id="m", decision_id="d", operation="send", channel="email", rule="r", rule_version="v",
        step=1, person="ann", subject=Subject(kind, subject), purpose="marketing", due=at, decided_at=at,
        priority=1, why="Because.", **fields,
    )  # fmt: skip


ADD = event(1, "add", 0, items=[LAMP], cart_id="c")
BUY = event(2, "purchase", 10, items=[LAMP], order_id="o")
MOVER = event(9, "page", 31)


@pytest.mark.parametrize(
    ("events", "guilty"),
    [
        ([ADD, BUY, MOVER], True),
        ([ADD, MOVER, BUY], False),
        ([ADD, MOVER], False),
        ([BUY, event(3, "add", 12, items=[LAMP], cart_id="c"), MOVER], False),
        ([BUY, ADD, MOVER], True),
    ],
    ids=["known", "not known yet", "none", "touched again since", "in another order"],
)
def test_reminder_of_a_cart_is_judged_by_what_stood_before_the_mover(
    events: list[Touchpoint], *, guilty: bool
) -> None:
    """A purchase counts when it stands before the clock's mover, and after the last touch."""
    found = comes_after_purchase(reminder("cart", "c", 30), 1e9, witness_of(*events))
    assert found == ("known" if guilty else None)


def test_reminder_of_a_product_minds_only_purchases_of_that_product() -> None:
    """Who bought the lamp may hear of the chair."""
    witness = witness_of(BUY, MOVER)
    assert comes_after_purchase(reminder("product", "P-1", 30), 1e9, witness)
    assert not comes_after_purchase(reminder("product", "P-2", 30), 1e9, witness)


def test_purchase_under_another_key_of_the_person_counts_once_it_had_time_to_arrive() -> None:
    """Ann touched the cart as a cookie; her purchase as ann was known long before."""
    touch = Touchpoint(id="e1", type="add", time=T0, anonymous_id="cookie", items=[LAMP], cart_id="c")
    joined = event(2, "identify", 5, anonymous_id="cookie")
    witness = witness_of(
        touch, joined, Touchpoint(id="e3", type="purchase", time=T0 + 10, user_id="ann"), MOVER
    )
    message = reminder("cart", "c", 30)
    message.person = "cookie"
    assert comes_after_purchase(message, 100.0, witness) == "of another id"
    assert not comes_after_purchase(message, 1.0, witness)


def test_reason_of_a_cart_counts_pieces_and_their_worth() -> None:
    """Two lamps at 20.50 are two things worth 41.00."""
    witness = witness_of(ADD)
    message = reminder("cart", "c", 30, products=[{"product_id": "P-1", "name": "Lamp", "price": 20.5}])
    evidence = witness.events(["e1"])
    assert words.reason(message, evidence, witness) == "left 2 things worth 41.00 in the cart 30 min ago"
    assert words.products(message, evidence) == "Lamp"


def test_reason_without_evidence_is_the_sentence_for_the_person() -> None:
    """What has been forgotten is not made up."""
    assert words.reason(reminder("cart", "c", 30), [], witness_of()) == "Because."


def stock(minute: int, pieces: int) -> Touchpoint:
    """What the shop tells of the lamp."""
    items = [Item(product_id="P-1", quantity=pieces)]
    return Touchpoint(id=f"s{minute}", type="stock_change", time=T0 + minute * MINUTE, items=items)


def test_what_the_shop_changed_is_told_with_figures() -> None:
    """From which price to which, that there is some again, or how few are left."""
    price = Touchpoint(
        id="p", type="price_change", time=T0 + 30 * MINUTE, items=[Item(product_id="P-1", price=15.5)]
    )
    few, none, back = stock(5, 3), stock(10, 0), stock(20, 12)
    witness = witness_of(few, none, back, price)
    seen = reminder("product", "P-1", 30, products=[{"product_id": "P-1", "price": 20.5}])
    told = {event.id: words.reason(seen, [event], witness) for event in (price, few, back)}
    assert told == {"p": "price fell from 20.50 to 15.50", "s5": "only 3 left", "s20": "back in stock"}
    unseen = reminder("product", "P-1", 30, products=[{"product_id": "P-1"}])
    assert words.reason(unseen, [price], witness) == "costs 15.50 now"


@pytest.mark.parametrize(
    ("reason", "gate", "said"),
    [
        ("no_consent", GateRecord("no_consent", [], "marketing"), "no consent for push"),
        ("again", GateRecord("again", T0 - HOUR * 3, 0), "heard of it 3 h ago"),
        ("quiet_hours", GateRecord("quiet_hours", 1, 2), "quiet hours there, waits until 20:00"),
        (
            "cap",
            GateRecord("cap", 3, {"count": 3, "within_ms": 24 * HOUR}),
            "has had 3 in 24 h, which is enough",
        ),
        ("new_gate", GateRecord("new_gate"), "new_gate"),
    ],
)
def test_gate_is_named_in_words(reason: str, gate: GateRecord, said: str) -> None:
    """Whoever was held back can see why; an unknown gate by its name."""
    decision = Decision(
        decision_id="d", rule="r", rule_version="v", step=1, person="ann", subject=Subject("cart", "c"),
        due=format_time(T0), decided_at=format_time(T0), outcome="suppressed", reason=reason, channel="push",
        release=format_time(T0 + 12 * HOUR), gates=[gate],
    )  # fmt: skip
    assert words.stopped(decision) == said


def test_pseudonyms_are_stable_and_nobody_shares_one() -> None:
    """Six thousand people, six thousand names."""
    names = words.Names()
    given = [names.of(f"person {number}") for number in range(6_000)]
    assert len(set(given)) == len(given)
    assert names.of("person 17") == given[17]


def test_same_message_id_twice_is_a_duplicate() -> None:
    """And a demo with one is not flawless."""
    tally = Tally()
    tally.message(reminder("cart", "c", 30), 1.0)
    assert tally.flawless
    tally.message(reminder("cart", "c", 30), 2.0)
    assert (tally.duplicates, tally.first_s, tally.flawless) == (1, 1.0, False)


def test_restraint_lets_a_few_at_once_and_then_by_its_rate() -> None:
    """Two at once, one a second."""
    now = [0.0]
    restraint = Restraint(1, 2, lambda: now[0])
    assert [restraint.lets() for _ in range(3)] == [True, True, False]
    now[0] = 1.0
    assert [restraint.lets() for _ in range(2)] == [True, False]


def test_narrow_line_leaves_the_rule_out() -> None:
    """The reason says what the rule is about."""
    line = Line(T0, "email", "abandoned_cart", "Amber Otter", "left 1 thing", "sent", "Lamp", "Because.")
    assert "abandoned_cart" in render(line, 140).plain
    assert render(line, 80).plain == "08:00  email       Amber Otter      left 1 thing: Lamp  “Because.”"
