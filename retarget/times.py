"""Times and durations as the outside writes them, and the milliseconds that the core counts in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_read: Final = datetime.fromisoformat
NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of times that say no zone
_UNITS: Final = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SPELLED_OUT: Final = re.compile(r"(\d{1,4})\s*(mins?|minutes?|secs?|seconds?|hrs?|hours?|days?|w|weeks?)")
# Written out once: a decision writes half a dozen times.
_SECONDS: Final = tuple(f"{second:02}." for second in range(60))
_THOUSANDTHS: Final = tuple(f"{thousandth:03}Z" for thousandth in range(1000))
_LONGEST: Final = 100
# The last moment that RFC 3339's four-digit years can name.
LATEST: Final = 253_402_300_799_999


def parse_duration(text: str) -> int:
    """Milliseconds of `text` such as `30m`, `250ms` or `1d 12h`. Raises ValueError that shows the form."""
    given = text[: _LONGEST + 1]  # the pattern takes the square of its length
    rest = _DURATION.sub("", given).strip()
    parts = _DURATION.findall(given)
    if given.strip() == "0":
        return 0
    found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if rest or not parts or len(given) > _LONGEST or found > LATEST:
        form = "write a number and a unit, such as 30m, 2s, 250ms, 1d 12h"
        raise ValueError(f"{given!r} is not a duration; {form}")
    return round(found)


def spelled_out(text: str) -> str:
    """The duration that `30 minutes` or `2 weeks` stands for, as written here; empty for other texts."""
    said = _SPELLED_OUT.fullmatch(text.strip().lower())
    if said is None:
        return ""
    number, unit = int(said[1]), said[2][0]
    return f"{7 * number}d" if unit == "w" else f"{number}{unit}"


def format_duration(ms: int) -> str:
    """The shortest writing of `ms` that parses back, largest unit first: `1d 12h`, `250ms`, `0s`."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, ms = divmod(ms, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def parse_time(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time; without a zone it is UTC. Raises ValueError."""
    moment = _read(text)
    since = moment - (EPOCH if moment.tzinfo is not None else NAIVE_EPOCH)
    # In parts: the division of a timedelta takes longer than the parsing, and a call of it a third of that.
    return since.days * DAY + since.seconds * SECOND + since.microseconds // 1000


def corrected_time(received: str, sent: str, original: str) -> int:
    """When `original` was by the clock of who received it, if it was `sent` by the clock that gave it.

    Epoch milliseconds; the times are RFC 3339, and all of them have a zone or none. Raises ValueError.
    """
    try:
        moment = _read(received) - (_read(sent) - _read(original))
    except TypeError:
        raise ValueError("some of the times have a zone, some have none") from None
    since = moment - (EPOCH if moment.tzinfo is not None else NAIVE_EPOCH)
    return since.days * DAY + since.seconds * SECOND + since.microseconds // 1000


def format_time(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    minutes, rest = divmod(ms, MINUTE)
    seconds, thousandths = divmod(rest, SECOND)
    return f"{_minute(minutes)}{_SECONDS[seconds]}{_THOUSANDTHS[thousandths]}"


@lru_cache(maxsize=4096)  # decisions of one moment write the same few minutes again and again
def _minute(minutes: int) -> str:
    return f"{(NAIVE_EPOCH + timedelta(minutes=minutes)).isoformat(timespec='minutes')}:"
