"""Pacing: where a channel has a rate, each message gets the first free moment of its lane's share.

What a lane has given away is kept in microseconds, as shares may be finer than the milliseconds of times.
"""

from __future__ import annotations

from collections.abc import Mapping

from retarget.engine.policy import Policy

# Channel -> the first moment that is still free, epoch us; the lane keeps it with its positions.
Paced = dict[str, int]


def free_from(paced: Mapping[str, int], policy: Policy, channel: str, now: int) -> int | None:
    """The first free moment from `now` on, ms; None on a channel without a rate."""
    if channel not in policy.pace:
        return None
    return -(-max(now * 1000, paced.get(channel, 0)) // 1000)


def take(paced: Paced, policy: Policy, channel: str, now: int) -> int | None:
    """Give the first free moment from `now` on away, ms; None on a channel without a rate.

    Of the moments given away, however many ask, no more than the lane's share lie in any (t - window, t].
    """
    free = free_from(paced, policy, channel, now)
    if free is not None:
        paced[channel] = max(now * 1000, paced.get(channel, 0)) + policy.pace[channel]
    return free
