"""Names that rules may use, and sentences about those that are not known, with the nearest that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
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
    found = get_close_matches(name[:_LONGEST], list(known), n=1)
    return f"; nearest: {found[0]}" if found else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a `name` that is none of `known`: what was found, what is known, the nearest."""
    names = [one if one.isprintable() else shown(one) for one in sorted(known)]
    return f"unknown {what} {shown(name)}; known: {', '.join(names) or 'none'}{nearest(name, names)}"
