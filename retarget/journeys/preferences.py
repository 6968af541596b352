"""What a person asks for by `traits.preference`: fewer messages of some tags, or of all in a week."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TRAIT: Final = "preference"
TAGS_KEPT: Final = 100
# More in a week is no limit.
_MOST: Final = 1_000_000

# As it is kept: {"less": [tags], "max_per_week": n}, either may be missing.
Preference = dict[str, Any]


def heard(known: object, said: object) -> tuple[Preference, int]:
    """What to keep of a word, and how many parts of it cannot be read and are ignored.

    A word replaces the one before it; of a part that cannot be read the one before stays.
    """
    before: Preference = known if isinstance(known, dict) else {}
    if said is None:
        return {}, 0
    if not isinstance(said, Mapping):
        return before, 1
    less, ignored = _less(said.get("less"), before)
    most, wrong = _most(said.get("max_per_week"), before)
    return less | most, ignored + wrong


def _less(said: object, before: Preference) -> tuple[Preference, int]:
    if said is None:
        return {}, 0
    if not isinstance(said, list):
        return {key: before[key] for key in ("less",) if key in before}, 1
    tags = list(dict.fromkeys(tag for tag in said if isinstance(tag, str) and tag))[:TAGS_KEPT]
    unread = sum(not (isinstance(tag, str) and tag in tags) for tag in said)
    return ({"less": tags} if tags else {}), unread


def _most(said: object, before: Preference) -> tuple[Preference, int]:
    if said is None:
        return {}, 0
    if isinstance(said, bool) or not isinstance(said, int) or said < 0:
        return {key: before[key] for key in ("max_per_week",) if key in before}, 1
    return {"max_per_week": min(said, _MOST)}, 0
