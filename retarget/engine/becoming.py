"""A person's state has become another one: what was begun for the former one, and what comes."""

from __future__ import annotations

from retarget.engine import endings, episodes, recalls
from retarget.engine.deciding import Occasion
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.engine.setbacks import Before
from retarget.journeys.model import Journey
from retarget.rules.matcher import Compiled
from retarget.rules.model import Rule
from retarget.rules.scene import Scene
from retarget.touchpoints import Touchpoint


def turn(journey: Journey, compiled: Compiled, occasion: Occasion, event: Touchpoint, scene: Scene,
         moment: Moment) -> None:  # fmt: skip
    """Decide the new state of an occasion, and note it.

    With an audience for each state the former one's episode is over: it would keep the person from the next.
    Without one a series goes on as ever, and nothing new is decided.
    """
    name, subject = compiled.name, occasion.subject
    if endings.keeps_shut(compiled, subject, scene):
        return
    former = journey.episodes.get(name, {}).get(subject)
    if former is None or _by_state(compiled.rule):
        before = Before(journey, moment)
        waiting = [one for one in journey.deferred if one.rule == name and not one.closed]
        try:
            if _by_state(compiled.rule):
                journey.close(name, subject)
                for one in waiting:
                    one.closed = True
            if _is_taken(compiled.rule, scene):
                _leave(journey, compiled, Undoing(compiled.rule, event.time, event.id or ""), moment)
            episodes.decide_now(journey, compiled, occasion, event, scene, moment)
        except Exception:
            before.put_back()  # the person stays in the audience of the state before
            if former is not None:
                journey.episodes.setdefault(name, {})[subject] = former
            for one in waiting:
                one.closed = False
            raise
    journey.states[name] = occasion.state


def _by_state(rule: Rule) -> bool:
    return any(step.audience is not None and step.audience.by_state for step in rule.steps)


def _is_taken(rule: Rule, scene: Scene) -> bool:
    """Whether the step that joins is not left out: nobody leaves an audience for none."""
    condition = rule.steps[0].condition
    return condition is None or condition.evaluate(scene)


def _leave(journey: Journey, compiled: Compiled, undoing: Undoing, moment: Moment) -> None:
    """Leave the audience of the state before; one that is every state's would be joined again at once."""
    shared = {
        name
        for step in compiled.rule.steps
        if step.audience is not None and step.audience.add
        for name in step.audience.names
    }
    for membership in [m for m in journey.audiences if m.rule == compiled.name]:
        if membership.audience not in shared:
            recalls.leave(journey, membership, undoing, moment)
