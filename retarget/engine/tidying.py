"""Tidying: what no rule, cap or recall can reach any more leaves a journey, and what outlives that."""

from __future__ import annotations

from retarget.engine import bounds, offers
from retarget.engine.moment import Moment
from retarget.journeys.model import SHADOW_MARK, Journey
from retarget.rules import tallies
from retarget.rules.matcher import Matcher
from retarget.rules.model import NEVER


def kept(journey: Journey, moment: Moment) -> int:
    """How long somebody is remembered of whom nothing is heard, ms."""
    return moment.policy.kept_anonymous if journey.user_id is None else moment.policy.kept


def remnant(journey: Journey, matcher: Matcher) -> Journey | None:
    """What outlives a forgotten journey: the word on consent, erasure, and what is never sent again."""
    marks = {
        rule: by_subject
        for rule, by_subject in journey.marks.items()
        if rule in matcher.rules and matcher.rules[rule].rule.again == NEVER and SHADOW_MARK not in rule
    }
    if not (marks or journey.consents or journey.erased):
        return None
    return Journey(
        person=journey.person,
        marks=marks,
        consents=journey.consents,
        erased=journey.erased,
        erased_at=journey.erased_at,
    )


def tidy(journey: Journey, matcher: Matcher, at: int, moment: Moment) -> None:
    """Free a journey from what no rule, cap or recall can reach any more; alike in every run."""
    journey.tidied = at
    tallies.tidy(journey, matcher.keeps, at)
    if journey.sends:
        journey.sends = [s for s in journey.sends if s.counts_at > at - moment.longest_cap or s.until > at]
    if journey.audiences:
        journey.audiences = [m for m in journey.audiences if m.lasts(at)]
    if journey.marks:
        _tidy_marks(journey, matcher, at)
    for rule in [rule for rule in journey.states if SHADOW_MARK in rule and rule not in matcher.rules]:
        del journey.states[rule]
    if journey.offers:
        offers.tidy(journey, at)
    if journey.pauses:
        journey.pauses = {purpose: until for purpose, until in journey.pauses.items() if until > at}
    if journey.ended:
        journey.ended = {what: t for what, t in journey.ended.items() if t > at - moment.max_age}
    horizon = at - matcher.product_reach
    known = journey.products.items()
    for name in [name for name, p in known if p.seen <= horizon and not (p.carted or p.wished or p.bought)]:
        if journey.products.pop(name).followed:
            moment.follow(name, journey.person, follows=False)
    bounds.keep_within(journey, matcher, at, moment)


def _tidy_marks(journey: Journey, matcher: Matcher, at: int) -> None:
    for rule, by_subject in list(journey.marks.items()):
        again = matcher.rules[rule].rule.again if rule in matcher.rules else 0
        if again >= 0:
            journey.marks[rule] = {s: t for s, t in by_subject.items() if t > at - again}
        if not journey.marks[rule]:
            del journey.marks[rule]
