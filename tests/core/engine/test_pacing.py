"""Rates of channels: each lane paces its share by `not_before`, which delays and never drops."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, SECOND, format_time, parse_time
from streams.lanes import positions
from streams.lanes.bundle import bundle_of
from streams.lanes.positions import Positions
from streams.settings import load_settings
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_purchase, a_view

TEN_SECONDS: Final = {"email": 10 * SECOND * 1000}


def at_every_view(*channels: str, **keys: object) -> Rule:
    """A rule that writes at every view, on the first of the channels."""
    steps = [{"channels": list(channels or ("email",)), "template": "x"}]
    return a_rule(
        **{"rule": "every_view", "subject": "product", "event": "view", "description": "x", "steps": steps}
        | keys
    )


def moments(shop: Shop) -> list[int | None]:
    """When each message may leave, s after noon."""
    return [m["not_before"] and (parse_time(m["not_before"]) - NOON) // SECOND for m in shop.sent()]


def test_messages_of_one_moment_leave_one_after_the_other() -> None:
    """The first at once; each other one when the lane's share lets it go."""
    views = [a_view(at=NOON, person=f"u{n}") for n in range(4)]
    shop = Shop([at_every_view()], a_policy(pace=TEN_SECONDS)).read(*views, a_view(at=NOON + MINUTE))
    assert moments(shop) == [0, 10, 20, 30, 60]


def test_only_channels_with_a_rate_are_paced() -> None:
    """Others name no moment, and what goes out on them takes none."""
    rules = [at_every_view(priority=90), at_every_view("push", rule="pushed", priority=10)]
    shop = Shop(rules, a_policy(pace=TEN_SECONDS)).read(*(a_view(person=f"u{n}") for n in range(2)))
    assert [(m["channel"], m["not_before"]) for m in shop.sent()] == [
        ("email", format_time(NOON)), ("push", None),
        ("email", format_time(NOON + 10 * SECOND)), ("push", None),
    ]  # fmt: skip


def test_what_no_gate_lets_pass_takes_no_moment() -> None:
    """Capped messages leave no gap behind."""
    views = [a_view(f"p{n}", at=NOON) for n in range(9)]
    shop = Shop([at_every_view()], a_policy(pace=TEN_SECONDS)).read(*views, a_view(at=NOON, person="u2"))
    assert moments(shop) == [0, 10, 20, 30]


def test_a_recall_is_not_paced() -> None:
    """What takes a message back must not wait behind others."""
    rule = a_rule(
        rule="cart_left", subject="cart", description="x", quiet={"after": "1m", "opens": ["add"]},
        unless=["purchase"], steps=[{"channels": ["email"], "template": "x"}],
    )  # fmt: skip
    adds = [a_view(at=NOON, person=f"u{n}") | {"type": "add"} for n in range(9)]
    shop = Shop([rule], a_policy(pace=TEN_SECONDS)).read(*adds).until(NOON + MINUTE)
    shop.read(a_purchase(at=NOON + MINUTE + SECOND, person="u8"))
    assert [m["not_before"] for m in shop.sent(operation="recall")] == [None]
    assert moments(shop)[-1] == 60 + 80


def test_caps_count_a_message_when_it_leaves() -> None:
    """One that leaves an hour later fills the cap an hour longer; else two would come within its window."""
    policy = a_policy(pace={"email": HOUR * 1000}, caps_total=(Cap(1, 2 * HOUR),))
    views = [a_view(at=NOON, person="u2"), *(a_view(at=NOON + n * HOUR) for n in range(5))]
    shop = Shop([at_every_view()], policy).read(*views)
    assert [at and at // 3600 for at in moments(shop)] == [0, 1, 3]


def test_what_would_leave_at_night_waits_for_the_morning() -> None:
    """The queue is an hour long at half past eight: who would be woken is put off, and takes no moment."""
    policy = a_policy(pace={"email": 20 * MINUTE * 1000}, quiet_hours=QuietHours(spread=0))
    evening = NOON + 8 * HOUR + 30 * MINUTE
    shop = Shop([at_every_view()], policy).read(*(a_view(at=evening, person=f"u{n}") for n in range(4)))
    assert [d["reason"] for d in shop.decisions] == [None, None, "quiet_hours", "quiet_hours"]
    shop.until(NOON + DAY)
    assert [format_time(parse_time(m["not_before"]))[11:16] for m in shop.sent()] == [
        "20:30", "20:50", "08:00", "08:20",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "lanes", "pace"),
    [("600/1m", 8, 800_000), ("600/1m", 1, 100_000), ("7/1s", 1, 142_858), ("1/1h", 8, 8 * HOUR * 1000)],
)
def test_a_lane_has_its_share_of_the_rate(rate: str, lanes: int, pace: int) -> None:
    """Rate over partitions, rounded so that it is never more."""
    chosen = load_settings(overrides=[f"rates.email={rate}", f"kafka.partitions={lanes}", "rates.push=off"])
    assert bundle_of(chosen, [], ["t"]).policy.pace == {"email": pace}
    assert bundle_of(chosen, [], ["t"], lanes=0).policy.pace == {}


LOOKS: Final = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 40), st.sampled_from(["p1", "p2"])), max_size=40
).map(lambda looks: sorted(looks, key=lambda look: look[1]))


@given(
    LOOKS,
    st.integers(1, 5),
    st.sampled_from([SECOND + 1, 50 * MINUTE, 3 * HOUR]),
    st.lists(st.integers(0, 40)),
    st.booleans(),
)
@settings(max_examples=200)
def test_no_lane_exceeds_its_share(
    looks: list[tuple[int, int, str]],
    most: int,
    window: int,
    cuts: list[int],
    sleeps: bool,  # noqa: FBT001
) -> None:
    """In any window no more messages leave than the rate allows, none before it was decided, none at night.

    However the input is cut, and wherever the lane is taken over from what is stored: and none is lost.
    """
    chosen = load_settings(overrides=[f"rates.email={most}/{window}ms", "kafka.partitions=1"])
    pace = bundle_of(chosen, [], ["t"]).policy.pace
    caps: dict[str, Any] = {"caps_total": (), "caps": {}, "quiet_hours": QuietHours(enabled=sleeps, spread=0)}
    views = [
        a_view(product, at=NOON + 17 * minutes * MINUTE, person=f"u{who}") for who, minutes, product in looks
    ]
    whole = Shop([at_every_view()], a_policy(pace=pace, **caps)).read(*views)
    parts = Shop([at_every_view()], a_policy(pace=pace, **caps))

    def take_over() -> None:
        parts.through_the_store()
        parts.lane.paced = positions.decode(positions.encode(Positions(paced=parts.lane.paced))).paced

    parts.between = take_over
    parts.read(*views, cuts=cuts)
    assert (parts.messages, parts.decisions) == (whole.messages, whole.decisions)
    freely = Shop([at_every_view()], a_policy(**caps)).read(*views).until(NOON + 30 * DAY)
    whole.until(NOON + 30 * DAY)
    leaving = sorted(parse_time(m["not_before"]) for m in whole.sent())
    for at in leaving:
        assert len([t for t in leaving if at - window < t <= at]) <= most
    assert all(m["not_before"] >= m["decided_at"] for m in whole.sent())
    assert {m["message_id"] for m in whole.sent()} == {m["message_id"] for m in freely.sent()}
    if sleeps:
        assert all(8 <= datetime.fromtimestamp(at / 1000, tz=UTC).hour < 21 for at in leaving)


@given(LOOKS, st.sampled_from([1, 2]), st.sampled_from([HOUR, 5 * HOUR]), st.sampled_from([MINUTE, 3 * HOUR]))
def test_caps_hold_for_the_moments_at_which_messages_leave(
    looks: list[tuple[int, int, str]], most: int, window: int, distance: int
) -> None:
    """Nobody gets more than a cap allows in any window of moments that a rate has given away."""
    views = [a_view(p, at=NOON + 17 * minutes * MINUTE, person=f"u{who}") for who, minutes, p in looks]
    rule = at_every_view(over_cap="defer", expires="3d")
    policy = a_policy(pace={"email": distance * 1000}, caps_total=(Cap(most, window),))
    shop = Shop([rule], policy).read(*views).until(NOON + 9 * DAY)
    leaving = defaultdict(list)
    for message in shop.sent():
        leaving[message["person"]].append(parse_time(message["not_before"]))
    for times in leaving.values():
        for at in times:
            assert len([t for t in times if at - window < t <= at]) <= most
