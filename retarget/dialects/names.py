"""Names of producers, whose meaning is worked out once: they have some hundreds, and each event has some."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

from retarget.touchpoints import LONGEST_ID

_KEPT: Final = 1024
T = TypeVar("T")


def remembered(meaning: Callable[[str], T]) -> Callable[[str], T]:
    """The same from memory, but for names so long that memory would be filled with them."""
    known = lru_cache(maxsize=_KEPT)(meaning)

    @wraps(meaning)
    def told(name: str) -> T:
        return known(name) if len(name) <= LONGEST_ID else meaning(name)

    return told
