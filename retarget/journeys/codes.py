"""Codes that the person was given, told again by the order in which they are used."""

from __future__ import annotations

from retarget.journeys.model import Journey


def redeem(journey: Journey, told: str, time: int) -> None:
    """Let a code be good no longer once an order has used it, in any letters, with hyphens or not."""
    used = _letters(told)
    for given in journey.offers:
        if _letters(given.code) == used and given.expires > time:
            given.expires = time


def _letters(code: str) -> str:
    return "".join(filter(str.isalnum, code)).casefold()
