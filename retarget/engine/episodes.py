"""Episodes: opened and touched by events, decided when their wait is over, step after step."""

from __future__ import annotations

from typing import Final

from retarget.engine import about, endings, yearly
from retarget.engine.deciding import Decided, Occasion, decide, leave_out
from retarget.engine.moment import Moment
from retarget.journeys.model import Episode, Journey
from retarget.rules.matcher import Compiled, Touch
from retarget.rules.scene import Scene
from retarget.rules.subjects import carried
from retarget.touchpoints import Touchpoint

# The opening event and the latest touches: enough to explain, small enough to keep.
EVIDENCE_KEPT: Final = 8


def touch(journey: Journey, event: Touchpoint, touch: Touch, scene: Scene, moment: Moment) -> None:
    """Open the episodes this event opens and restart the wait of those it touches."""
    compiled = touch.compiled
    quiet, rule = compiled.quiet, compiled.rule
    assert quiet is not None  # only quiet rules are indexed under touches
    late = event.time < moment.clock
    for subject in compiled.subjects_of(event):
        if late and endings.ended_since(journey, compiled, subject, event):
            continue
        if quiet.when is not None:
            scene.about(rule, subject)
            if not quiet.when.evaluate(scene):
                continue
        episode = journey.episodes.get(compiled.name, {}).get(subject)
        if episode is not None:
            if (episode.version or compiled.former) and not compiled.governs(episode.version):
                continue
            episode.about = about.touched(journey, compiled, subject, event, episode.about)
            _touch_open(episode, event, touch)
        elif touch.opens and not endings.keeps_shut(compiled, subject, scene):
            _open(journey, touch, subject, event, moment)


def _open(journey: Journey, touch: Touch, subject: str, event: Touchpoint, moment: Moment) -> None:
    compiled = touch.compiled
    assert compiled.quiet is not None  # only quiet rules open at a touch
    due = event.time + compiled.quiet.after
    opened = Episode(
        event.id or "", event.time, event.time, due, counts={touch.kind: 1}, evidence=[event.id or ""],
        trace=event.trace, products=carried(compiled.rule.subject, event), version=compiled.opens_as,
        about=about.touched(journey, compiled, subject, event),
    )  # fmt: skip
    journey.episodes.setdefault(compiled.name, {})[subject] = opened
    moment.arm(journey, due)


def _touch_open(episode: Episode, event: Touchpoint, touch: Touch) -> None:
    compiled = touch.compiled
    episode.counts[touch.kind] = episode.counts.get(touch.kind, 0) + 1
    if not touch.touches:
        return
    episode.trace = event.trace or episode.trace
    episode.products = carried(compiled.rule.subject, event) or episode.products
    remember(episode, event)
    if event.time > episode.touched:
        episode.touched = event.time
        if episode.step == 1 and compiled.quiet is not None:
            episode.due = event.time + compiled.quiet.after


def remember(episode: Episode, event: Touchpoint) -> None:
    """Count the event among the evidence: the opening one and the latest."""
    episode.evidence.append(event.id or "")
    if len(episode.evidence) > EVIDENCE_KEPT:
        del episode.evidence[1]


def come_due(journey: Journey, compiled: Compiled, subject: str, scene: Scene, moment: Moment) -> None:
    """Decide the step of an open episode whose wait is over."""
    rule, episode = compiled.rule, journey.episodes[compiled.name][subject]
    number, due = episode.step, episode.due
    if compiled.yearly and number == 1 and not yearly.begins(journey, compiled, episode, moment):
        return
    shut = number == 1 and compiled.yearly and endings.keeps_shut(compiled, subject, scene)
    scene.about(rule, subject, episode)
    if shut or (number == 1 and rule.condition is not None and not rule.condition.evaluate(scene)):
        _move_on(journey, compiled, subject, episode, moment, goes_on=False, shift=0)
        return
    occasion = Occasion(
        compiled=compiled, subject=subject, episode=episode.opened_by, due=due, number=number,
        evidence=list(episode.evidence), trace=episode.trace, products=episode.products,
        about=episode.about, began=_began(compiled, episode),
    )  # fmt: skip
    decided = _take(journey, occasion, scene, moment)
    episode.about = occasion.about
    _move_on(journey, compiled, subject, episode, moment, goes_on=decided.goes_on, shift=decided.shift)


def _take(journey: Journey, occasion: Occasion, scene: Scene, moment: Moment) -> Decided:
    """Decide the step that has come due, or leave it out, as its own condition has it."""
    condition = occasion.compiled.rule.steps[occasion.number - 1].condition
    taken = condition is None or condition.evaluate(scene)
    return (decide if taken else leave_out)(journey, occasion, scene, moment)


def _move_on(journey: Journey, compiled: Compiled, subject: str, episode: Episode, moment: Moment, *,
             goes_on: bool, shift: int) -> None:  # fmt: skip
    steps = compiled.rule.steps
    if not goes_on or episode.step >= len(steps):
        journey.close(compiled.name, subject)
        if compiled.in_force.yearly:
            yearly.go_on(journey, compiled, episode, episode.due, moment)
        return
    episode.began = _began(compiled, episode)
    # `decided` carries the delays of stale steps, so that the later ones keep their distance.
    episode.decided = (episode.decided or episode.due) + shift
    episode.step += 1
    episode.due = episode.decided + steps[episode.step - 1].after
    moment.arm(journey, episode.due)


def _began(compiled: Compiled, episode: Episode) -> int:
    """Since when it is open: a touch begins its first step anew, and a date is nothing before its day."""
    if episode.step > 1:
        return episode.began or episode.touched
    return episode.touched if compiled.date is None else episode.due


def decide_now(journey: Journey, compiled: Compiled, occasion: Occasion, event: Touchpoint, scene: Scene,
               moment: Moment) -> None:  # fmt: skip
    """Decide step 1 at an event; later steps wait as an episode of their own."""
    rule, subject = compiled.rule, occasion.subject
    if subject in journey.episodes.get(compiled.name, ()) or endings.keeps_shut(compiled, subject, scene):
        return
    decided = _take(journey, occasion, scene, moment)
    if decided.goes_on and len(rule.steps) > 1:
        episode = Episode(event.id or "", event.time, event.time, occasion.due, evidence=occasion.evidence,
                          trace=event.trace, products=occasion.products,
                          version=compiled.opens_as, about=occasion.about)  # fmt: skip
        journey.episodes.setdefault(compiled.name, {})[subject] = episode
        _move_on(journey, compiled, subject, episode, moment, goes_on=True, shift=decided.shift)
