"""Hand-computed cases that pin the oracle itself."""

from collections import Counter
from itertools import count

from hypothesis import given, settings

from tests.oracle import Decision, Readings, decide
from tests.oracle.histories import START, histories, random_history
from tests.oracle.model import DAY, HOUR, MINUTE, RULES, Event

NUMBERS = count(1)
Short = tuple[int, int, str, str]


def event(kind: str, time: int, *products: str, **fields: object) -> Event:
    """An event of person `u` at `START + time`; products p1.. are of category c."""
    items = [{"product_id": product, "category": "c"} for product in products]
    made: Event = {"id": f"e{next(NUMBERS)}", "type": kind, "time": START + time, "user_id": "u"}
    return made | ({"items": items} if items else {}) | fields


def tick(time: int) -> Event:
    """A heartbeat, which moves the clock."""
    return {"id": f"tick{time}", "type": "heartbeat", "time": START + time}


def run(
    rule: str,
    *events: Event,
    lateness_ms: int = 0,
    assume_consent: bool = True,
    quiet_hours: bool = False,
    readings: Readings | None = None,
) -> list[Short]:
    """The decisions of one rule as (step, due since START, operation, reason)."""
    found = decide(
        list(events),
        rules={rule},
        lateness_ms=lateness_ms,
        assume_consent=assume_consent,
        quiet_hours=quiet_hours,
        readings=readings,
    )
    return [(one.step, one.due - START, one.operation, one.reason) for one in found]


def test_cart_has_three_steps_and_one_audience() -> None:
    """Steps 2 and 3 count from the decision of step 1, and only step 1 adds to the audience."""
    found = run("abandoned_cart", event("add", 0, "p1"), event("add", MINUTE, "p2"), tick(10 * DAY))
    due = 31 * MINUTE
    assert found == [
        (1, due, "send", ""),
        (1, due, "add", ""),
        (2, due + 24 * HOUR, "send", ""),
        (3, due + 72 * HOUR, "send", ""),
    ]


def test_cart_bought_after_a_send_is_recalled() -> None:
    """A purchase ends later steps, recalls what was sent in 7 d and leaves the audience."""
    found = run("abandoned_cart", event("add", 0, "p1"), event("purchase", HOUR, "p9"), tick(10 * DAY))
    assert found[2:] == [(1, HOUR, "recall", ""), (1, HOUR, "remove", "")]


def test_cart_emptied_leaves_nothing() -> None:
    """An episode that ends before it is due leaves no decision."""
    assert run("abandoned_cart", event("add", 0, "p1"), event("remove", MINUTE, "p1"), tick(DAY)) == []


def test_cart_due_at_the_time_of_the_purchase_is_sent() -> None:
    """A wait that ends at D is decided before events of time D."""
    found = run("abandoned_cart", event("add", 0, "p1"), event("purchase", 30 * MINUTE, "p1"))
    assert [operation for _, _, operation, _ in found] == ["send", "add", "recall", "remove"]


def test_purchase_known_early_closes() -> None:
    """A purchase that was read before the clock reached the due closes the step."""
    purchase = event("purchase", 31 * MINUTE, "p1")
    events = [event("add", 0, "p1"), purchase, tick(40 * MINUTE)]
    found = run("abandoned_cart", *events, lateness_ms=5 * MINUTE)
    assert found == [(1, 30 * MINUTE, "send", "closed"), (1, 30 * MINUTE, "add", "closed")]


def test_record_that_moves_the_clock_is_not_known() -> None:
    """The record that moves the clock to D comes after D."""
    events = [event("add", 0, "p1"), event("purchase", 36 * MINUTE, "p1")]
    found = run("abandoned_cart", *events, lateness_ms=5 * MINUTE)
    assert [(operation, reason) for _, _, operation, reason in found[:2]] == [("send", ""), ("add", "")]


def test_checkout_again_stops_within_a_day() -> None:
    """The second abandonment of one checkout within 24 h is stopped by `again`, exactly 24 h later not."""
    events = [event("checkout", 0), event("checkout", 2 * HOUR), event("checkout", 24 * HOUR), tick(2 * DAY)]
    assert run("abandoned_checkout", *events) == [
        (1, HOUR, "send", ""),
        (1, 3 * HOUR, "send", "again"),
        (1, 25 * HOUR, "send", ""),
    ]


def test_browse_needs_two_views() -> None:
    """One view is silent, two are decided an hour after the last one."""
    assert run("browse_abandonment", event("view", 0, "p1"), tick(DAY)) == []
    found = run("browse_abandonment", event("view", 0), event("view", MINUTE, "p1"), tick(DAY))
    assert found == [(1, 61 * MINUTE, "send", "")]


def test_repeated_view_counts_in_a_half_open_window() -> None:
    """A view exactly 24 h old is outside of the window, a millisecond less is inside."""
    first, second = event("view", 0, "p1"), event("view", HOUR, "p1")
    assert run("repeated_view", first, second, event("view", 24 * HOUR, "p1")) == []
    found = run("repeated_view", first, second, event("view", 24 * HOUR - 1, "p1"))
    assert found == [(1, 24 * HOUR - 1, "send", ""), (1, 24 * HOUR - 1, "add", "")]


def test_repeated_view_is_silent_for_what_is_in_a_cart() -> None:
    """A product in any cart is not counted."""
    views = [event("view", minute * MINUTE, "p1") for minute in range(1, 5)]
    assert run("repeated_view", event("add", 0, "p1", cart_id="k"), *views) == []


def test_choice_overload_is_blocked_by_an_add() -> None:
    """Four distinct products complete it; an `add` of the category in the 48 h blocks it."""
    views = [event("view", n * MINUTE, f"p{n}") for n in range(4)]
    assert run("choice_overload", *views) == [(1, 3 * MINUTE, "send", "")]
    assert run("choice_overload", event("add", 0, "p9"), *views) == []


def test_wishlist_reminder_ends_with_its_product() -> None:
    """Removing one product from the list leaves the reminder of the other."""
    events = [event("wishlist", 0, "p1", "p2"), event("wishlist_remove", DAY, "p1"), tick(4 * DAY)]
    found = decide(events, rules={"wishlist_reminder"})
    assert [(one.subject_id, one.due - START) for one in found] == [("p2", 3 * DAY)]


def test_first_purchase_is_decided_once() -> None:
    """A second event of the first order is stopped by `again`, the second order is silent."""
    orders = ("o1", "o1", "o2")
    events = [event("purchase", n * HOUR, "p1", order_id=order) for n, order in enumerate(orders)]
    assert run("first_purchase", *events) == [(1, 0, "send", ""), (1, HOUR, "send", "again")]


def test_review_request_counts_from_the_first_purchase() -> None:
    """It is a plain delay, ended by a refund of the same order only."""
    events = [
        event("purchase", 0, order_id="o1"),
        event("purchase", DAY, order_id="o1"),
        event("refund", DAY, order_id="o2"),
        tick(20 * DAY),
    ]
    assert run("review_request", *events) == [(1, 14 * DAY, "send", "")]
    assert run("review_request", *events[:2], event("refund", DAY, order_id="o1"), tick(20 * DAY)) == []


def test_win_back_needs_a_purchase() -> None:
    """Sixty days after the last event the person caused; opened mails do not count."""
    later = [event("page", DAY), event("email_open", 2 * DAY), tick(61 * DAY)]
    assert run("win_back", event("purchase", 0), *later) == [(1, 61 * DAY, "send", "")]
    assert run("win_back", event("view", 0), *later) == []


def test_ad_stage_moves_between_three_audiences() -> None:
    """The first stage adds; a change removes and adds; what lapses changes at the next event."""
    events = [
        event("view", 0, "p1"),
        event("add", HOUR, "p1"),
        event("purchase", DAY, "p1"),
        event("view", 10 * DAY, "p2"),
        event("page", 15 * DAY),
        event("page", 30 * DAY),
    ]
    found = decide(events, rules={"ad_stage"})
    assert [(one.due - START, one.operation, one.audience) for one in found] == [
        (0, "add", "viewed"),
        (HOUR, "remove", "viewed"),
        (HOUR, "add", "carted"),
        (DAY, "remove", "carted"),
        (DAY, "add", "bought"),
        (15 * DAY, "remove", "bought"),
        (15 * DAY, "add", "viewed"),
    ]


def test_caps_go_to_the_higher_priority() -> None:
    """Of four candidates at one instant the one of the lowest priority is capped."""
    events = [event("checkout", 0, checkout_id=name) for name in "abcd"]
    found = decide([*events, tick(DAY)], rules={"abandoned_checkout"})
    assert [(one.subject_id, one.reason) for one in found] == [("a", ""), ("b", ""), ("c", ""), ("d", "cap")]


def test_consent_and_reach_choose_the_channel() -> None:
    """The first channel that is allowed and reachable is taken."""
    denied = event("consent", 0, consent={"purpose": "marketing", "channel": "email", "state": "denied"})
    found = decide([denied, event("checkout", 0), tick(DAY)], rules={"abandoned_checkout"})
    assert [(one.channel, one.outcome) for one in found] == [("push", "sent")]
    assert run("abandoned_checkout", event("checkout", 0), tick(DAY), assume_consent=False) == [
        (1, HOUR, "send", "no_consent")
    ]
    unknown = {"id": "x", "type": "checkout", "time": START, "anonymous_id": "a"}
    assert run("abandoned_checkout", unknown, tick(DAY)) == [(1, HOUR, "send", "unreachable")]


def test_late_step_is_stale_and_shifts_the_rest() -> None:
    """A late `add` opens an episode whose step 1 is stale; step 2 counts from the clock."""
    found = run("abandoned_cart", tick(10 * HOUR), event("add", 0, "p1"), tick(40 * HOUR))
    assert found == [
        (1, 30 * MINUTE, "send", "stale"),
        (1, 30 * MINUTE, "add", "stale"),
        (2, 34 * HOUR, "send", ""),
    ]


def test_duplicates_change_nothing() -> None:
    """A repeated id is dropped, but moves the clock."""
    view = event("view", 0, "p1")
    again = view | {"time": START + HOUR}
    assert run("repeated_view", view, again, view) == []
    assert run("browse_abandonment", view, event("view", 0, "p2"), again) == [(1, HOUR, "send", "")]


def test_quiet_hours_defer_to_the_morning() -> None:
    """A message at 22:30 is judged anew at 08:00, and closed when its episode has ended by then."""
    events = [event("add", 22 * HOUR, "p1"), tick(33 * HOUR)]
    found = run("abandoned_cart", *events, quiet_hours=True)
    assert sorted(found) == [
        (1, 22 * HOUR + 30 * MINUTE, "add", ""),
        (1, 22 * HOUR + 30 * MINUTE, "send", ""),
    ]
    bought = event("purchase", 23 * HOUR, "p1")
    found = run("abandoned_cart", events[0], bought, events[1], quiet_hours=True)
    assert (1, 22 * HOUR + 30 * MINUTE, "send", "closed") in found


def test_readings_can_be_turned_round() -> None:
    """A late `add` after a known purchase opens nothing by default, and is sent by the other reading."""
    events = [event("purchase", 10 * MINUTE, "p1"), event("add", 5 * MINUTE, "p2"), tick(HOUR)]
    assert run("abandoned_cart", *events) == []
    other = Readings(late_touch_sees_past_endings=False)
    assert run("abandoned_cart", *events, readings=other)[0] == (1, 35 * MINUTE, "send", "")


def test_held_remove_that_empties_the_cart_closes() -> None:
    """A held `remove` of the last product is a known ending, one of two products is not."""
    for product, reason in (("p1", "closed"), ("p2", "")):
        events = [event("add", 0, "p1"), event("remove", 31 * MINUTE, product), tick(40 * MINUTE)]
        found = run("abandoned_cart", *events, lateness_ms=5 * MINUTE)
        assert found[0] == (1, 30 * MINUTE, "send", reason)


def sends_of(decisions: list[Decision]) -> list[Decision]:
    """The messages that went out."""
    return [one for one in decisions if one.outcome == "sent" and one.operation == "send"]


@settings(max_examples=50, deadline=None)
@given(histories())
def test_no_history_exceeds_the_caps(history: list[Event]) -> None:
    """In order, the due of a send is its time; no window of 24 h or 7 d holds too many, but for service."""
    decided = decide(sorted(history, key=lambda one: int(one["time"])))
    sent = [one for one in sends_of(decided) if RULES[one.rule].purpose == "marketing"]
    for one in sent:
        near = [o for o in sent if o.person == one.person and o.due <= one.due]
        assert len([o for o in near if o.due > one.due - DAY]) <= 3
        assert len([o for o in near if o.due > one.due - 7 * DAY]) <= 8


@settings(max_examples=50, deadline=None)
@given(histories(displaced_ms=20 * MINUTE))
def test_lateness_puts_displaced_events_in_order(history: list[Event]) -> None:
    """Rules without ending events decide as if the input were sorted by time."""
    rules = {"repeated_view", "choice_overload", "first_purchase", "win_back", "ad_stage"}
    in_order = sorted(history, key=lambda one: int(one["time"]))
    assert decide(history, rules=rules, lateness_ms=20 * MINUTE) == decide(in_order, rules=rules)


def test_random_histories_reach_every_rule_and_reason() -> None:
    """Bulk histories are worth comparing: every rule sends, and most gates stop something."""
    rules: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for seed in range(30):
        for one in decide(random_history(seed, 300, displaced_ms=HOUR, listed=True), lateness_ms=HOUR):
            rules[one.rule] += one.outcome == "sent"
            reasons[one.reason] += 1
        for one in decide(random_history(seed, 300, displaced_ms=3 * HOUR)):
            rules[one.rule] += one.outcome == "sent"
            reasons[one.reason] += 1
    assert set(rules) == set(RULES)
    assert min(rules.values()) > 0
    assert {"", "again", "cap", "closed", "no_consent", "stale", "unreachable"} <= set(reasons)
