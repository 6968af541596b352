"""Fitting: a journey that was written under other rules, made ready for those of now."""

from __future__ import annotations

from collections.abc import Mapping

from retarget.journeys.model import Journey
from retarget.rules.matcher import Compiled


def fit(journey: Journey, rules: Mapping[str, Compiled]) -> None:
    """End what waits for a rule that is gone, or for a step that its rule no longer has.

    A yearly date goes on with the next year.
    """
    steps = {name: len(rules[name].rule.steps) if name in rules else 0 for name in journey.episodes}
    for rule, by_subject in list(journey.episodes.items()):
        for subject in [subject for subject, episode in by_subject.items() if episode.step > steps[rule]]:
            if rule in rules and rules[rule].yearly:
                by_subject[subject].step, by_subject[subject].year = 1, 0
            else:
                del by_subject[subject]
        if not by_subject:
            del journey.episodes[rule]
    journey.deferred = [
        deferred
        for deferred in journey.deferred
        if deferred.rule in rules and deferred.step <= len(rules[deferred.rule].rule.steps)
    ]
