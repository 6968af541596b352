"""Endings: what closes an episode, takes back what was sent for it, and is known while it is still held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retarget.engine import recalls, yearly
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.journeys import facts, repeats, wire
from retarget.journeys.facts import Change
from retarget.journeys.model import Journey
from retarget.rules.matcher import Compiled, Plan
from retarget.rules.model import Ending
from retarget.rules.scene import Scene
from retarget.touchpoints import Touchpoint


def apply(journey: Journey, event: Touchpoint, plan: Plan, conditional: Sequence[Compiled], scene: Scene,
          moment: Moment) -> None:  # fmt: skip
    """End what this event ends, by its type or by a condition that now holds."""
    for compiled, ending in plan.endings:
        if ending.same_subject:
            subjects: Iterable[str] = compiled.subjects_of(event)
            for subject in subjects:
                _note(journey, _key(event.type, compiled, subject), event.time)
        else:
            subjects = _open_subjects(journey, compiled.name)
            _note(journey, event.type, event.time)
        try:
            for subject in list(subjects):
                end(journey, compiled, subject, event, moment)
        except Exception as error:  # noqa: BLE001 - the other rules go on
            moment.fail(compiled.name, error)
    if conditional and (journey.episodes or journey.sends or journey.audiences or journey.deferred):
        _by_condition(journey, event, conditional, scene, moment)


def _by_condition(journey: Journey, event: Touchpoint, conditional: Sequence[Compiled], scene: Scene,
                  moment: Moment) -> None:  # fmt: skip
    for compiled in conditional:
        for subject in list(_open_subjects(journey, compiled.name)):
            try:
                if _condition_holds(compiled, subject, scene):
                    end(journey, compiled, subject, event, moment)
            except Exception as error:  # noqa: BLE001 - the other rules go on
                moment.fail(compiled.name, error)
                # It may have been an ending, and nobody is written to after one.
                _close(journey, compiled, subject, event.time, moment)


def _note(journey: Journey, what: str, time: int) -> None:
    if time > journey.ended.get(what, 0):
        journey.ended[what] = time


def _key(event_type: str, compiled: Compiled, subject: str) -> str:
    return f"{event_type} {compiled.rule.subject} {subject}"


def ended_since(journey: Journey, compiled: Compiled, subject: str, time: int) -> bool:
    """Whether an ending event later than `time` has been applied: a late touch opens nothing then."""
    ended = journey.ended
    return any(
        ended.get(_key(name, compiled, subject) if ending.same_subject else name, 0) > time
        for name, ending in compiled.endings.items()
    )


def _open_subjects(journey: Journey, rule: str) -> Iterable[str]:
    """Everything of a rule that an ending can reach: episodes, deferred and sent messages, audiences."""
    # Plain loops: at every event, for every rule that a condition may end, mostly over nothing of it.
    found = dict.fromkeys(journey.episodes.get(rule, ()))
    for deferred in journey.deferred:
        if deferred.rule == rule:
            found[deferred.subject] = None
    for send in journey.sends:
        if send.rule == rule and send.until:
            found[send.subject] = None
    for membership in journey.audiences:
        if membership.rule == rule:
            found[membership.subject] = None
    return found


def _condition_holds(compiled: Compiled, subject: str, scene: Scene) -> bool:
    scene.about(compiled.rule, subject)
    return any(condition.evaluate(scene) for condition in compiled.conditional)


def end(journey: Journey, compiled: Compiled, subject: str, event: Touchpoint, moment: Moment) -> None:
    """Close the episode of one subject and undo what was sent for it."""
    rule = compiled.name
    if not _close(journey, compiled, subject, event.time, moment):
        return
    undoing = Undoing(compiled.rule, event.time, event.id or "")
    at = max(event.time, moment.clock)
    for send in journey.sends:
        if send.rule == rule and send.subject == subject and at < send.until:
            recalls.recall(journey, send, undoing, moment)
    for membership in list(journey.audiences):
        if membership.rule == rule and membership.subject == subject and _is_member(membership.expires, at):
            recalls.leave(journey, membership, undoing, moment)


def _close(journey: Journey, compiled: Compiled, subject: str, at: int, moment: Moment) -> bool:
    """Close what is open; whether it was this version's to close."""
    rule = compiled.name
    if compiled.own_tally:
        journey.tallies.get(compiled.tally, {}).pop(subject, None)
    if (compiled.former or compiled.others) and not compiled.governs(_version(journey, rule, subject)):
        return False
    episodes = journey.episodes.get(rule)
    if compiled.yearly:
        yearly.ended(journey, compiled, at, moment)
    elif episodes is not None and episodes.pop(subject, None) is not None and not episodes:
        del journey.episodes[rule]
    for deferred in journey.deferred:
        if deferred.rule == rule and deferred.subject == subject:
            deferred.closed = True
    return True


def _version(journey: Journey, rule: str, subject: str) -> str:
    """What the open episode of a subject notes, else what waits for the morning."""
    episode = journey.episodes.get(rule, {}).get(subject)
    if episode is not None:
        return episode.version
    waiting = (d.version for d in journey.deferred if d.rule == rule and d.subject == subject)
    return next(waiting, "")


def _is_member(expires: int, at: int) -> bool:
    return not expires or at < expires


def known_early(journey: Journey, compiled: Compiled, subject: str, scene: Scene, moment: Moment) -> bool:
    """Whether an event that is read but held will end this: nobody is reminded of what they have bought."""
    window = moment.policy.dedupe_window
    held = moment.held_of(journey.person)
    held = [e for e in held if not repeats.is_repeat(journey, e.id or "", e.time, window)]
    for event in held:
        ending = compiled.endings.get(event.type)
        if ending is not None and _reaches(compiled, ending, event, subject):
            return True
    return bool(held and compiled.conditional) and _will_hold(journey, compiled, subject, held, window, scene)


def _reaches(compiled: Compiled, ending: Ending, event: Touchpoint, subject: str) -> bool:
    return not ending.same_subject or subject in compiled.subjects_of(event)


def _will_hold(
    journey: Journey, compiled: Compiled, subject: str, held: list[Touchpoint], window: int, scene: Scene
) -> bool:
    """Play the held events on a copy; whether a condition that ends the episode comes true on the way."""
    ahead = wire.decode(wire.encode(journey))
    before = scene.journey, scene.event, scene.change, scene.at
    try:
        for event in held:
            if not repeats.admit(ahead, event.id or "", event.time, window):
                continue
            change = Change()
            facts.apply(ahead, event, change)
            scene.of_event(ahead, event, change, event.time)
            if _condition_holds(compiled, subject, scene):
                return True
        return False
    finally:
        scene.of_event(*before)
