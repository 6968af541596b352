"""The shapes of values that only test cases have: moments, dates, zones, settings, free fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec

from retarget.rules.names import nearest, shown, unknown
from retarget.rules.places import Place
from retarget.rules.shapes import BAD, Schema, described
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_duration
from streams.cases.model import When
from streams.lanes.zones import zone_of
from streams.settings import DECIDING, DECLARED
from streams.settings_kinds import Kind
from streams.settings_source import declaration_of

_CLOCK: Final = re.compile(r"(?:\+(\d{1,4})d )?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,3})?)?")
# Longer than any rule waits, and far from where clocks end.
_LONGEST: Final = 3650 * DAY
_FIRST: Final = 1971
_LAST: Final = 2199
_OFF: Final = "off"
_FORMS: Final = "10:30, +30m, +2d 10:30 or 2024-03-04 10:30"


class Single(msgspec.Struct, frozen=True):
    """One value, made by `take` of what the author wrote; None: it is none, of whose `names` one is near."""

    form: str
    known: str
    take: Callable[[object], Any]
    json: Schema
    names: Callable[[], Iterable[str]] = tuple

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """What `take` gives."""
        found = self.take(value)
        if found is None:
            near = nearest(value, self.names()) if isinstance(value, str) else ""
            at.problem(f"found {described(value)}; known: {self.known}{near}")
            return BAD
        return found

    def schema(self) -> Schema:
        """As declared."""
        return dict(self.json)


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
        if given is False and not _is_one(declared.kind, text) and _is_one(declared.kind, _OFF):
            return _OFF  # which YAML reads as false where it stands without quotes
        if not _is_one(declared.kind, text):
            at.problem(f"found {shown(text)}; known: {declared.kind.expects}")
        return text

    def schema(self) -> Schema:
        """An object with those keys; their values are checked by `retarget check`."""
        names = "|".join(sorted(re.escape(name) for name in DECIDING))
        return {"type": "object", "propertyNames": {"pattern": f"^({names})\\."}, "minProperties": 1}


def _is_one(kind: Kind, text: str) -> bool:
    try:
        kind.read(text)
    except ValueError:
        return False
    return True


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


def _zone(value: object) -> str | None:
    return value if isinstance(value, str) and zone_of(value) is not None else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _fields(value: object) -> Mapping[Any, Any] | None:
    return value if isinstance(value, Mapping) else None


def fields(form: str) -> Single:
    """A mapping whose fields the touchpoint's decoder checks."""
    return Single(form, form, _fields, {"type": "object"})


# A time of the first day, a time after the start, a time of a later day, or a date: a When.
MOMENT: Final = Single("a moment", f"a moment such as {_FORMS}", _moment, {"type": "string", "minLength": 1})
# On the clocks of the case's zone: a datetime without one.
DATE: Final = Single(
    "a date and time",
    "a date and time such as 2024-03-04 10:00",
    _date,
    {"type": "string", "pattern": f"^{_DATE.pattern}$"},
)
ZONE: Final = Single(
    "a time zone",
    "a time zone such as Europe/Berlin or UTC",
    _zone,
    {"type": "string", "minLength": 1},
    available_timezones,
)
FLAG: Final = Single("`true` or `false`", "true, false", _flag, {"type": "boolean"})
FIELDS: Final = fields("fields as in a touchpoint")
