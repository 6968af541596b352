"""Meta Custom Audiences: rows of hashes, in and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.identities import Identity, hashed, identity_of, portions
from retarget.formats.request import Request
from retarget.messages import Message, Operation

SCHEMA: Final = ("EMAIL", "PHONE", "FN", "LN", "CT", "ST", "ZIP", "COUNTRY")
_US_ZIP: Final = 5


def row_of(message: Message, to: Mapping[str, object]) -> list[str]:
    """The person's hashes in the order of the schema, empty where nothing is known. Raises Unsendable."""
    reading.only(message, "add", "remove")
    return [hashed(value) for value in normal(identity_of(message, to))]


def requests_of(rows: Iterable[list[str]], operation: Operation, list_id: str) -> Iterable[Request]:
    """Calls of at most 10,000 rows to `/LIST/users`. Raises Unsendable."""
    if operation not in ("add", "remove"):
        raise Unsendable("bad_message", f"an audience knows no {operation!r}")
    for portion in portions(rows):
        yield Request(
            method="POST" if operation == "add" else "DELETE",
            path=f"/{list_id}/users",
            body={"payload": {"schema": list(SCHEMA), "data": list(portion)}},
        )


def normal(who: Identity) -> tuple[str, ...]:
    """What is hashed: numbers as digits without plus or leading zeros, names without punctuation."""
    return (
        who.email,
        who.phone.lstrip("+0"),
        _words(who.first_name),
        _words(who.last_name),
        _letters(who.city),
        _letters(who.region),
        _zip(who),
        who.country.lower(),
    )


def _words(name: str) -> str:
    """Accents stay: the platform reads UTF-8."""
    return " ".join("".join(c for c in name.lower() if c.isalnum() or c.isspace()).split())


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalpha())


def _zip(who: Identity) -> str:
    found = "".join(c for c in who.postal_code.lower() if c.isalnum())
    return found[:_US_ZIP] if who.country.lower() == "us" else found
