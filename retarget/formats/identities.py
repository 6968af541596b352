"""Who somebody is to an ad platform: what the shop knows that a platform can match, hashed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Final, TypeVar
from unicodedata import normalize

import msgspec

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.phones import e164
from retarget.messages import Message

# Both platforms take so many people a call.
MOST_PEOPLE: Final = 10_000
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_T = TypeVar("_T")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What is known, trimmed and not yet in any platform's form; an empty text: not known."""

    email: str = ""
    phone: str = ""  # E.164, with its plus
    first_name: str = ""
    last_name: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""  # two letters


def identity_of(message: Message, to: Mapping[str, object]) -> Identity:
    """By the address that was looked up, else the message's names. Raises Unsendable."""
    names, place = reading.names_of(message), _place(to)
    found = Identity(
        email=_mail(to.get("email")),
        phone=e164(to.get("phone")) or "",
        first_name=_told(to, "first_name") or _told(names, "first_name"),
        last_name=_told(to, "last_name") or _told(names, "last_name"),
        city=_told(place, "city"),
        region=_told(place, "region", "state"),
        postal_code=_told(place, "postal_code", "zip"),
        country=_country(place.get("country")),
    )
    if found.email or found.phone:
        return found
    if to.get("email") or to.get("phone"):
        raise Unsendable("bad_address", "neither an e-mail address nor a number in the form of E.164")
    raise Unsendable("no_address", "there is nothing that an ad platform could know the person by")


def hashed(normal: str) -> str:
    """SHA-256 in hexadecimal digits; nothing stays nothing."""
    return sha256(normal.encode()).hexdigest() if normal else ""


def portions(people: Iterable[_T], most: int = MOST_PEOPLE) -> Iterable[Sequence[_T]]:
    """As many calls as it takes, in order."""
    rest = iter(people)
    while portion := list(islice(rest, most)):
        yield portion


def _place(to: Mapping[str, object]) -> Mapping[str, object]:
    return reading.part(to.get("address")) or reading.part(to.get("postal_address"))


def _told(told: Mapping[str, object], *keys: str) -> str:
    return next((normalize("NFC", found) for key in keys if (found := reading.line(told.get(key)))), "")


def _mail(told: object) -> str:
    found = normalize("NFC", reading.line(told) or "").lower()
    return found if _MAIL.fullmatch(found) else ""


def _country(told: object) -> str:
    found = reading.line(told) or ""
    return found if _COUNTRY.fullmatch(found) else ""
