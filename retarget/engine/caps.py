"""Frequency caps: rolling windows over a person's own sends, exact and without any call to the outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, get_args

from retarget.engine.policy import Cap, Policy
from retarget.journeys import preferences
from retarget.journeys.model import Journey, Send
from retarget.rules.model import Channel, Purpose, Rule
from retarget.times import DAY

CAPPED_PURPOSE = "marketing"
_TOTAL: Final = "total"


def known_scopes(tags: Iterable[str]) -> frozenset[str]:
    """Everything that a cap can be of where rules have these tags."""
    return frozenset({_TOTAL, *get_args(Channel), *get_args(Purpose), *tags})


class Applying(NamedTuple):
    """A cap that counts a message, with what it counts; `asked`: the person asked for it."""

    scope: str
    cap: Cap
    asked: bool = False

    def shown(self) -> dict[str, Any]:
        """As it stands in the decision record."""
        limit: dict[str, Any] = {"scope": self.scope, "count": self.cap.most, "within_ms": self.cap.within}
        return limit | {"asked": True} if self.asked else limit


class Over(NamedTuple):
    """The cap that a further message would break, and how many there were."""

    applying: Applying
    seen: int


def applying(journey: Journey, policy: Policy, rule: Rule, channel: str) -> list[Applying]:
    """The caps that count a message of this rule on this channel to this person."""
    if rule.purpose != CAPPED_PURPOSE:
        return []
    scopes = [scope for scope in (channel, rule.purpose, *rule.tags) if scope in policy.caps]
    said = journey.traits.get(preferences.TRAIT)
    found = _set(policy, scopes)
    return found if said is None else [*found, *_asked_for(said, policy, rule.tags)]


def counting(journey: Journey, policy: Policy) -> list[Applying]:
    """All caps that may count what this person was sent, whatever comes next."""
    said = journey.traits.get(preferences.TRAIT)
    found = _set(policy, policy.caps)
    return found if said is None else [*found, *_asked_for(said, policy, None)]


def _set(policy: Policy, scopes: Iterable[str]) -> list[Applying]:
    """Those of the settings."""
    found = [Applying(_TOTAL, cap) for cap in policy.caps_total]
    return found + [Applying(scope, cap) for scope in scopes for cap in policy.caps[scope]]


def _asked_for(said: object, policy: Policy, tags: Iterable[str] | None) -> list[Applying]:
    """Of a tag half of its caps, or of the total where it has none, but one; in total so many a week.

    `tags`: those of the rule; None: all that the person wants less of.
    """
    wish, _ = preferences.heard(None, said)
    less = wish.get("less", ())
    halved = [
        Applying(tag, Cap(min(cap.most, max(cap.most // 2, 1)), cap.within), asked=True)
        for tag in (less if tags is None else tags)
        if tag in less
        for cap in policy.caps.get(tag, policy.caps_total)
    ]
    if "max_per_week" in wish:
        halved.append(Applying("total", Cap(wish["max_per_week"], 7 * DAY), asked=True))
    return halved


def counts(journey: Journey, found: Iterable[Applying], at: int) -> list[int]:
    """How many messages each of these caps counts at `at`: those of (at - within, at]."""
    return [len(_counted(journey, one, at)) for one in found]


def broken(found: Iterable[Applying], seen: Iterable[int]) -> Over | None:
    """The first of these caps, of which each has seen so many, that one more would break; None: it fits."""
    for one, count in zip(found, seen, strict=True):
        if count >= one.cap.most:
            return Over(one, count)
    return None


def room(journey: Journey, found: Iterable[Applying], at: int) -> int | None:
    """The first moment from `at` on with room in these caps, if nothing is sent until then; None: never."""
    moment = at
    for one in found:
        if one.cap.most <= 0:
            return None
        counted = sorted(_counted(journey, one, at))
        if len(counted) >= one.cap.most:
            moment = max(moment, counted[-one.cap.most] + one.cap.within)
    return moment


def still_counts(send: Send, found: Iterable[Applying], at: int) -> bool:
    """Whether one of these caps counts it at `at`."""
    return any(send.counts_at > at - one.cap.within and _counts(send, one.scope) for one in found)


def _counted(journey: Journey, one: Applying, at: int) -> list[int]:
    """When the sends went out that the cap counts at `at`."""
    since = at - one.cap.within
    return [
        send.counts_at
        for send in journey.sends
        if (send.at > since or send.leaves > since) and _counts(send, one.scope)
    ]


def _counts(send: Send, scope: str) -> bool:
    if send.purpose != CAPPED_PURPOSE:
        return False
    return scope == "total" or scope in (send.channel, send.purpose) or scope in send.tags
