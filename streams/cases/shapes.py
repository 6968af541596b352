"""The shapes of values that only test cases have: moments, dates, zones, settings, free fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from retarget.rules.names import shown, unknown
from retarget.rules.places import Place
from retarget.rules.shapes import BAD, Schema, described
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_duration
from streams.cases.model import When
from streams.lanes.zones import zone_of
from streams.settings import DECIDING, DECLARED
from streams.settings_source import declaration_of

_CLOCK: Final = re.compile(r"(?:\+(\d{1,4})d )?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,3})?)?")
# Longer than any rule waits, and far from where clocks end.
_LONGEST: Final = 3650 * DAY
_FIRST: Final = 1971
_LAST: Final = 2199
_FORMS: Final = "10:30, +30m, +2d 10:30 or 2024-03-04 10:30"


class Moment(msgspec.Struct, frozen=True):
    """A moment: a time of the first day, a time after the start, a time of a later day, or a date."""

    form: str = "a moment"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The When."""
        found = _moment(value)
        if found is None:
            at.problem(f"found {described(value)}; known: a moment such as {_FORMS}")
            return BAD
        return found

    def schema(self) -> Schema:
        """A string; the forms are told by the description."""
        return {"type": "string", "minLength": 1}


class Date(msgspec.Struct, frozen=True):
    """A date with a time of day, on the clocks of the case's zone."""

    form: str = "a date and time"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The datetime, without a zone."""
        found = _date(value)
        if found is None:
            at.problem(f"found {described(value)}; known: a date and time such as 2024-03-04 10:00")
            return BAD
        return found

    def schema(self) -> Schema:
        """A string of that form."""
        return {"type": "string", "pattern": f"^{_DATE.pattern}$"}


class Zone(msgspec.Struct, frozen=True):
    """An IANA time zone."""

    form: str = "a time zone"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The name."""
        if not isinstance(value, str) or zone_of(value) is None:
            at.problem(f"found {described(value)}; known: a time zone such as Europe/Berlin or UTC")
            return BAD
        return value

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string", "minLength": 1}


class Flag(msgspec.Struct, frozen=True):
    """Yes or no."""

    form: str = "`true` or `false`"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The bool."""
        if not isinstance(value, bool):
            at.problem(f"found {described(value)}; known: true, false")
            return BAD
        return value

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


class Fields(msgspec.Struct, frozen=True):
    """A mapping, or with `several` a list of mappings, whose fields the touchpoint's decoder checks."""

    form: str = "fields as in a touchpoint"
    several: bool = False

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The value as it is."""
        whole = value if self.several else [value]
        if not isinstance(whole, list) or not all(isinstance(one, Mapping) for one in whole):
            at.problem(f"found {described(value)}; known: {self.form}")
            return BAD
        return value

    def schema(self) -> Schema:
        """An object or an array of them."""
        return {"type": "array", "items": {"type": "object"}} if self.several else {"type": "object"}


class Given(msgspec.Struct, frozen=True):
    """Settings that decide, by their keys, as `--set` takes them."""

    form: str = "a mapping of settings"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """Key -> value as text."""
        if not isinstance(value, Mapping) or not value:
            at.problem(f"found {described(value)}; known: a mapping such as {{caps.total: 1/24h}}")
            return BAD
        return {key: self._one(key, given, at.child(key)) for key, given in value.items()}

    def _one(self, key: str, given: object, at: Place) -> str:
        declared = declaration_of(key, DECLARED)
        if declared is None or key.partition(".")[0] not in DECIDING:
            known = [name for name in DECLARED if name.partition(".")[0] in DECIDING]
            at.problem(unknown("setting of a case", key, known))
            return ""
        text = ",".join(map(_text, given)) if isinstance(given, list) else _text(given)
        try:
            declared.kind.read(text)
        except ValueError:
            at.problem(f"found {shown(text)}; known: {declared.kind.expects}")
        return text

    def schema(self) -> Schema:
        """An object with those keys; their values are checked by `retarget check`."""
        names = "|".join(sorted(re.escape(name) for name in DECIDING))
        return {"type": "object", "propertyNames": {"pattern": f"^({names})\\."}, "minProperties": 1}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(value: object) -> When | None:
    if (date := _date(value)) is not None:
        return When(date=date)
    if not isinstance(value, str):
        return None
    if clock := _CLOCK.fullmatch(value):
        days, hour, minute, second = (int(part or 0) for part in clock.groups())
        return When(days=days, of_day=hour * HOUR + minute * MINUTE + second * SECOND)
    try:
        after = parse_duration(value[1:]) if value.startswith("+") else None
    except (ValueError, OverflowError):
        return None
    return None if after is None or after > _LONGEST else When(after=after)


def _date(value: object) -> datetime | None:
    found = value  # YAML has read it already when it has seconds
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
    right = isinstance(found, datetime) and found.tzinfo is None and _FIRST <= found.year <= _LAST
    return found if right and isinstance(found, datetime) else None
