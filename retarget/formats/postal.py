"""Postal addresses: whether a postman finds the person by what was told, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.errors import Unsendable
from retarget.formats import reading

# The traits that are one, the better one first.
KINDS: Final = ("address", "postal_address")
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


def is_found(told: object) -> bool:
    """Whether a letter can be sent there."""
    return not _flaw(reading.part(told))


def place_of(to: Mapping[str, object]) -> Mapping[str, object]:
    """The best address, as it was told. Raises Unsendable where a postman could not find it."""
    told = [to[kind] for kind in KINDS if to.get(kind)]
    if not told:
        raise Unsendable("no_address", "there is no postal address")
    place = reading.part(next(filter(is_found, told), told[0]))
    if flaw := _flaw(place):
        raise Unsendable("bad_address", flaw)
    return place


def parts_of(place: Mapping[str, object]) -> dict[str, str]:
    """Street with the number, second line, postal code, city, region and country, as far as they are told."""
    found = {part: told for part, keys in _PARTS.items() if (told := _first(place, keys))}
    number = reading.line(place.get("house_number"))
    if number and "street" in found:
        found["street"] += f" {number}"
    return found


def _flaw(place: Mapping[str, object]) -> str:
    """Why no letter can be sent there; empty where one can."""
    if place.get("undeliverable"):
        return "the address is known to be undeliverable"
    missing = [part for part in _NEEDED if not _first(place, _PARTS[part])]
    return f"the address has no {' and no '.join(missing)}" if missing else ""


def _first(place: Mapping[str, object], keys: tuple[str, ...]) -> str | None:
    return next(filter(None, (reading.line(place.get(key)) for key in keys)), None)
