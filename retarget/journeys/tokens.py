"""Push tokens, as apps and browsers tell them among the traits of whoever is signed in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

# The traits that hold one or several: a text, an object with `token`, or a browser's subscription.
TRAITS: Final = ("push_tokens", "push_token")
# Of one device; browsers' endpoints are the longest.
_MOST, _LONGEST = 5, 2_000


def several(told: object) -> Iterable[object]:
    """What such a trait holds, one or many."""
    return told if isinstance(told, list) else [] if told in (None, "", {}) else [told]


def told(traits: Mapping[str, Any] | None) -> list[str]:
    """The texts by which push services know the devices of these traits; long ones and many are none."""
    if not traits:
        return []
    texts = (_text(one) for trait in TRAITS for one in several(traits.get(trait)))
    return list(dict.fromkeys(text for text in texts if 0 < len(text) <= _LONGEST))[:_MOST]


def kept(before: Iterable[str], new: Iterable[str]) -> list[str]:
    """Those of one device that are known, the latest last."""
    return list(dict.fromkeys([*before, *new]))[-_MOST:]


def without(traits: Mapping[str, Any], gone: Collection[str]) -> dict[str, Any]:
    """The traits less these tokens."""
    return _those(traits, lambda one: _text(one) not in gone)


def only(traits: Mapping[str, Any], kept: Collection[str]) -> dict[str, Any]:
    """The traits with these tokens alone."""
    return _those(traits, lambda one: _text(one) in kept)


def _those(traits: Mapping[str, Any], wanted: Callable[[object], bool]) -> dict[str, Any]:
    left = dict(traits)
    for trait in TRAITS:
        had = list(several(traits.get(trait)))
        has = [one for one in had if wanted(one)]
        if not has:
            left.pop(trait, None)
        elif len(has) < len(had):
            left[trait] = has
    return left


def _text(one: object) -> str:
    if isinstance(one, Mapping):
        one = one.get("endpoint") or one.get("token")
    return one if isinstance(one, str) else ""
