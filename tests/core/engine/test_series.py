"""Episodes over time: series of steps, deferrals over the night, endings, recalls and audiences."""

from __future__ import annotations

from typing import Final

from retarget.engine.policy import QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import (
    NOON,
    Event,
    a_cart,
    a_checkout,
    a_consent,
    a_purchase,
    a_remove,
    a_view,
    a_wish,
    an_add,
    an_event,
)

CART: Final = shipped(frozenset({"abandoned_cart"}))
NIGHT: Final = QuietHours(spread=1)
EVENING: Final = NOON + 9 * HOUR  # 21:00, when the night begins
MORNING: Final = NOON + 20 * HOUR  # 08:00


def a_shop(*events: Event, **policy: object) -> Shop:
    """The shop with the abandoned cart alone, after these events."""
    return Shop(CART, a_policy(**policy)).read(*events)


def dues(shop: Shop) -> list[int]:
    """When each message was due, from noon on."""
    return [parse_time(d["due"]) - NOON for d in shop.final() if d["operation"] == "send"]


def test_later_steps_count_from_the_decision_of_the_first() -> None:
    """30 min after the last touch, and 24 h and 72 h after that; then the episode is over."""
    shop = a_shop(an_add(at=NOON), an_add("p2", at=NOON + 10 * MINUTE)).until(NOON + 30 * DAY)
    first = 40 * MINUTE
    assert dues(shop) == [first, first + 24 * HOUR, first + 72 * HOUR]
    assert shop.outcomes() == [(1, "sent"), (2, "sent"), (3, "sent")]
    assert [m["template"] for m in shop.sent()] == [f"cart-reminder-{n}" for n in (1, 2, 3)]
    assert not shop.lane.journeys["u1"].episodes


def test_touches_change_what_later_steps_say_and_not_when() -> None:
    """While step 2 waits, another product in the cart is in its message, at the same time."""
    shop = a_shop(an_add("p1", at=NOON), an_add("p2", at=NOON + 2 * HOUR)).until(NOON + 30 * DAY)
    assert dues(shop) == [30 * MINUTE, 30 * MINUTE + 24 * HOUR, 30 * MINUTE + 72 * HOUR]
    assert [[p["product_id"] for p in m["products"]] for m in shop.sent()] == [
        ["p1"],
        ["p1", "p2"],
        ["p1", "p2"],
    ]


def test_a_step_that_another_gate_stops_does_not_stop_the_series() -> None:
    """Without consent at step 1, with it at step 2: the rest of the series is sent."""
    shop = a_shop(an_add(at=NOON), a_consent("granted", at=NOON + HOUR), consent_assumed=False)
    assert shop.until(NOON + 30 * DAY).outcomes() == [(1, "no_consent"), (2, "sent"), (3, "sent")]


def test_again_ends_the_episode() -> None:
    """A second cart within 24 h has one record, and no steps 2 and 3 of its own."""
    bought = a_purchase("p1", at=NOON + HOUR, order_id="o1")
    shop = a_shop(an_add(at=NOON), bought, an_add(at=NOON + 2 * HOUR)).until(NOON + 30 * DAY)
    assert shop.outcomes() == [(1, "sent"), (1, "again")]


def test_after_an_outage_nobody_gets_three_reminders_at_once() -> None:
    """Step 1, due three days ago, is stale; the later ones keep their distance from now on."""
    back = NOON + 3 * DAY
    shop = Shop(CART, a_policy(), now=back).read(an_add(at=NOON)).until(back)
    assert shop.outcomes() == [(1, "stale")]
    delay = back - (NOON + 30 * MINUTE)
    shop.now = back + DAY
    shop.until(back + DAY)
    shop.now = back + 3 * DAY
    shop.until(back + 3 * DAY)
    assert dues(shop) == [30 * MINUTE, 30 * MINUTE + DAY + delay, 30 * MINUTE + 3 * DAY + delay]
    assert shop.outcomes() == [(1, "stale"), (2, "sent"), (3, "sent")]


def test_the_delay_shifts_the_series_also_when_another_gate_stopped_the_step() -> None:
    """A late step without consent moves the later ones as a stale one does."""
    back = NOON + 3 * DAY
    shop = Shop(CART, a_policy(consent_assumed=False), now=back).read(an_add(at=NOON)).until(back)
    assert shop.outcomes() == [(1, "no_consent")]
    (episode,) = shop.lane.journeys["u1"].episodes["abandoned_cart"].values()
    assert episode.due == back + DAY


def test_one_that_ends_before_it_is_due_leaves_no_record() -> None:
    """Bought, paid for, or emptied in time: silence."""
    for ending in (
        a_purchase(at=NOON + MINUTE),
        a_checkout(at=NOON + MINUTE),
        a_remove("p1", at=NOON + MINUTE),
        a_cart(at=NOON + MINUTE),
    ):
        shop = a_shop(an_add(at=NOON), ending).until(NOON + 30 * DAY)
        assert not shop.decisions
        assert not shop.lane.journeys["u1"].episodes


def test_an_ending_that_is_read_but_held_closes() -> None:
    """What was known when the clock came to the due: the record says `closed`, and no message goes out."""
    shop = Shop(CART, a_policy(), lateness=10 * MINUTE)
    shop.read(an_add(at=NOON), a_purchase("p1", at=NOON + 35 * MINUTE), a_view(at=NOON + HOUR))
    assert shop.outcomes() == [(1, "closed")]
    assert not shop.messages


def test_copies_of_a_held_event_count_once_when_the_cart_is_played_ahead() -> None:
    """An `add` that was sent twice is not twice in the cart: taking it out once empties it."""
    shop = Shop(CART, a_policy(), lateness=20 * MINUTE)
    again = an_add("p1", at=NOON + 31 * MINUTE, id="twice")
    out = an_event("remove", at=NOON + 33 * MINUTE, items=[{"product_id": "p1", "quantity": 2}])
    shop.read(an_add("p1", at=NOON), again, again | {"time": again["time"] + SECOND}, out)
    shop.read(a_view(at=NOON + 50 * MINUTE))
    assert shop.outcomes() == [(1, "closed")]


def test_a_late_touch_sees_what_has_ended_since() -> None:
    """An `add` that comes after the later purchase opens nothing: that purchase is known."""
    shop = a_shop(a_purchase("p9", at=NOON + 10 * MINUTE), an_add("p1", at=NOON))
    assert shop.counts["late",] == 1
    assert not shop.until(NOON + 30 * DAY).decisions
    wishes = Shop(shipped(frozenset({"wishlist_reminder"})))
    wishes.read(an_event("wishlist_remove", at=NOON + 1, items=[{"product_id": "p1"}]), a_wish("p1", "p2"))
    assert [d["subject"]["id"] for d in wishes.until(NOON + 30 * DAY).decisions] == ["p2"]


def test_a_late_add_does_not_put_back_what_was_bought() -> None:
    """The cart stays as the later purchase left it."""
    shop = a_shop(a_purchase("p1", at=NOON + MINUTE), an_add("p1", at=NOON))
    assert not shop.lane.journeys["u1"].carts


def test_an_ending_after_the_send_recalls_it_once() -> None:
    """Within seven days each message is called back on its channel, and counted as regretted or not."""
    shop = a_shop(an_add(at=NOON)).until(NOON + HOUR)
    shop.read(a_purchase("p1", at=NOON + 2 * HOUR), a_purchase("p1", at=NOON + 3 * HOUR))
    (sent,), (recall,) = shop.sent(), shop.sent(operation="recall")
    assert (recall["recall_of"], recall["channel"]) == (sent["message_id"], sent["channel"])
    assert shop.counts["recall", "abandoned_cart", "push", "in time"] == 1
    (left,) = shop.sent(operation="remove")
    assert left["audience"] == "cart-left"
    assert not shop.lane.journeys["u1"].audiences


def test_a_send_is_regretted_when_the_ending_was_earlier() -> None:
    """A purchase that arrives late and lies before the send: nobody could know, but it is counted."""
    shop = a_shop(an_add(at=NOON)).until(NOON + HOUR).read(a_purchase("p1", at=NOON + 20 * MINUTE))
    assert len(shop.sent(operation="recall")) == 1
    assert [d["regretted"] for d in shop.decisions if d["operation"] == "recall"] == [True]


def test_nothing_is_recalled_that_is_worth_nothing_any_more() -> None:
    """Seven days after the send, or past the message's own expiry, a recall would reach nobody."""

    def recalled(after: int, **keys: object) -> int:
        rule = a_rule(
            **{
                "rule": "x", "subject": "person", "quiet": {"after": "30m", "opens": ["add"]}, "again": "0s",
                "unless": ["purchase"], "description": "x",
                "steps": [{"channels": ["email"], "template": "x"}],
            }
            | keys
        )  # fmt: skip
        shop = Shop([rule]).read(an_add(at=NOON - 30 * MINUTE)).until(NOON)
        return len(shop.read(a_purchase(at=NOON + after)).sent(operation="recall"))

    assert (recalled(7 * DAY - 1), recalled(7 * DAY)) == (1, 0)
    assert (recalled(HOUR - 1, expires="1h"), recalled(HOUR, expires="1h")) == (1, 0)


def test_a_deferred_message_has_two_records_of_one_id() -> None:
    """In the evening `deferred` with its release, in the morning the final record and the message."""
    shop = a_shop(an_add(at=EVENING), quiet_hours=NIGHT).until(MORNING - 1)
    (deferred,) = [d for d in shop.decisions if d["outcome"] == "deferred"]
    assert (deferred["reason"], parse_time(deferred["release"])) == ("quiet_hours", MORNING)
    assert not shop.sent()
    (final,) = [d for d in shop.until(MORNING).final() if d["operation"] == "send"]
    assert final["decision_id"] == deferred["decision_id"]
    assert (final["outcome"], final["due"]) == ("sent", deferred["due"])
    (sent,) = shop.sent()
    assert parse_time(sent["decided_at"]) == MORNING


def test_whoever_buys_in_the_night_is_not_reminded_in_the_morning() -> None:
    """A deferred message whose episode has ended is closed at its release."""
    bought = a_purchase("p1", at=EVENING + 2 * HOUR)
    shop = a_shop(an_add(at=EVENING), bought, quiet_hours=NIGHT).until(MORNING)
    assert shop.outcomes() == [(1, "closed")]
    assert not shop.sent()


def test_a_release_looks_at_consent_and_caps_anew() -> None:
    """Who says no in the night gets nothing in the morning, and a night's messages keep to the caps."""
    said_no = a_consent("denied", at=EVENING + 2 * HOUR)
    shop = a_shop(an_add(at=EVENING), said_no, quiet_hours=NIGHT).until(MORNING)
    assert shop.outcomes() == [(1, "no_consent")]
    carts = [an_add(at=EVENING, cart_id=f"k{n}") for n in range(5)]
    many = a_shop(*carts, quiet_hours=NIGHT).until(MORNING)
    assert sorted(reason for _, reason in many.outcomes()) == ["cap", "cap", "sent", "sent", "sent"]


def test_audiences_do_not_sleep() -> None:
    """Joining an ad audience disturbs nobody: it happens at the due."""
    shop = a_shop(an_add(at=EVENING), quiet_hours=NIGHT).until(EVENING + HOUR)
    assert [m["audience"] for m in shop.sent(operation="add")] == ["cart-left"]


def test_rules_decided_at_one_moment_go_by_priority() -> None:
    """The higher priority comes first, and so gets what the caps leave."""

    def rule(name: str, priority: int) -> Rule:
        steps = [{"channels": ["email"], "template": "x"}]
        return a_rule(
            rule=name, subject="person", event="view", priority=priority, steps=steps, description="x"
        )

    shop = Shop([rule(f"r{n}", n * 10) for n in range(5)]).read(a_view())
    assert [(d["rule"], d["outcome"]) for d in shop.decisions] == [
        ("r4", "sent"), ("r3", "sent"), ("r2", "sent"), ("r1", "suppressed"), ("r0", "suppressed"),
    ]  # fmt: skip


def test_steps_may_wait_for_a_condition() -> None:
    """A step whose condition does not hold is left out silently, and the series goes on."""
    rule = a_rule(
        rule="series", subject="cart", quiet={"after": "30m", "opens": ["add"]}, description="x",
        steps=[
            {"channels": ["email"], "template": "one"},
            {"after": "1h", "channels": ["email"], "template": "two", "if": "cart.size >= 2"},
            {"after": "2h", "channels": ["email"], "template": "three"},
        ],
    )  # fmt: skip
    shop = Shop([rule]).read(an_add(at=NOON)).until(NOON + DAY)
    assert [m["template"] for m in shop.sent()] == ["one", "three"]


def a_series(first: str, **keys: object) -> Rule:
    """Two reminders of a cart, the first of which has a condition of its own."""
    steps = [
        {"channels": ["push"], "template": "one", "if": first},
        {"after": "4h", "channels": ["email"], "template": "two"},
    ]
    cart = {"rule": "series", "subject": "cart", "quiet": {"after": "1h", "opens": ["add"]}}
    given = {**cart, "steps": steps, **keys}
    return a_rule(**{key: value for key, value in given.items() if value is not None})


def test_a_first_step_that_is_left_out_begins_the_series_all_the_same() -> None:
    """The second comes when it would have come; `again` counts from where the first would have been."""
    shop = Shop([a_series("cart.size >= 2", again="1d")]).read(an_add(at=NOON)).until(NOON + 20 * HOUR)
    assert (shop.outcomes(), dues(shop)) == ([(2, "sent")], [5 * HOUR])
    shop.read(an_add("p2", at=NOON + 20 * HOUR)).until(NOON + 23 * HOUR)
    assert shop.outcomes() == [(2, "sent"), (1, "again")]
    shop.read(an_add("p3", at=NOON + 24 * HOUR)).until(NOON + 2 * DAY)
    assert shop.outcomes() == [(2, "sent"), (1, "again"), (1, "sent"), (2, "sent")]


def test_again_ends_a_series_whose_first_step_is_left_out() -> None:
    """Silently: there is no candidate that it could stop."""
    shop = Shop([a_series("cart.size >= 3", again="1d")]).read(an_add(at=NOON)).until(NOON + 6 * HOUR)
    shop.read(an_add("p2", at=NOON + 6 * HOUR)).until(NOON + 3 * DAY)
    assert shop.outcomes() == [(2, "sent")]
    assert not shop.lane.journeys["u1"].episodes


def test_a_condition_of_the_rule_ends_the_series() -> None:
    """What the rule itself asks for is asked for all of its steps."""
    shop = Shop([a_series("cart.size >= 1", **{"if": "cart.size >= 2"})]).read(an_add(at=NOON))
    assert shop.until(NOON + 3 * DAY).outcomes() == []


def test_a_first_step_at_an_event_may_be_left_out() -> None:
    """What an event completes goes on alike; a single step that is left out is no beginning of anything."""
    at_a_view = {"subject": "person", "quiet": None, "event": "view", "again": "7d"}
    shop = Shop([a_series('event.source == "x"', **at_a_view)]).read(a_view(at=NOON)).until(NOON + DAY)
    assert (shop.outcomes(), dues(shop)) == ([(2, "sent")], [4 * HOUR])
    single = [{"channels": ["push"], "template": "one", "if": 'event.source == "x"'}]
    shop = Shop([a_series("", **at_a_view, steps=single)])
    shop.read(a_view(at=NOON), a_view(at=NOON + HOUR, source="x"))
    assert shop.outcomes() == [(1, "sent")]


def test_an_ending_that_is_held_comes_before_again() -> None:
    """A first step that is left out where it would have been `closed` counts for nothing either."""
    rule = a_series("cart.size >= 2", again="1d", unless=["chat"])
    shop = Shop([rule], a_policy(), lateness=10 * MINUTE)
    shop.read(an_add(at=NOON), an_event("chat", at=NOON + 61 * MINUTE))
    shop.read(an_event("page", at=NOON + 71 * MINUTE))
    shop.read(an_add("p2", at=NOON + 2 * HOUR)).until(NOON + DAY)
    assert shop.outcomes() == [(1, "sent"), (2, "sent")]
