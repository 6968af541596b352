"""Third parties' scores and segments: who says them, until when they hold, by whose leave."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from retarget.journeys.model import Journey
from retarget.times import LATEST, parse_time
from retarget.touchpoints import Touchpoint

# Where they are kept, as {source: {name: [value, expires, time]}}; no profile can write there.
TRAIT: Final = "scores"
EXPIRES: Final = "expires"
_SOURCES_KEPT: Final = 20
_NAMES_KEPT: Final = 50
_LONGEST: Final = 200

_Said = dict[str, dict[str, list[Any]]]


def hear(journey: Journey, event: Touchpoint, time: int) -> int:
    """Keep what a `score` event says; how many parts of it cannot be used and are ignored.

    Without a source and a granted consent nothing is kept; a consent that is denied or revoked takes back all
    of that source.
    """
    said, state = event.traits or {}, (event.consent or {}).get("state")
    if not event.source:
        return 1
    kept: _Said = {source: dict(names) for source, names in _known(journey).items()}
    if state in ("denied", "revoked"):
        if kept.pop(event.source, None) is not None:
            journey.traits[TRAIT] = kept
        return 0
    expires = _expiry(said.get(EXPIRES))
    if state != "granted" or expires is None:
        return 1
    names = kept.pop(event.source, {})
    ignored = _note(names, said, expires, time)
    kept[event.source] = names
    for over in list(kept)[: max(len(kept) - _SOURCES_KEPT, 0)]:
        del kept[over]
    journey.traits[TRAIT] = kept
    return ignored


def united(journey: Journey, other: Journey) -> dict[str, _Said]:
    """As a trait what either has, the latest word of each; nothing without any."""
    found: _Said = {source: dict(names) for source, names in _known(other).items()}
    for source, names in _known(journey).items():
        into = found.setdefault(source, {})
        for name, said in names.items():
            if name not in into or into[name][2] <= said[2]:
                into[name] = said
    return {TRAIT: found} if found else {}


def number(journey: Journey, source: str, name: str, at: int) -> float | None:
    """The score that holds at this time; None where there is none, or it is no number."""
    value = _holding(journey, source, name, at)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def text(journey: Journey, source: str, name: str, at: int) -> str | None:
    """The segment that holds at this time, `true` and `false` for a yes or no; None where there is none."""
    value = _holding(journey, source, name, at)
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def is_segment(journey: Journey, source: str, name: str, at: int) -> bool:
    """Whether what holds at this time is no number."""
    return isinstance(_holding(journey, source, name, at), bool | str)


def _note(names: dict[str, list[Any]], said: dict[str, Any], expires: int, time: int) -> int:
    ignored = 0
    for name, value in said.items():
        if name == EXPIRES:
            continue
        if not _is_usable(name) or not _is_usable(value):
            ignored += 1
        elif name not in names or names[name][2] <= time:
            names.pop(name, None)
            names[name] = [value, expires, time]
    for over in list(names)[: max(len(names) - _NAMES_KEPT, 0)]:
        del names[over]
    return ignored


def _holding(journey: Journey, source: str, name: str, at: int) -> object:
    entry = _known(journey).get(source, {}).get(name)
    return None if entry is None or (entry[1] and entry[1] <= at) else entry[0]


def _known(journey: Journey) -> _Said:
    known = journey.traits.get(TRAIT)
    return known if isinstance(known, dict) else {}


def _expiry(given: object) -> int | None:
    """Epoch ms; 0 for never, None for what is no time."""
    if given is None:
        return 0
    if isinstance(given, str):
        try:
            return max(parse_time(given), 1)
        except (ValueError, OverflowError):
            return None
    if isinstance(given, bool) or not isinstance(given, int):
        return None
    return given if 0 < given <= LATEST else None


def _is_usable(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST
    return isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value))
