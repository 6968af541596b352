"""What came of a case: what left, what was stopped, and what still waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from retarget.journeys import wire
from retarget.times import parse_time
from streams import topics
from streams.cases.model import NO_OFFER, Kind, worth
from streams.ports import Output

_OF_MESSAGE: Final[Mapping[str, Kind]] = {
    "send": "sent", "recall": "recalled", "add": "joined", "remove": "left",
}  # fmt: skip
Gates = Sequence[Mapping[str, Any]]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that came, in the words of an expectation; `gates` are those of its decision."""

    kind: Kind
    at: int
    name: str
    until: int | None = None
    step: int
    channel: str | None
    template: str | None = None
    offer: str = NO_OFFER
    good_until: int | None = None
    products: tuple[str, ...] = ()
    about: str
    rule: str
    gates: Gates = ()


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A step that waits: for silence, for its turn in the series, or for the morning."""

    due: int
    step: int
    about: str
    rule: str


def outcomes_of(outputs: Sequence[Output]) -> tuple[list[Outcome], list[str]]:
    """What came, in the order in which it did, and the sentences of events that no rule could judge."""
    said = [(output.topic, msgspec.json.decode(output.value)) for output in outputs]
    decisions = {one["decision_id"]: one for topic, one in said if topic == topics.DECISIONS}
    found: list[Outcome] = []
    dead: list[str] = []
    for topic, one in said:
        if topic == topics.DEAD:
            dead.append(f"{one['reason']}: {one.get('detail', '')}".rstrip(": "))
        elif topic == topics.DECISIONS:
            found += _stopped(one)
        else:
            found.append(_left(one, decisions.get(one["decision_id"], {})))
    return found, dead


def _stopped(one: Mapping[str, Any]) -> Iterator[Outcome]:
    if one["outcome"] == "sent":
        return
    put_off = one["outcome"] == "deferred"
    yield Outcome(
        kind="deferred" if put_off else "suppressed",
        at=parse_time(one["decided_at"]),
        name=one["reason"],
        until=parse_time(one["release"]) if put_off else None,
        step=one["step"],
        channel=one["channel"],
        about=one["subject"]["id"],
        rule=one["rule"],
        gates=one["gates"],
    )


def _left(one: Mapping[str, Any], decision: Mapping[str, Any]) -> Outcome:
    kind = _OF_MESSAGE[one["operation"]]
    return Outcome(
        kind=kind,
        at=parse_time(one["decided_at"]),
        name=one["audience"] if kind in ("joined", "left") else one["channel"],
        step=one["step"],
        channel=one["channel"],
        template=one["template"],
        offer=_worth(one["offer"]),
        good_until=parse_time(one["offer"]["expires_at"]) if one["offer"] else None,
        products=tuple(sorted(product["product_id"] for product in one["products"])),
        about=one["subject"]["id"],
        rule=one["rule"],
        gates=decision.get("gates", ()),
    )


def _worth(offer: Mapping[str, Any] | None) -> str:
    """What an offer is worth, as an expectation says it."""
    if not offer:
        return NO_OFFER
    unit = "%" if offer["kind"] == "percent" else offer["currency"]
    return worth(offer[offer["kind"]], unit)


def waits_of(stored: bytes | None) -> list[Wait]:
    """Every step that waits by a person's journey, as it is stored, by time."""
    if stored is None:
        return []
    journey = wire.decode(stored)
    found = [
        Wait(due=episode.due, step=episode.step, about=subject, rule=rule)
        for rule, episodes in journey.episodes.items()
        for subject, episode in episodes.items()
    ]
    found += [
        Wait(due=one.release, step=one.step, about=one.subject, rule=one.rule) for one in journey.deferred
    ]
    return sorted(found, key=lambda wait: (wait.due, wait.rule, wait.about, wait.step))
