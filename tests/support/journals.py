"""A lane's history at once, where it is known to be short."""

from __future__ import annotations

from streams.ports import Entry, History


async def whole(history: History) -> list[Entry]:
    """All of its portions, one after the other."""
    return [entry async for portion in history.portions() for entry in portion]
