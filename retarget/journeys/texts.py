"""How long a text may be that is kept of a person; what is longer is none, for no name or address is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retarget.journeys.model import Journey

#: Bytes in UTF-8 of a name or an address of a page.
TEXT_KEPT: Final = 1_000
#: Bytes of all traits, and of where somebody is, as they are stored.
TRAITS_BYTES: Final = 16_384
GEO_BYTES: Final = 2_048
size: Final = msgspec.msgpack.Encoder().encode


def short(text: str | None) -> str | None:
    """The text; None where it is too long to be kept."""
    if text is None or len(text) > TEXT_KEPT:
        return None
    return text if text.isascii() or len(text.encode()) <= TEXT_KEPT else None


def storable(said: dict[str, Any]) -> dict[str, Any]:
    """As many of an event's traits as can be kept; all of them, mostly."""
    if len(size(said)) <= TRAITS_BYTES:
        return said
    kept, left = {}, TRAITS_BYTES
    for name, value in said.items():
        taken = len(size(name)) + len(size(value))
        if taken <= left:
            kept[name] = value
            left -= taken
    return kept


def locate(journey: Journey, geo: dict[str, Any]) -> None:
    """Note where the person is."""
    if geo != journey.geo and len(size(geo)) <= GEO_BYTES:
        journey.geo = geo
