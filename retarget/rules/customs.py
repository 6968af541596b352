"""The shop's own touchpoints: `custom:NAME` is every `custom` event of that name, `custom` every one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retarget.touchpoints import Touchpoint

CUSTOM: Final = "custom"
MARK: Final = "custom:"


def is_named(kind: str) -> bool:
    """Whether it is a custom touchpoint of one name."""
    return kind.startswith(MARK)


def base_of(kind: str) -> str:
    """The touchpoint's type."""
    return CUSTOM if is_named(kind) else kind


def covers(kind: str, other: str) -> bool:
    """Whether every event of the kind `other` is one of `kind`, too."""
    return kind == other or (kind == CUSTOM and is_named(other))


def kind_in(kinds: Iterable[str], event: Touchpoint) -> str:
    """The event's type, or with its name where that is one of `kinds`."""
    if event.type == CUSTOM and event.name and MARK + event.name in kinds:
        return MARK + event.name
    return event.type
