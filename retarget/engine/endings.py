"""Endings: what closes an episode, takes back what was sent for it, and is known while it is still held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retarget.engine import recalls, yearly
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.journeys import facts, repeats, wire
from retarget.journeys.facts import Change
from retarget.journeys.model import Deferred, Episode, Journey, Membership, Send
from retarget.rules import subjects
from retarget.rules.matcher import Compiled, Plan
from retarget.rules.model import Ending
from retarget.rules.scene import Scene
from retarget.touchpoints import Touchpoint


def apply(journey: Journey, event: Touchpoint, plan: Plan, conditional: Sequence[Compiled], scene: Scene,
          moment: Moment) -> None:  # fmt: skip
    """End what this event ends, by its type or by a condition that now holds."""
    for compiled, ending in plan.endings:
        for what in _marks(compiled, ending, event):
            _note(journey, what, event.time)
        only = _products_of(ending, event)
        try:
            for subject in list(_reached(journey, compiled, ending, event)):
                end(journey, compiled, subject, event, moment, only)
        except Exception as error:  # noqa: BLE001 - the other rules go on
            moment.fail(compiled.name, error)
    if conditional and not (journey.episodes or journey.sends or journey.audiences or journey.deferred):
        conditional = [one for one in conditional if one.own_tally]
    if conditional:
        _by_condition(journey, event, conditional, scene, moment)


def _by_condition(journey: Journey, event: Touchpoint, conditional: Sequence[Compiled], scene: Scene,
                  moment: Moment) -> None:  # fmt: skip
    for compiled in conditional:
        counted = journey.tallies.get(compiled.tally, ()) if compiled.own_tally else ()
        for subject in dict.fromkeys([*_open_subjects(journey, compiled.name), *counted]):
            try:
                if condition_holds(compiled, subject, scene):
                    end(journey, compiled, subject, event, moment)
            except Exception as error:  # noqa: BLE001 - the other rules go on
                moment.fail(compiled.name, error)
                # It may have been an ending, and nobody is written to after one.
                _count_afresh(journey, compiled, subject)
                _close(journey, compiled, subject, event.time, moment)


def _note(journey: Journey, what: str, time: int) -> None:
    if time > journey.ended.get(what, 0):
        journey.ended[what] = time


def _marks(compiled: Compiled, ending: Ending, event: Touchpoint) -> Iterable[str]:
    """What an ending event of this ending's type is noted under."""
    if ending.same is None:
        return (str(ending.event),)
    named = compiled.subjects_of(event) if ending.same == "subject" else subjects.product(event)
    return [_key(str(ending.event), compiled, ending, one) for one in named]


def _key(event_type: str, compiled: Compiled, ending: Ending, one: str) -> str:
    return f"{event_type} {'product' if ending.same == 'product' else compiled.rule.subject} {one}"


def _reached(journey: Journey, compiled: Compiled, ending: Ending, event: Touchpoint) -> Iterable[str]:
    """The subjects of a rule of which something may end; a count about them starts afresh."""
    if ending.same == "subject":
        return compiled.subjects_of(event)
    counted = compiled.subjects_of(event) if compiled.own_tally and ending.same == "product" else ()
    return dict.fromkeys([*_open_subjects(journey, compiled.name), *counted])


def _products_of(ending: Ending, event: Touchpoint) -> frozenset[str] | None:
    """Only what is about one of these ends; None: whatever it is about."""
    return frozenset(subjects.product(event)) if ending.same == "product" else None


def ended_since(journey: Journey, compiled: Compiled, subject: str, touch: Touchpoint) -> bool:
    """Whether an ending event later than this touch has been applied: a late one opens nothing then."""
    return last_ending(journey, compiled, subject, subjects.product(touch)) > touch.time


def last_ending(journey: Journey, compiled: Compiled, subject: str, about: Iterable[str]) -> int:
    """The time of the latest event that ends what is about this subject, or these products; 0: none does."""
    ended, latest = journey.ended, 0
    for name, ending in compiled.endings.items():
        named = about if ending.same == "product" else (subject,)
        for one in named:
            what = name if ending.same is None else _key(name, compiled, ending, one)
            latest = max(latest, ended.get(what, 0))
    return latest


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


def condition_holds(compiled: Compiled, subject: str, scene: Scene) -> bool:
    """Whether a condition that ends a rule's episodes holds in this scene."""
    scene.about(compiled.rule, subject)
    return any(condition.evaluate(scene) for condition in compiled.conditional)


def keeps_shut(compiled: Compiled, subject: str, scene: Scene) -> bool:
    """Whether an episode would be over as soon as it is opened, so that it is not."""
    return bool(compiled.conditional) and condition_holds(compiled, subject, scene)


def end(journey: Journey, compiled: Compiled, subject: str, event: Touchpoint, moment: Moment,
        only: frozenset[str] | None = None) -> None:  # fmt: skip
    """Close the episode of one subject and undo what was sent for it; `only` what is about such products."""
    rule = compiled.name
    if only is None or subject in compiled.subjects_of(event):
        _count_afresh(journey, compiled, subject)
    if not _close(journey, compiled, subject, event.time, moment, only):
        return
    undoing = Undoing(compiled.rule, event.time, event.id or "")
    at = max(event.time, moment.clock)
    for send in journey.sends:
        if send.rule == rule and send.subject == subject and at < send.until and _is_about(send, only):
            recalls.recall(journey, send, undoing, moment)
    for membership in list(journey.audiences):
        if membership.rule != rule or membership.subject != subject or not _is_about(membership, only):
            continue
        if membership.lasts(at):
            recalls.leave(journey, membership, undoing, moment)


def _is_about(one: Episode | Deferred | Send | Membership, only: frozenset[str] | None) -> bool:
    return only is None or not only.isdisjoint(one.about)


def _count_afresh(journey: Journey, compiled: Compiled, subject: str) -> None:
    if compiled.own_tally:
        journey.tallies.get(compiled.tally, {}).pop(subject, None)


def _close(journey: Journey, compiled: Compiled, subject: str, at: int, moment: Moment,
           only: frozenset[str] | None = None) -> bool:  # fmt: skip
    """Close what is open; whether it was this version's to close."""
    rule = compiled.name
    if (compiled.former or compiled.others) and not compiled.governs(_version(journey, rule, subject)):
        return False
    episode = journey.episodes.get(rule, {}).get(subject)
    if episode is not None and _is_about(episode, only):
        if compiled.yearly:
            yearly.ended(journey, compiled, at, moment)
        else:
            journey.close(rule, subject)
    for deferred in journey.deferred:
        if deferred.rule == rule and deferred.subject == subject and _is_about(deferred, only):
            deferred.closed = True
    return True


def _version(journey: Journey, rule: str, subject: str) -> str:
    """What the open episode of a subject notes, else what waits for the morning."""
    episode = journey.episodes.get(rule, {}).get(subject)
    if episode is not None:
        return episode.version
    waiting = (d.version for d in journey.deferred if d.rule == rule and d.subject == subject)
    return next(waiting, "")


def known_early(journey: Journey, compiled: Compiled, subject: str, about: list[str], scene: Scene,
                moment: Moment) -> bool:  # fmt: skip
    """Whether an event that is read but held will end this: nobody is reminded of what they have bought."""
    window = moment.policy.dedupe_window
    held = moment.held_of(journey.person)
    held = [e for e in held if not repeats.is_repeat(journey, e.id or "", e.time, window)]
    for event in held:
        if any(_reaches(compiled, one, event, subject, about) for one in compiled.endings_by(event)):
            return True
    return bool(held and compiled.conditional) and _will_hold(journey, compiled, subject, held, window, scene)


def _reaches(compiled: Compiled, ending: Ending, event: Touchpoint, subject: str, about: list[str]) -> bool:
    if ending.same == "product":
        return not set(about).isdisjoint(subjects.product(event))
    return ending.same is None or subject in compiled.subjects_of(event)


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
            if condition_holds(compiled, subject, scene):
                return True
        return False
    finally:
        scene.of_event(*before)
