"""Arbitration: of the messages that one person is about to get within a window, the one worth most is sent.

What passes all other gates waits for the window, and is then held against what still waits and what was sent
by the same rule of the game. Whoever has more value wins, then the higher priority, the earlier due, and
names at last, so that no two are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from retarget.engine.candidate import Candidate
from retarget.journeys.model import Bid, Deferred, Journey, Send

COMPETING: Final = "marketing"
# Compared as it stands: the smaller one wins.
_Rank = tuple[float, int, int, str, str, int, str]


class Rival(NamedTuple):
    """Another message that had more value."""

    rule: str
    step: int
    bid: Bid

    def shown(self) -> dict[str, Any]:
        """As it stands in the decision record."""
        return {"rule": self.rule, "step": self.step, "value": self.bid.value, "priority": self.bid.priority}


def competes(candidate: Candidate) -> bool:
    """Whether it is one of those of which a person gets the best."""
    return candidate.rule.purpose == COMPETING and candidate.audience is None


def bid_of(candidate: Candidate) -> Bid:
    """What it competes with; an unknown value is none."""
    return Bid(candidate.value or 0.0, candidate.rule.priority, candidate.due)


def held_until(candidate: Candidate, window: int) -> int:
    """When it is compared: after the window, or while it is still worth something."""
    expires = candidate.rule.expires
    until = candidate.at + window
    return until if expires is None else min(until, candidate.due + expires - 1)


def rival(journey: Journey, candidate: Candidate, bid: Bid, window: int) -> Rival | None:
    """The best of those that had more value within the window, if there is any."""
    own = _rank(bid, candidate.rule.name, candidate.subject_id, candidate.number, candidate.episode)
    ranked = [
        (_rank(b, o.rule, o.subject, o.step, o.episode), o, b) for o, b in _others(journey, candidate, window)
    ]
    best = min(ranked, key=lambda found: found[0], default=None)
    if best is None or best[0] >= own:
        return None
    _, other, other_bid = best
    return Rival(other.rule, other.step, other_bid)


def _others(journey: Journey, candidate: Candidate, window: int) -> Iterator[tuple[Deferred | Send, Bid]]:
    """What was sent less than a window ago, and what waits to be compared in less than one."""
    at = candidate.at
    for send in journey.sends:
        if send.bid is not None and send.at > at - window:
            yield send, send.bid
    for deferred in journey.deferred:
        if deferred.shadow or deferred.bid is None or deferred.closed:
            continue
        if deferred.release < at + window:
            yield deferred, deferred.bid


def _rank(bid: Bid, rule: str, subject: str, step: int, episode: str) -> _Rank:
    return (-bid.value, -bid.priority, bid.due, rule, subject, step, episode)
