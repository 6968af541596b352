"""Telephone numbers as ITU-T E.164 writes them."""

from __future__ import annotations

import re
from typing import Final

from retarget.errors import Unsendable

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
# What people put between the digits; a zero in brackets is dialled within the country only.
_BETWEEN: Final = re.compile(r"\(0\)|[\s().\-/\u2010-\u2015\u200b-\u200e\u202a-\u202e\u2066-\u2069]")


def e164(told: object) -> str | None:
    """The number with its plus, from 7 to 15 digits; None for one that does not name its country."""
    found = _BETWEEN.sub("", told) if isinstance(told, str) else ""
    return found if _NUMBER.fullmatch(found) else None


def number_of(told: object) -> str:
    """The same. Raises Unsendable."""
    if told in (None, ""):
        raise Unsendable("no_address", "there is no telephone number")
    found = e164(told)
    if found is None:
        raise Unsendable("bad_address", "the number is not in the form +COUNTRY NUMBER of E.164")
    return found
