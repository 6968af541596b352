"""Frequency caps: rolling windows over a person's own sends, exact and without any call to the outside."""

from __future__ import annotations

from typing import Any, NamedTuple

from retarget.engine.policy import Cap, Policy
from retarget.journeys.model import Journey, Send
from retarget.rules.model import Rule

CAPPED_PURPOSE = "marketing"


class Over(NamedTuple):
    """The cap that a further message would break: what it counts, how many there were, and its limit."""

    scope: str
    seen: int
    cap: Cap


def applying(policy: Policy, rule: Rule, channel: str) -> list[tuple[str, tuple[Cap, ...]]]:
    """The caps that count a message of this rule on this channel, by scope."""
    if rule.purpose != CAPPED_PURPOSE:
        return []
    scopes = [
        (scope, policy.caps[scope]) for scope in (channel, rule.purpose, *rule.tags) if scope in policy.caps
    ]
    return [("total", policy.caps_total), *scopes]


def broken(journey: Journey, policy: Policy, rule: Rule, channel: str, at: int) -> Over | None:
    """The first cap that one more message at `at` would break; None when it fits.

    The window is (at - within, at].
    """
    for scope, caps in applying(policy, rule, channel):
        mine = [send.at for send in journey.sends if _counts(send, scope)]
        for cap in caps:
            if len(mine) < cap.most:
                continue
            seen = len([sent for sent in mine if sent > at - cap.within])
            if seen >= cap.most:
                return Over(scope, seen, cap)
    return None


def _counts(send: Send, scope: str) -> bool:
    if send.purpose != CAPPED_PURPOSE:
        return False
    return scope == "total" or scope in (send.channel, send.purpose) or scope in send.tags


def describe(policy: Policy, rule: Rule, channel: str) -> list[dict[str, Any]]:
    """The caps that were looked at, for the decision record."""
    return [
        {"scope": scope, "count": cap.most, "within_ms": cap.within}
        for scope, caps in applying(policy, rule, channel)
        for cap in caps
    ]
