"""Codes that the person was given, told again by the order in which they are used."""

from __future__ import annotations

from typing import Final

from retarget.journeys.model import Journey

# So many used codes are remembered, the latest: what one has used may turn out to be what another was given.
USED_KEPT: Final = 100
_LONGEST: Final = 64  # as codes of a pool


def redeem(journey: Journey, told: str, time: int) -> None:
    """Let a code be good no longer once an order has used it, in any letters, with hyphens or not."""
    used = _letters(told)
    if not 0 < len(used) <= _LONGEST:
        return
    journey.used_codes[used] = min(time, journey.used_codes.get(used, time))
    _end_used(journey)
    _forget(journey)


def unite(journey: Journey, other: Journey) -> None:
    """Let both know all codes: one that either has used is good for neither, whichever was told first."""
    for used, time in other.used_codes.items():
        journey.used_codes[used] = min(time, journey.used_codes.get(used, time))
    journey.offers = [*journey.offers, *other.offers]
    _end_used(journey)
    journey.offers = [given for at, given in enumerate(journey.offers) if given not in journey.offers[:at]]
    _forget(journey)


def _end_used(journey: Journey) -> None:
    for given in journey.offers:
        given.expires = min(given.expires, journey.used_codes.get(_letters(given.code), given.expires))


def _forget(journey: Journey) -> None:
    """The earliest, of those of one time the last by name."""
    used = journey.used_codes
    if len(used) > USED_KEPT:
        latest = sorted(used.items(), key=lambda one: (-one[1], one[0]))[:USED_KEPT]
        journey.used_codes = dict(latest)


def _letters(code: str) -> str:
    return "".join(filter(str.isalnum, code)).casefold()
