"""Fitting: a journey that was written under other rules, made ready for those of now."""

from __future__ import annotations

from retarget.journeys.model import Journey
from retarget.rules.matcher import Matcher


def fit(journey: Journey, matcher: Matcher) -> None:
    """End what waits for a rule that is gone, or for a step that its rule no longer has.

    A yearly date goes on with the next year.
    """
    for rule, by_subject in list(journey.episodes.items()):
        gone = [s for s, one in by_subject.items() if one.step > _steps(matcher, rule, one.version)]
        for subject in gone:
            if rule in matcher.rules and matcher.rules[rule].yearly:
                by_subject[subject].step, by_subject[subject].year = 1, 0
            else:
                journey.close(rule, subject)
    journey.deferred = [d for d in journey.deferred if d.step <= _steps(matcher, d.rule, d.version)]


def _steps(matcher: Matcher, rule: str, version: str) -> int:
    """How many steps there are under the version that goes on with it; none of a rule that is gone."""
    return len(matcher.of(rule, version).rule.steps) if rule in matcher.rules else 0
