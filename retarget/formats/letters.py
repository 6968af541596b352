"""Direct mail: the variables of one letter, to be printed before the cut-off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.variables import chosen, variables_of
from retarget.messages import Message
from retarget.times import DAY, format_time

# Under which keys producers write the parts of an address.
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "street": ("street", "line1", "address1", "street1"),
    "street_2": ("line2", "address2", "street2"),
    "postal_code": ("postal_code", "zip", "postcode", "postalCode"),
    "city": ("city", "town"),
    "region": ("region", "state"),
    "country": ("country", "country_code"),
}
_NEEDED: Final = ("street", "postal_code", "city")


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
    told = to.get("address") or to.get("postal_address")
    if not told:
        raise Unsendable("no_address", "there is no postal address")
    place = reading.part(told)
    if place.get("undeliverable"):
        raise Unsendable("bad_address", "the address is known to be undeliverable")
    found = {part: told for part, keys in _PARTS.items() if (told := _first(place, keys))}
    number = reading.line(place.get("house_number"))
    if number and "street" in found:
        found["street"] += f" {number}"
    if missing := [part for part in _NEEDED if part not in found]:
        raise Unsendable("bad_address", f"the address has no {' and no '.join(missing)}")
    return {"name": _name(message, place), **found}


def _first(place: Mapping[str, object], keys: tuple[str, ...]) -> str | None:
    return next(filter(None, (reading.line(place.get(key)) for key in keys)), None)


def _name(message: Message, place: Mapping[str, object]) -> str:
    names = reading.names_of(message)
    known = (reading.line(names.get(key)) for key in ("title", "first_name", "last_name"))
    return reading.line(place.get("name")) or " ".join(filter(None, known))
