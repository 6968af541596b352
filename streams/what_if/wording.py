"""The wording of `--what-if`: what an operator writes, as a change that can be looked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from retarget.errors import BadInput
from retarget.rules.names import shown, unknown
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from retarget.touchpoints import IMPERSONAL, TYPES

FORMS: Final = (
    "'no add at 10:03', 'no add of tent', 'no EVENT-ID', 'with purchase of tent at 10:20' or "
    'with {"type": "purchase", "time": …}; times are UTC, and 2026-03-02 10:20 names the day too'
)
ANY: Final = "event"
_WHEN: Final = re.compile(
    r"(?:(\d{4}-\d\d-\d\d)[ T])?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{3}))?)?"
    r"(Z|[+-]\d\d:\d\d)?",
    re.IGNORECASE,
)
_WITHOUT: Final = re.compile(r"(?:no|without)\s+(?P<what>.+)", re.IGNORECASE | re.DOTALL)
_WITH: Final = re.compile(r"with\s+(?P<what>.+)", re.IGNORECASE | re.DOTALL)
_EVENT: Final = re.compile(
    r"(?:(?:the|an?|any)\s+)?(?P<type>\w+)(?:\s+of\s+(?P<products>\S.*?))?"
    r"(?:\s+(?:at|on)\s+(?P<when>[-\dTZ:.+ ]+))?",
    re.IGNORECASE,
)
_AND: Final = re.compile(r"\s*,\s*|\s+and\s+")
_FIELDS: Final = "type, products and time"


class Moment(NamedTuple):
    """A time in UTC as somebody writes it: of a day (None: not said which), as exactly as it was written.

    `of_day` and `span` are ms: `10:03` is all of that minute.
    """

    day: int | None
    of_day: int
    span: int

    def holds(self, time: int) -> bool:
        """Whether a time in epoch ms is that moment."""
        day = time // DAY * DAY if self.day is None else self.day
        return day + self.of_day <= time < day + self.of_day + self.span


class Change(NamedTuple):
    """One event less (`more` is False) or one more; `said` is the whole wording, `name` what may be an id."""

    said: str
    more: bool
    name: str = ""
    type: str | None = None
    products: tuple[str, ...] = ()
    moment: Moment | None = None
    fields: Mapping[str, Any] | None = None


def read_change(said: str) -> Change:
    """The change that these words mean. Raises BadInput when they mean none."""
    text = said.strip()
    if less := _WITHOUT.fullmatch(text):
        return _less(said, less["what"].strip())
    if more := _WITH.fullmatch(text):
        return _more(said, more["what"].strip())
    raise BadInput([f"--what-if {shown(said)}: is not understood; write {FORMS}"])


def _less(said: str, what: str) -> Change:
    """Whatever it is, it may be an id; that is seen when the events are known."""
    found = _EVENT.fullmatch(what)
    if found is None or found["type"].lower() not in {ANY, *TYPES}:
        return Change(said, more=False, name=what)
    return _told(said, what, found, more=False)


def _more(said: str, what: str) -> Change:
    if what.startswith("{"):
        return Change(said, more=True, fields=_fields(said, what))
    found = _EVENT.fullmatch(what)
    if found is None or found["when"] is None:
        raise BadInput([f"--what-if {shown(said)}: an event needs its {_FIELDS}; write {FORMS}"])
    kind, known = found["type"].lower(), TYPES - IMPERSONAL
    if kind not in known:
        raise BadInput([f"--what-if {shown(said)}: {unknown('touchpoint type', kind, known)}"])
    return _told(said, what, found, more=True)


def _told(said: str, what: str, found: re.Match[str], *, more: bool) -> Change:
    kind, products = found["type"].lower(), _products(found["products"])
    return Change(said, more, what, kind, products, _moment(said, found["when"]))


def _fields(said: str, what: str) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(what, type=dict[str, Any])
    except ValueError as error:
        raise BadInput([f"--what-if {shown(said)}: is no JSON object: {error}"]) from error


def _products(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, _AND.split(text.strip()))) if text else ()


def _moment(said: str, text: str | None) -> Moment | None:
    if text is None:
        return None
    found = _WHEN.fullmatch(text.strip())
    if found is None or (found[6] and not found[1]):
        raise BadInput(
            [f"--what-if {shown(said)}: {shown(text)} is no time; known: 10:03, 2026-03-02 10:03:20"]
        )
    date, hour, minute, second, thousandth, zone = found.groups()
    span = 1 if thousandth else SECOND if second else MINUTE
    of_day = int(hour) * HOUR + int(minute) * MINUTE + int(second or 0) * SECOND + int(thousandth or 0)
    if date is None:
        return Moment(None, of_day, span)
    try:
        midnight = parse_time(datetime.fromisoformat(f"{date}T00:00:00{(zone or 'Z').upper()}").isoformat())
    except ValueError as error:
        raise BadInput([f"--what-if {shown(said)}: {shown(text)} is no time ({error})"]) from error
    return Moment(midnight, of_day, span)
