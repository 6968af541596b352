"""Parts of rules in plain words, for people who read what a change of rules means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from retarget.rules.conditions import Condition, Formula
from retarget.rules.model import (
    NEVER,
    Audience,
    Becomes,
    Count,
    Ending,
    Event,
    Offer,
    OnChange,
    Quiet,
    Rule,
    Step,
    SubjectKind,
)
from retarget.times import DAY, HOUR, MINUTE, format_duration


def span(ms: int) -> str:
    """A duration as one says it: `30 min`, `36 h`, `7 days`."""
    for unit, word in ((DAY, "days"), (HOUR, "h")):
        if ms >= 2 * unit and ms % unit == 0:
            return f"{ms // unit} {word}"
    return f"{ms // MINUTE} min" if ms and ms % MINUTE == 0 else format_duration(ms)


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *before, end = names
    return f"{', '.join(before)} {last} {end}" if before else end


def again(ms: int) -> str:
    """How soon the same may be decided once more."""
    return {0: "every time", NEVER: "never"}.get(ms) or f"after {span(ms)}"


def subject(kind: SubjectKind) -> str:
    """What an episode is about."""
    return f"each {kind}"


def ending(one: Ending, kind: SubjectKind) -> str:
    """What ends an episode."""
    if one.when is not None:
        return f"the state {one.when.text}"
    same = kind if one.same == "subject" else one.same
    return f"{one.event} of the same {same}" if same else str(one.event)


def trigger(of: Rule) -> str:
    """When a rule is decided."""
    match of.trigger:
        case Quiet(after=after, opens=opens, touches=touches):
            since = f"the last {listed(touches, 'or')}" if touches else listed(opens, "or")
            return f"{span(after)} after {since}"
        case Count(of=types, at_least=least, within=within, distinct=distinct):
            what = f"{least} events of {listed(types)}"
            if distinct:
                what = f"{least} different values of {distinct} in {listed(types)}"
            return f"at {what} within {span(within)}"
        case Event(of=types):
            return f"at every {listed(types, 'or')}"
        case Becomes(states=states):
            return f"when the state turns to {listed(states, 'or')}"
        case other:
            return generic(other)


def on_change(word: OnChange) -> str:
    """What becomes of open episodes when a rule changes."""
    return {"finish": "finished as they began", "anew": "evaluated anew"}[word]


def channels(of: Step) -> str:
    """Where a step goes."""
    if of.every:
        return f"on each of {listed(of.channels)} that may be used"
    return f"on {', else '.join(of.channels)}" if of.channels else "on no channel"


def audience(of: Audience | None) -> str:
    """Which ad audience a step puts people into."""
    if of is None:
        return "no audience"
    names = listed(sorted(set(of.by_state.values()))) if of.by_state else str(of.add)
    until = f" for {span(of.expires)}" if of.expires else ""
    parted = f", by product set: {listed(_product_sets(of))}" if of.sets else ""
    return f"the audience {names}{until}{parted}"


def _product_sets(of: Audience) -> list[str]:
    return [f"{name} ({condition.text})" for name, condition in of.sets.items()]


def offer(of: Offer | str | None) -> str:
    """What a step offers."""
    if of is None:
        return "nothing"
    if isinstance(of, str):
        return "the same as before"
    what = f"{of.percent:g} %" if of.percent is not None else f"{of.amount:g} {of.currency}"
    basket = f" from {of.minimum_basket:g} {of.currency} on" if of.minimum_basket is not None else ""
    left = (
        f" while {of.least_margin:g} {of.currency} of the margin are left"
        if of.least_margin is not None
        else ""
    )
    return f"{what} off{basket} for {span(of.expires)}{left}"


def step(of: Step) -> str:
    """A whole step: when and where it goes, and on what condition."""
    when = f"{span(of.after)} after step 1, " if of.after else ""
    into = f", into {audience(of.audience)}" if of.audience else ""
    only = f", only if {of.condition.text}" if of.condition else ""
    promised = f", offering {offer(of.offer)}" if of.offer is not None else ""
    return f"{when}{channels(of)}{into}{promised}{only}"


def quoted(text: str) -> str:
    """A text of the author's, or that there is none."""
    return f"“{text}”" if text else "nothing"


def generic(value: Any) -> str:  # noqa: ANN401 - whatever a rule holds
    """Any part of a rule for which there are no words of its own."""
    if value is None or value in ((), "", {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = _plain(value)
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a rule holds
    if isinstance(value, Condition | Formula):
        return value.text
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value
