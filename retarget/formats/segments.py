"""How many short messages a text is, by 3GPP TS 23.038 and 23.040, and where it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

# The default alphabet without its escape, and what stands behind the escape in the extension table.
BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = frozenset("\f^{}\\[~]|€")
# How many units one message holds; in a row of several each gives some away to say which it is.
_ALONE: Final = {"GSM-7": 160, "UCS-2": 70}
_IN_A_ROW: Final = {"GSM-7": 153, "UCS-2": 67}
_FIRST_PAIR: Final = 0x10000


# What word processors make of plain signs. One of these alone would make a text of 160 one of three parts.
_PLAIN: Final = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"',
    "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2014": "-", "\u2026": "...", "\u00a0": " ", "\u202f": " ",
})  # fmt: skip


class Segments(msgspec.Struct, frozen=True):
    """A text as short messages."""

    encoding: Literal["GSM-7", "UCS-2"]
    parts: tuple[str, ...]


def segments_of(text: str) -> Segments:
    """The text cut so that neither an escape nor a pair of surrogates is torn."""
    if _is_plain(text):
        return Segments("GSM-7", _cut(text, "GSM-7", septets))
    return Segments("UCS-2", _cut(text, "UCS-2", units))


def plain(text: str) -> str:
    """The text with typewriters' quotes, dashes and spaces, where that spares it UCS-2; else as it is."""
    found = text.translate(_PLAIN)
    return found if _is_plain(found) else text


def septets(character: str) -> int:
    """What it takes in the default alphabet: two when it stands in the extension table."""
    return 2 if character in EXTENSION else 1


def units(character: str) -> int:
    """What it takes in UCS-2: two for what lies beyond the first plane, such as emoji."""
    return 2 if ord(character) >= _FIRST_PAIR else 1


def _is_plain(text: str) -> bool:
    return all(character in BASIC or character in EXTENSION for character in text)


def _cut(text: str, encoding: str, cost: Callable[[str], int]) -> tuple[str, ...]:
    if sum(map(cost, text)) <= _ALONE[encoding]:
        return (text,)
    parts, begun, used = [], 0, 0
    for place, character in enumerate(text):
        used += cost(character)
        if used > _IN_A_ROW[encoding]:
            parts.append(text[begun:place])
            begun, used = place, cost(character)
    return (*parts, text[begun:])
