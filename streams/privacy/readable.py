"""A journey as people read it: every field by its name, times as RFC 3339, nothing that is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from retarget.journeys import stages
from retarget.journeys.model import (
    Bid,
    CartLine,
    Chat,
    Consent,
    Deferred,
    Episode,
    Given,
    Journey,
    Membership,
    Offer,
    Paid,
    Product,
    Send,
    Session,
)
from retarget.journeys.repeats import remembered
from retarget.rules.tallies import width
from retarget.times import format_time
from streams.privacy.people import Kept, Person

# Of each record the fields that are moments; of `Journey` also those that hold moments by name.
TIMES: Final[Mapping[type, frozenset[str]]] = {
    CartLine: frozenset({"since"}),
    Offer: frozenset({"expires", "said"}),
    Product: frozenset({"seen", "viewed", "wished", "carted", "bought", "regarded", "priced"}),
    Episode: frozenset({"opened", "touched", "due", "decided", "began"}),
    Bid: frozenset({"due"}),
    Deferred: frozenset({"release", "due", "began"}),
    Send: frozenset({"at", "until", "leaves"}),
    Membership: frozenset({"since", "expires"}),
    Given: frozenset({"at", "expires"}),
    Consent: frozenset({"at", "refused"}),
    Session: frozenset({"started", "last"}),
    Paid: frozenset(),
    Chat: frozenset({"at"}),
    Journey: frozenset({"first", "last", "stage_until", "alarm", "tidied", "erased_at"}),
}
# Those whose whole numbers are none.
NUMBERS: Final[Mapping[type, frozenset[str]]] = {
    Episode: frozenset({"step", "year", "counts"}),
    Bid: frozenset({"priority"}),
    Deferred: frozenset({"step"}),
    Send: frozenset({"step"}),
    Given: frozenset({"step"}),
    Session: frozenset({"events"}),
    Journey: frozenset({"order_count", "stage", "orders"}),
}
# Money, told in whole units.
THOUSANDTHS: Final[Mapping[type, frozenset[str]]] = {
    Paid: frozenset({"gross", "back"}),
    Journey: frozenset({"spent"}),
}
MOMENTS_BY_NAME: Final = frozenset({"ended", "pauses", "joined", "used_codes"})
_WORDS: Final = {"moved": "is_since", "alarm": "looked_at_again", "tidied": "tidied_at"}
_INSIDE: Final = frozenset({"recent", "recent_marks", "earlier", "tallies", "marks", "moved", "stage", "key"})
# Of a device that several had: what tells when others signed in there, and were erased.
_OF_OTHERS: Final = ("last", "erased", "erased_at", "waits_until", "looked_at_again")
Plain = dict[str, Any]


def person_as_plain(person: Person, at: int, app: str) -> Plain:
    """All that is stored of a person at a moment (epoch ms) in the engine of that name."""
    return {
        "person": person.name,
        "ids": person.ids,
        "engine": app,
        "at": format_time(at),
        "stored": [_of(person.name, kept_as_plain(one)) for one in person.kept],
    }


def _of(person: str, told: Plain) -> Plain:
    """Of a device that was somebody else's too, only when it was this person's; where it is, its tokens."""
    owners = told.get("is_since", [])
    if not owners:
        return told
    theirs = [one for one in owners if one["person"] == person]
    left_out = set(_OF_OTHERS) if theirs != owners or "erased" in told else set[str]()
    left_out |= {"traits"} if owners[-1]["person"] != person else set()
    return {name: one for name, one in told.items() if name not in left_out} | {"is_since": theirs}


def kept_as_plain(kept: Kept) -> Plain:
    """One stored journey or redirect, with its wait."""
    wait = {} if kept.wait is None else {"waits_until": format_time(kept.wait)}
    return {"lane": kept.lane} | journey_as_plain(kept.journey) | wait


def journey_as_plain(journey: Journey) -> Plain:
    """A journey by the names of its fields."""
    said = {
        _WORDS.get(name, name): _plain(getattr(journey, name), name, Journey)
        for name in journey.__struct_fields__
        if name not in _INSIDE
    }
    said["stage"] = stages.STAGES[journey.stage] if journey.stage >= 0 else None
    said["is_since"] = _owners(journey.moved)
    said["events"] = [{"id": event, "time": format_time(time)} for event, time in _events(journey)]
    said["decided_last"] = {
        rule: {subject: _time(time) for subject, time in by_subject.items()}
        for rule, by_subject in journey.marks.items()
    }
    said["counted"] = {
        name: {subject: _tally(name, tally) for subject, tally in by_subject.items()}
        for name, by_subject in journey.tallies.items()
    }
    return {name: value for name, value in said.items() if value not in (None, "", [], {}, False)}


def _owners(moved: Sequence[tuple[int, str]]) -> list[Plain]:
    """Whose it is, since when, and until when where it went on."""
    ends = [{"until": format_time(since)} for since, _ in moved[1:]]
    told = [{"person": to, "since": format_time(since)} for since, to in moved]
    return [one | end for one, end in zip(told, [*ends, {}], strict=True)] if told else []


def _events(journey: Journey) -> list[tuple[str, int]]:
    return sorted([*journey.earlier.items(), *remembered(journey)], key=lambda pair: pair[1])


def _tally(name: str, tally: Sequence[Any]) -> list[Plain]:
    """The counted events of one subject; with the value where distinct ones, or sums, are counted."""
    wide = width(name)
    return [
        ({"value": tally[at]} if wide > 2 else {})  # noqa: PLR2004 - id and time
        | {"id": tally[at + wide - 2], "time": format_time(tally[at + wide - 1])}
        for at in range(0, len(tally), wide)
    ]


def _plain(value: Any, name: str, kind: type) -> Any:  # noqa: ANN401 - whatever JSON has
    if name in TIMES.get(kind, ()) and isinstance(value, int):
        return _time(value)
    if name in THOUSANDTHS.get(kind, ()):
        return {key: one / 1000 for key, one in value.items()} if isinstance(value, Mapping) else value / 1000
    if isinstance(value, msgspec.Struct | Bid):
        return _fields(value)
    if isinstance(value, Mapping):
        named = kind is Journey and name in MOMENTS_BY_NAME
        return {key: _time(one) if named else _plain(one, "", dict) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, "", list) for one in value]
    return value


def _fields(one: msgspec.Struct | Bid) -> Plain:
    names = one._fields if isinstance(one, Bid) else one.__struct_fields__
    told = {name: _plain(getattr(one, name), name, type(one)) for name in names}
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def _time(ms: int) -> str | None:
    return format_time(ms) if ms > 0 else None
