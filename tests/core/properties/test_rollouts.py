"""What is tried in shadow changes nothing, and what is to be finished is, whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Rule
from retarget.rules.versions import version_of
from retarget.times import DAY, HOUR
from streams.lanes.rollout import NOTHING, Rollout
from tests.core.properties.test_promises import EAGER, assert_capped, inputs
from tests.core.properties.test_reloads import brief, patient
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import Event


def finishing(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules, each to finish what it opens."""
    said = (replace(rule, on_change="finish", version="") for rule in rules)
    return tuple(replace(rule, version=version_of(rule)) for rule in said)


PATIENT: Final = tuple(map(patient, shipped()))
NEW: Final = {
    "patient": PATIENT,
    "brief": tuple(map(brief, shipped())),
    "patient and eager": (*PATIENT, *EAGER),
    "eager": EAGER,
}
NAMES: Final = st.sampled_from(sorted(NEW))


def played(
    rules: Sequence[Rule], events: list[Event], lateness: int, rollout: Rollout = NOTHING, **policy: object
) -> Shop:
    """The events under these rules."""
    caps = {"push": (Cap(2, DAY),), "eager": (Cap(1, 2 * HOUR),)}
    shop = Shop(rules, a_policy(caps=caps, **policy), lateness=lateness, rollout=rollout).read(*events)
    return shop.until(end_of(events))


def end_of(events: list[Event]) -> int:
    """When everything that these events may begin has come to an end."""
    return max((event["time"] for event in events), default=0) + 40 * DAY


def told(shop: Shop) -> list[dict[str, Any]]:
    """The messages; what they show may be remembered for longer because a rule in shadow asks for it."""
    return [message | {"products": []} for message in shop.messages]


def live(shop: Shop) -> list[dict[str, Any]]:
    """The decisions that have an effect."""
    return [decision for decision in shop.decisions if not decision["shadow"]]


@given(inputs(), NAMES, st.booleans(), st.sampled_from([0, HOUR]), st.sampled_from([0, 6 * HOUR]))
@settings(max_examples=60)
def test_a_shadow_changes_nothing(
    given_: tuple[list[Event], int],
    new: str,
    sleeps: bool,  # noqa: FBT001
    window: int,
    silence: int,
) -> None:
    """Who is outside gets what they would get without the canary, and the new version is on record."""
    events, lateness = given_
    said: dict[str, Any] = {
        "quiet_hours": QuietHours(enabled=sleeps),
        "arbitration": window,
        "purchase_silence": silence,
    }
    alone = played(shipped(), events, lateness, **said)
    beside = played(shipped(), events, lateness, Rollout(canary=NEW[new], share=0.0), **said)
    assert (live(beside), told(beside), beside.dead) == (alone.decisions, told(alone), [])
    assert all(decision["message_id"] is None for decision in beside.decisions if decision["shadow"])


@given(inputs(), NAMES)
@settings(max_examples=40)
def test_inside_there_is_nothing_but_the_new_rules(given_: tuple[list[Event], int], new: str) -> None:
    """Who is in the canary gets exactly what the new rules alone would send."""
    events, lateness = given_
    alone = played(NEW[new], events, lateness)
    inside = played(shipped(), events, lateness, Rollout(canary=NEW[new], share=1.0))
    assert (inside.decisions, inside.messages) == (alone.decisions, alone.messages)


@given(inputs(), st.sampled_from(("patient", "brief")), st.booleans())
@settings(max_examples=60)
def test_what_is_open_is_finished_as_it_began(
    given_: tuple[list[Event], int],
    new: str,
    sleeps: bool,  # noqa: FBT001
) -> None:
    """Another version after the last event changes nothing of what is decided."""
    # A record of the catalogue of a time to come is held, and opens something later.
    events = [event for event in given_[0] if event["type"] != "catalogue"]
    first, hours = finishing(shipped()), QuietHours(enabled=sleeps)
    second = finishing(NEW[new])
    stays = Shop(first, a_policy(quiet_hours=hours)).read(*events)
    goes = stays.under(second, rollout=Rollout(former=first))
    before = len(stays.decisions), len(stays.messages)
    stays.until(end_of(events))
    goes.until(end_of(events))
    assert goes.dead == []
    assert goes.decisions == stays.decisions[before[0] :]
    assert goes.messages == stays.messages[before[1] :]


SETS: Final = {
    "shipped": shipped(),
    **NEW,
    "finishing": finishing(shipped()),
    "patient and finishing": finishing(PATIENT),
    "brief and finishing": finishing(NEW["brief"]),
}
PUBLISHED: Final = st.lists(
    st.tuples(st.integers(0, 120), st.sampled_from(sorted(SETS)), st.sampled_from([0.0, 0.5])), max_size=5
)


@given(inputs(), PUBLISHED, st.booleans())
@settings(max_examples=60)
def test_nothing_fails_or_comes_twice_whatever_is_published(
    given_: tuple[list[Event], int],
    published: list[tuple[int, str, float]],
    sleeps: bool,  # noqa: FBT001
) -> None:
    """Canaries and versions to be finished, one after the other: caps hold, ids differ, recalls are right."""
    events, lateness = given_
    caps = {"push": (Cap(2, DAY),), "eager": (Cap(1, 2 * HOUR),)}
    shop = Shop(shipped(), a_policy(caps=caps, quiet_hours=QuietHours(enabled=sleeps)), lateness=lateness)
    rules, former, read = shipped(), tuple[Rule, ...](), 0
    for place, name, share in sorted(published):
        shop.read(*events[read:place])
        read = max(read, place)
        former = (*former, *rules, *SETS[name])
        rollout = Rollout(former, SETS[name] if share else (), share)
        rules = rules if share else SETS[name]
        shop = goes_on(shop, shop.under(rules, lateness, rollout))
    shop.read(*events[read:]).until(end_of(events))
    assert shop.dead == []
    ids = [message["message_id"] for message in shop.messages]
    assert len(set(ids)) == len(ids)
    sent = {m["message_id"] for m in shop.messages if m["operation"] in ("send", "add")}
    assert all(m["recall_of"] in sent for m in shop.messages if m["operation"] in ("recall", "remove"))
    assert_capped(shop.sent(), 3, DAY)
    assert_capped([m for m in shop.sent() if m["channel"] == "push"], 2, DAY)
    told_of = [(d["decision_id"], d["outcome"] == "deferred") for d in shop.decisions]
    assert len(set(told_of)) == len(told_of)


def goes_on(before: Shop, after: Shop) -> Shop:
    """The lane under other rules, with what left before."""
    after.messages, after.decisions, after.dead = before.messages, before.decisions, before.dead
    return after
