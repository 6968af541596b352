"""What a message says, whoever wrote it: every field may hold anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from retarget.errors import Unsendable
from retarget.messages import Message, Operation
from retarget.times import DAY, parse_time

# As long as the engine can call back a message without an expiry of its own.
LASTS: Final = 7 * DAY
# Beyond it a number stands for nothing that is written in a message; nor does what is no number.
_LARGEST: Final = 1e15
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
# What turns the direction of all that is written behind it, whoever writes that.
_TURNS: Final = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_LINK: Final = re.compile(r"https?://[\x21-\x7e]+")


def text(value: object) -> str | None:
    """A text that can be sent, or a number as one; None for anything else, or nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str) and not -_LARGEST < value < _LARGEST:
        return None
    # Two pieces are told as 2.0.
    said = int(value) if isinstance(value, float) and value.is_integer() else value
    # Halves of a pair are joined; what is left of one alone is no character.
    whole = str(said).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROL.sub(" ", _TURNS.sub("", whole)).strip() or None


def line(value: object) -> str | None:
    """The same on one line, without double spaces."""
    found = text(value)
    return None if found is None else " ".join(found.split()) or None


def part(value: object) -> Mapping[str, object]:
    """An object, empty where there is none."""
    return value if isinstance(value, Mapping) else {}


def words(value: object) -> list[str]:
    """The texts of a list, empty where there is none."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def link(value: object) -> str | None:
    """An address of the web; None for anything else."""
    return value if isinstance(value, str) and _LINK.fullmatch(value) else None


def link_of(message: Message) -> str | None:
    """Where the message leads: its own link, else the first product that has one."""
    return link(message.purl) or next(filter(None, (link(one.get("url")) for one in message.products)), None)


def time_of(value: object) -> int | None:
    """Epoch ms. Raises Unsendable for what is no time."""
    if value is None:
        return None
    try:
        return parse_time(value if isinstance(value, str) else "")
    except (ValueError, OverflowError):
        raise Unsendable("bad_message", "it holds a time that is none") from None


def expires_of(message: Message) -> int | None:
    """When it is worth nothing any more, epoch ms: by its own expiry, or its code's."""
    ends = (message.expires_at, message.offer.expires_at if message.offer is not None else None)
    return min((end for end in map(time_of, ends) if end is not None), default=None)


def seconds_left(message: Message, now: int) -> int:
    """How long, from `now` (epoch ms), it is worth delivering. Raises Unsendable when it is not."""
    end = expires_of(message)
    left = LASTS if end is None else end - now
    if left <= 0:
        raise Unsendable("expired", "it is worth nothing any more")
    return left // 1000


def only(message: Message, *operations: Operation) -> None:
    """Refuse what this channel cannot do."""
    if message.operation not in operations:
        raise Unsendable("bad_message", f"this channel knows no {message.operation!r}")
    if message.operation in ("recall", "remove") and not message.recall_of:
        raise Unsendable("bad_message", "it does not say which message it takes back")


def names_of(message: Message) -> Mapping[str, object]:
    """The person's names, as far as the message knows them."""
    return part(message.context.get("salutation"))


def greeting_of(message: Message) -> str:
    """How the person is greeted: in the words of the message, else neutrally."""
    told = message.context.get("salutation")
    found = line(told) if isinstance(told, str) else line(part(told).get("line"))
    return found or "Hello,"
