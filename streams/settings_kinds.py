"""What a setting can be: how it is read, how it is written back, and what to say when it is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin
from zoneinfo import ZoneInfo

import msgspec

from retarget.engine.shops import Shop, is_on_earth
from retarget.personal.senders import Sender
from retarget.times import HOUR, MINUTE, format_duration, parse_duration

_HEAVIEST: Final = 100


class Limit(NamedTuple):
    """At most `most` in any `(t - window, t]`; the window in milliseconds."""

    most: int
    window: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of value.

    `read` takes text or a TOML value and raises ValueError; `write` gives text that reads back.
    """

    expects: str
    read: Callable[[object], object]
    write: Callable[[Any], str] = str
    bare: bool = False  # the text is a TOML literal as it stands

    def toml(self, value: object) -> str:
        """`value` as it stands in a TOML file."""
        if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
            return json.dumps(list(value), ensure_ascii=False)
        text = self.write(value)
        return text if self.bare else json.dumps(text, ensure_ascii=False)


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise ValueError  # noqa: TRY004 - every refusal is one error, whose sentence the caller writes
    return found.strip()


def _named(found: object) -> str:
    text = _text(found)
    if not text:
        raise ValueError
    return text


def _switch(found: object) -> bool:
    if isinstance(found, bool):
        return found
    known = {"true": True, "false": False}
    if (text := _text(found).lower()) not in known:
        raise ValueError
    return known[text]


def _number(found: object) -> float:
    if isinstance(found, int | float) and not isinstance(found, bool):
        return float(found)
    return float(_text(found))


def _integer(found: object) -> int:
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    return int(_text(found))


def _names(found: object) -> tuple[str, ...]:
    parts = found.split(",") if isinstance(found, str) else found
    if not isinstance(parts, list):
        raise ValueError  # noqa: TRY004
    return tuple(_named(part) for part in parts if part != "")


def _some_names(found: object) -> tuple[str, ...]:
    names = _names(found)
    if not names or len(set(names)) < len(names):
        raise ValueError
    return names


def _zone(found: object) -> str:
    try:
        return ZoneInfo(_named(found)).key
    except (OSError, LookupError) as unknown:
        raise ValueError from unknown


_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def _time_of_day(found: object) -> int:
    match = _CLOCK.fullmatch(_text(found))
    if match is None:
        raise ValueError
    return int(match[1]) * HOUR + int(match[2]) * MINUTE


def _write_time_of_day(ms: int) -> str:
    return f"{ms // HOUR:02d}:{ms % HOUR // MINUTE:02d}"


def _limits(found: object) -> tuple[Limit, ...]:
    text = _text(found)
    if text == "off":
        return ()
    return tuple(_limit(part) for part in text.split(","))


def _limit(text: str) -> Limit:
    count, slash, window = text.partition("/")
    limit = Limit(int(count), parse_duration(window))
    if not slash or limit.most < 0 or limit.window <= 0:
        raise ValueError
    return limit


def _rate(found: object) -> Limit | None:
    text = _text(found)
    if text == "off":
        return None
    rate = _limit(text)
    if not rate.most:
        raise ValueError
    return rate


def _write_rate(rate: Limit | None) -> str:
    return _write_limit(rate) if rate is not None else "off"


def _write_limits(limits: tuple[Limit, ...]) -> str:
    return ", ".join(_write_limit(limit) for limit in limits) or "off"


def _write_limit(limit: Limit) -> str:
    # 24h and 1d are the same rolling window, but the day reads like one of the calendar.
    hours, rest = divmod(limit.window, HOUR)
    short = not rest and hours <= 48  # noqa: PLR2004 - two days
    return f"{limit.most}/{hours}h" if short else f"{limit.most}/{format_duration(limit.window)}"


def _pairs(found: object) -> Mapping[str, str]:
    cut = [name.partition("=") for name in _names(found)]
    if not all(left and right for left, _, right in cut):
        raise ValueError
    return {left.strip(): right.strip() for left, _, right in cut}


def _write_pairs(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{left}={right}" for left, right in pairs.items())


def _shop(found: object) -> Shop:
    """Without its id, which is the name of the setting."""
    place, *said = (part.strip("; ") for part in _text(found).split(";", 3))
    lat, _, lon = place.partition(",")
    if not said or not said[0] or not is_on_earth(float(lat), float(lon)):
        raise ValueError
    return Shop("", float(lat), float(lon), *said)


def _write_shop(shop: Shop) -> str:
    return f"{shop.lat!r}, {shop.lon!r}; {shop.name}; {shop.city}; {shop.opening}".rstrip("; ")


def whole(least: int, most: int | None = None) -> Kind:
    """Whole numbers from `least` to `most`, both included."""

    def read(found: object) -> int:
        number = _integer(found)
        if number < least or (most is not None and number > most):
            raise ValueError
        return number

    range_ = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Kind(expects=f"a whole number {range_}", read=read, bare=True)


def choice(*known: str) -> Kind:
    """One of a few words."""

    def read(found: object) -> str:
        text = _text(found)
        if text not in known:
            raise ValueError
        return text

    return Kind(expects=f"one of {', '.join(known)}", read=read)


def _share(found: object) -> float:
    share = _number(found)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _sender(found: object) -> Sender:
    """Without their id, which is the name of the setting."""
    told: Any = json.loads(found) if isinstance(found, str) else found
    sender = msgspec.convert(told, Sender)
    if "id" in told or not sender.name.strip() or not 1 <= sender.weight <= _HEAVIEST:
        raise ValueError
    if any(address and "@" not in address for address in (sender.address, sender.reply_to)):
        raise ValueError
    in_headers = (sender.name, sender.role, sender.address, sender.reply_to, sender.photo)
    if not all(map(str.isprintable, in_headers)):
        raise ValueError  # a line end would begin another header of a mail
    return sender


def _write_sender(sender: Sender) -> str:
    return json.dumps(msgspec.to_builtins(sender, order="sorted"), ensure_ascii=False)


TEXT: Final = Kind(expects="text", read=_text)
NAMED: Final = Kind(expects="text that is not empty", read=_named)
SWITCH: Final = Kind(expects="true or false", read=_switch, write=lambda on: str(on).lower(), bare=True)
NAMES: Final = Kind(expects="a list of names", read=_names, write=", ".join)
SOME_NAMES: Final = Kind(expects="a list of different names, at least one", read=_some_names, write=", ".join)
DURATION: Final = Kind(
    expects="a duration such as 30m, 2s, 250ms",
    read=lambda found: parse_duration(_text(found)),
    write=format_duration,
)
SHARE: Final = Kind(expects="a share from 0 to 1, such as 0.05", read=_share, bare=True)
TIME_OF_DAY: Final = Kind(expects="a time of day such as 21:00", read=_time_of_day, write=_write_time_of_day)
ZONE: Final = Kind(expects="a time zone such as Europe/Berlin", read=_zone)
LIMITS: Final = Kind(
    expects="COUNT/DURATION, several with commas, such as 3/24h, 8/7d; or off",
    read=_limits,
    write=_write_limits,
)
SENDER: Final = Kind(
    expects="a table or JSON: a name and any of role, address, reply_to, photo, signature, weight (1 to 100)",
    read=_sender,
    write=_write_sender,
)
RATE: Final = Kind(expects="COUNT/DURATION such as 600/1m; or off", read=_rate, write=_write_rate)
SHOP: Final = Kind(
    expects='"LAT, LON; NAME; CITY; OPENING", in degrees with a point; city and opening may be left out',
    read=_shop,
    write=_write_shop,
)
PAIRS: Final = Kind(expects="a list of NAME=VALUE", read=_pairs, write=_write_pairs)

Duration = Annotated[int, DURATION]
"""Milliseconds; written `30m`."""
TimeOfDay = Annotated[int, TIME_OF_DAY]
"""Milliseconds since midnight; written `21:00`."""
Share = Annotated[float, SHARE]
Zone = Annotated[str, ZONE]
Named = Annotated[str, NAMED]
Names = Annotated[tuple[str, ...], NAMES]
SomeNames = Annotated[tuple[str, ...], SOME_NAMES]
Pairs = Annotated[Mapping[str, str], PAIRS]
Count = Annotated[int, whole(1)]
Port = Annotated[int, whole(0, 65_535)]
LimitsByName = Annotated[Mapping[str, tuple[Limit, ...]], LIMITS]
ShopsById = Annotated[Mapping[str, Shop], SHOP]
RatesByName = Annotated[Mapping[str, Limit | None], RATE]

SendersByName = Annotated[Mapping[str, Sender], SENDER]

_PLAIN: Final[Mapping[object, Kind]] = {str: TEXT, bool: SWITCH}


def kind_of(annotation: object) -> Kind:
    """The kind that a declaration's type stands for. Raises KeyError for a type that no setting can have."""
    if get_origin(annotation) is Annotated:
        return next(part for part in get_args(annotation) if isinstance(part, Kind))
    if get_origin(annotation) is Literal:
        return choice(*get_args(annotation))
    return _PLAIN[annotation]


def masked(text: str) -> str:
    """A secret as it may be shown."""
    return "***" if text else ""


# Up to the last @: a password that is not written in %-codes may hold any of / @ : ? &.
_IN_URL: Final = re.compile(r"(?<=://)([^:@]*:).*(?=@)|([?&][^=&]*=)[^&]*", re.DOTALL)


def masked_url(url: str) -> str:
    """An address as it may be shown: a password or any value of the query may be a secret."""
    return _IN_URL.sub(lambda found: f"{found[1] or found[2]}***", url)
