"""Direct mail: the variables of one letter, to be printed before the cut-off."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from retarget.errors import Unsendable
from retarget.formats import postal, reading
from retarget.formats.variables import chosen, variables_of
from retarget.messages import Message
from retarget.times import DAY, format_time


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """What the printer knows: the campaign's name, the variables it must have, the time in the post (ms)."""

    name: str
    variables: tuple[str, ...] = ()
    in_post: int = 2 * DAY


def record_of(
    message: Message, to: Mapping[str, object], campaign: Campaign, *, print_by: int
) -> dict[str, str]:
    """One flat record for the cut-off at `print_by` (epoch ms). Raises Unsendable.

    Of a recall it says which letter is not to be printed: the printer looks for it until the cut-off.
    """
    reading.only(message, "send", "recall")
    if message.operation == "recall":
        told = {"message_id": message.recall_of or "", "operation": "cancel"}
        return {**told, "campaign": campaign.name, "print_by": format_time(print_by)}
    end = reading.expires_of(message)
    if end is not None and end <= print_by + campaign.in_post:
        raise Unsendable("expired", "it would be worth nothing when it arrives")
    chosen(message, campaign.variables)
    address = address_of(message, to)
    return {
        "message_id": message.message_id,
        "operation": "print",
        "campaign": campaign.name,
        "print_by": format_time(print_by),
        **address,
        **variables_of(message),
    }


def next_cut_off(now: int, at: int) -> int:
    """The next daily cut-off after `now`, which is `at` ms after midnight UTC; epoch ms."""
    today = now - now % DAY + at
    return today if today > now else today + DAY


def address_of(message: Message, to: Mapping[str, object]) -> dict[str, str]:
    """Name and parts of the address. Raises Unsendable where a postman could not find it."""
    place = postal.place_of(to)
    return {"name": _name(message, place), **postal.parts_of(place)}


def _name(message: Message, place: Mapping[str, object]) -> str:
    names = reading.names_of(message)
    known = (reading.line(names.get(key)) for key in ("title", "first_name", "last_name"))
    return reading.line(place.get("name")) or " ".join(filter(None, known))
