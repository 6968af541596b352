"""Names that rules may use, and sentences about those that are not known, with the nearest that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from operator import eq
from typing import Final

import msgspec

# Longer texts are cut in messages, and a typing error is not looked for beyond this.
_LONGEST: Final = 60


class KnownNames(msgspec.Struct, frozen=True):
    """The templates of each channel, and the ad audiences."""

    templates: Mapping[str, frozenset[str]] = {}
    audiences: frozenset[str] = frozenset()

    def __or__(self, other: KnownNames) -> KnownNames:
        """What either knows."""
        none: frozenset[str] = frozenset()
        channels = self.templates.keys() | other.templates.keys()
        joined = {one: self.templates.get(one, none) | other.templates.get(one, none) for one in channels}
        return KnownNames(joined, self.audiences | other.audiences)


def shown(text: str) -> str:
    """`text` in quotes on one line, cut when it is long."""
    return repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; nearest: NAME` when one of `known` is close to `name`, else nothing."""
    meant = meant_by(name, known)
    return f"; nearest: {meant}" if meant else ""


def meant_by(name: str, known: Iterable[str]) -> str:
    """That of `known` that is close to `name`, in whatever letters; empty when none is.

    Of several as close, the one with the most letters in their places: of short codes many are.
    """
    said, by_letters = name[:_LONGEST].casefold(), {one.casefold(): one for one in known}
    close = get_close_matches(said, by_letters, n=len(by_letters) or 1)
    alike = [one for one in close if _likeness(said, one) == _likeness(said, close[0])]
    found = max(alike, key=lambda one: sum(map(eq, said, one)), default="")
    return by_letters[found] if found else ""


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, other, one).ratio()


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a `name` that is none of `known`: what was found, what is known, the nearest."""
    names = [one if one.isprintable() else shown(one) for one in sorted(known)]
    return f"unknown {what} {shown(name)}; known: {', '.join(names) or 'none'}{nearest(name, names)}"
