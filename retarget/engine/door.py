"""The one door of the engine: an event applied to a journey, or a wait of it that is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from retarget.catalogue import News
from retarget.engine import (
    about,
    becoming,
    consenting,
    dates,
    deciding,
    endings,
    episodes,
    guard,
    identity,
    listings,
    recalls,
    tidying,
    withdrawal,
    yearly,
)
from retarget.engine.deciding import Occasion
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.journeys import facts, repeats, stages
from retarget.journeys.facts import Change
from retarget.journeys.model import Episode, Journey
from retarget.rules import customs, subjects, tallies
from retarget.rules.matcher import Compiled, Matcher, Plan
from retarget.rules.model import Becomes
from retarget.rules.scene import Scene
from retarget.times import DAY
from retarget.touchpoints import Touchpoint

# How often a journey is freed from what nothing can reach any more.
TIDY_EVERY: Final = 2 * DAY
# The part of an event that a type's ignored parts belong to, where it is not the preference of a profile.
_IGNORED: Final = {"score": "score"}


class Engine:
    """The rules of one bundle, ready to run. Holds no state of any person."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.ending_types, self.follows = matcher.ending_types, matcher.follows
        self.guarded, self._customs = matcher.guarded, matcher.customs
        self._scene = Scene(Journey(person=""))
        # Looked up at every event.
        self._plans, self._conditional, self._becoming = matcher.plans, matcher.conditional, matcher.becomes
        self._asks_stage = matcher.asks_stage
        self._always = bool(matcher.conditional or matcher.becomes)

    def of(self, person: str) -> Engine:  # noqa: ARG002 - see SplitEngine
        """The engine that decides for this person."""
        return self

    def apply(self, journey: Journey, event: Touchpoint, moment: Moment) -> bool:  # noqa: C901, PLR0912 - hot loop
        """Work an event into its person's journey and decide what it completes; False for a repeat.

        The event's time may lie behind the moment's clock: it is late, and judged at the clock. What is from
        before an erasure is nothing. Raises RulesFailed, when all is done, where rules could not stand it.
        """
        event_id, time = event.id or "", event.time
        if journey.erased and identity.is_past(journey, event):
            # It was forgotten with the rest, though it comes only now: an old topic that is read once more.
            moment.counts["ignored", "erased"] += 1
            return True
        if not repeats.admit(journey, event_id, time, moment.dedupe_window):
            return False
        if time - journey.tidied > TIDY_EVERY:
            tidying.tidy(journey, self.matcher, time, moment)
        plan = self._plans.get(customs.kind_in(self._customs, event) if self._customs else event.type)
        scene = self._scene
        change = scene.change
        change.changes_cart = change.new_order = False
        if event.type == "erase":
            identity.part(journey, event, moment)
            self.forget(journey, time, event_id, moment)
            moment.forgotten.append(journey.person)
        facts.apply(journey, event, change)
        if change.noted or event.consent is not None:
            _note(journey, event, change, moment)
            if consenting.is_word(event):
                consenting.hear(journey, event, moment)
                withdrawal.take_back(journey, self.matcher, time, event_id, moment)
        if self.follows and event.items:
            listings.follow(journey, event, moment)
        if plan is None:
            return True
        ripe = self._count(journey, event, plan) if plan.tallies else False
        if self._asks_stage:
            stages.note(journey, event.type, subjects.product(event), max(time, moment.clock))
        if ripe or plan.acts or self._always:
            scene.of_event(journey, event, change, max(time, moment.clock))
            if plan.heard:
                guard.hear(moment.heard, time)
            if plan.endings or self._conditional:
                endings.apply(journey, event, plan, self._conditional, scene, moment)
            if time >= moment.clock - moment.max_age:
                scene.at = time
                self._trigger(journey, event, plan, moment, ripe=ripe)
        if not journey.alarm:
            moment.arm(journey, time + tidying.kept(journey, moment))
        if moment.failures:
            moment.raise_failures()
        return True

    def concerns(self, news: News, moment: Moment) -> bool:
        """Whether anybody needs to hear of a change in the catalogue."""
        return listings.concerns(self.matcher, news, self._scene, moment)

    def hear(self, journey: Journey, news: News, moment: Moment) -> None:
        """Tell a person who follows a product of a change in the catalogue, and decide what it is for."""
        listings.hear(journey, self.matcher, news, self._scene, moment)

    def join(self, journey: Journey, other: Journey, moment: Moment) -> None:
        """Put the history of an anonymous person into the journey of whom they turned out to be."""
        identity.join(journey, other, self.matcher, self._scene, moment)
        withdrawal.take_back(journey, self.matcher, moment.clock, "", moment)
        if self._asks_stage:
            stages.refresh(journey, moment.clock)

    def depart(self, journey: Journey, at: int, moment: Moment) -> None:
        """Let an anonymous person go whose history leaves for another journey, and maybe for another lane."""
        listings.unfollow_all(journey, moment)
        self._leave_audiences(journey, at, "", moment)

    def forget(self, journey: Journey, at: int, event_id: str, moment: Moment) -> None:
        """Call back what was sent to a person who is erased, and let them go."""
        withdrawal.call_back_all(journey, self.matcher, at, event_id, moment)
        self.let_go(journey, at, event_id, moment)

    def let_go(self, journey: Journey, at: int, event_id: str, moment: Moment) -> None:
        """Take a person who will be forgotten out of every audience; close what waits for the morning."""
        listings.unfollow_all(journey, moment)
        self._leave_audiences(journey, at, event_id, moment)
        rules = self.matcher.rules
        for deferred in [d for d in journey.deferred if d.rule in rules]:
            deferred.closed = True
            try:
                compiled = self.matcher.of(deferred.rule, deferred.version)
                deciding.release(journey, deferred, compiled, self._scene, moment)
            except Exception as error:  # noqa: BLE001 - the other rules go on
                moment.fail(deferred.rule, error)

    def _leave_audiences(self, journey: Journey, at: int, event_id: str, moment: Moment) -> None:
        for membership in list(journey.audiences):
            undoing = Undoing(recalls.rule_of(self.matcher, membership), at, event_id)
            try:
                recalls.leave(journey, membership, undoing, moment)
            except Exception as error:  # noqa: BLE001 - the other rules go on
                moment.fail(membership.rule, error)

    def _count(self, journey: Journey, event: Touchpoint, plan: Plan) -> bool:
        """Count the event; whether that may be enough for a count rule."""
        ripe = False
        for name, subjects_of, pairs_of, keep, least in plan.tallies:
            if pairs_of is not None:
                ripe = ripe or least <= tallies.KEPT
                for subject, value in pairs_of(event):
                    tallies.add(journey, name, subject, event, value, keep)
            else:
                for subject in subjects_of(event):
                    if tallies.add(journey, name, subject, event, "", keep) >= least:
                        ripe = True
        return ripe

    def _trigger(
        self, journey: Journey, event: Touchpoint, plan: Plan, moment: Moment, *, ripe: bool
    ) -> None:
        # A rule that fails is noted, and the others go on; a `try` costs nothing while nothing is raised.
        for touch in plan.touches:
            try:
                episodes.touch(journey, event, touch, self._scene, moment)
            except Exception as error:  # noqa: BLE001
                moment.fail(touch.compiled.name, error)
        for compiled in plan.dates:
            try:
                dates.note(journey, event, compiled, self._scene, moment)
            except Exception as error:  # noqa: BLE001
                moment.fail(compiled.name, error)
        if ripe or plan.events or plan.sequences:
            for compiled, occasion in self._completed(journey, event, plan, moment):
                self._scene.about(compiled.rule, occasion.subject)
                try:
                    episodes.decide_now(journey, compiled, occasion, event, self._scene, moment)
                except Exception as error:  # noqa: BLE001
                    moment.fail(compiled.name, error)
        for compiled in self._becoming:
            try:
                self._becomes(journey, compiled, event, moment)
            except Exception as error:  # noqa: BLE001
                moment.fail(compiled.name, error)

    def _completed(
        self, journey: Journey, event: Touchpoint, plan: Plan, moment: Moment
    ) -> list[tuple[Compiled, Occasion]]:
        """What this event completes, in the order in which it is decided; nothing of a rule that fails."""
        found: list[tuple[Compiled, Occasion]] = []
        for compiled in plan.counts:
            try:
                self._counted(journey, compiled, event, found)
            except Exception as error:  # noqa: BLE001
                moment.fail(compiled.name, error)
        for compiled in plan.sequences:
            try:
                found += self._followed(journey, compiled, event)
            except Exception as error:  # noqa: BLE001
                moment.fail(compiled.name, error)
        for compiled in plan.events:
            try:
                met = [s for s in _unended(journey, compiled, event, moment) if self._met(compiled, s)]
                found += [(compiled, _occasion(journey, compiled, s, event, [event.id or ""])) for s in met]
            except Exception as error:  # noqa: BLE001
                moment.fail(compiled.name, error)
        if moment.failures:
            found = [pair for pair in found if pair[0].name not in moment.failures]
        if len(found) > 1:
            found.sort(key=lambda pair: (-pair[0].rule.priority, pair[0].name, pair[1].subject))
        return found

    def _counted(
        self, journey: Journey, compiled: Compiled, event: Touchpoint, found: list[tuple[Compiled, Occasion]]
    ) -> None:
        """Add the subjects of which there are enough with this event."""
        count = compiled.count
        assert count is not None  # only count rules are indexed under counts
        by_subject = journey.tallies.get(compiled.tally) or {}
        for subject in compiled.subjects_of(event):
            tally = by_subject.get(subject)
            counted = tallies.reached(tally, count, event.time) if tally else []
            if count.category is not None and event.id not in counted:
                continue  # about something else: it adds nothing to what is counted
            if counted and self._met(compiled, subject):
                evidence = counted[-episodes.EVIDENCE_KEPT :]
                found.append((compiled, _occasion(journey, compiled, subject, event, evidence)))

    def _followed(
        self, journey: Journey, compiled: Compiled, event: Touchpoint
    ) -> Iterator[tuple[Compiled, Occasion]]:
        """The subjects whose sequence this event completes."""
        assert compiled.sequence is not None  # only such rules are indexed under sequences
        by_subject = journey.tallies.get(compiled.tally) or {}
        for subject in compiled.subjects_of(event):
            tally = by_subject.get(subject)
            first = tallies.followed(tally, compiled.sequence, event.time) if tally else None
            if first is not None and self._met(compiled, subject):
                yield compiled, _occasion(journey, compiled, subject, event, [first, event.id or ""])

    def _met(self, compiled: Compiled, subject: str) -> bool:
        condition = compiled.rule.condition
        if condition is None:
            return True
        self._scene.about(compiled.rule, subject)
        return condition.evaluate(self._scene)

    def _becomes(self, journey: Journey, compiled: Compiled, event: Touchpoint, moment: Moment) -> None:
        """Decide when the person's state turns into another one."""
        trigger = compiled.rule.trigger
        assert isinstance(trigger, Becomes)  # only such rules are listed under becomes
        subject = journey.person
        self._scene.about(compiled.rule, subject)
        state = next((name for name, when in trigger.states.items() if when.evaluate(self._scene)), None)
        if state is None or state == journey.states.get(compiled.name) or not self._met(compiled, subject):
            return
        occasion = _occasion(journey, compiled, subject, event, [event.id or ""], state)
        becoming.turn(journey, compiled, occasion, event, self._scene, moment)

    def wake(self, journey: Journey, due: int, moment: Moment) -> int:
        """Decide everything of this person that is due by `due`; how many decisions that were.

        What a rule cannot stand is over. Raises RulesFailed then, when all else is decided.
        """
        journey.alarm = 0
        scene, rules, decided = self._scene, self.matcher.rules, 0
        scene.of_wait(journey, max(due, moment.clock))
        for _, _, rule, subject, release in self._due(journey, due):
            try:
                if release:
                    self._release(journey, rule, subject, due, moment)
                elif subject in journey.episodes.get(rule, ()):
                    episode = journey.episodes[rule][subject]
                    compiled = self._version(episode, rule, moment) if episode.version else rules[rule]
                    episodes.come_due(journey, compiled, subject, scene, moment)
            except Exception as error:  # noqa: BLE001 - it would not stand it the next time; the others go on
                moment.fail(rule, error)
                if not release:
                    self._give_up(journey, rule, subject, moment)
            decided += 1
        self._rearm(journey, moment)
        if moment.failures:
            moment.raise_failures()
        return decided

    def abandon(self, journey: Journey, due: int, moment: Moment) -> None:
        """Give up all that is due by `due`: something else than a rule failed, and would the next time."""
        for rule, by_subject in list(journey.episodes.items()):
            for subject in [s for s, episode in by_subject.items() if episode.due <= due]:
                self._give_up(journey, rule, subject, moment)
        journey.deferred = [d for d in journey.deferred if d.release > due]
        self._rearm(journey, moment)

    def _give_up(self, journey: Journey, rule: str, subject: str, moment: Moment) -> None:
        """Close an episode without a decision; a yearly date waits for its next turn all the same."""
        over = journey.episodes[rule][subject]
        journey.close(rule, subject)
        if rule in self.matcher.rules and self.matcher.rules[rule].yearly:
            yearly.go_on(journey, self.matcher.rules[rule], over, over.due, moment)

    def misfits(self) -> Mapping[str, int]:
        """Rule -> how often it met a value of another type than it asks for, since this was last asked."""
        found, self._scene.misfits = self._scene.misfits, Counter()
        return found

    def _due(self, journey: Journey, due: int) -> list[tuple[int, int, str, str, bool]]:
        rules = self.matcher.rules
        found = [
            (episode.due, -rules[rule].rule.priority, rule, subject, False)
            for rule, by_subject in journey.episodes.items()
            if rule in rules
            for subject, episode in by_subject.items()
            if episode.due <= due
        ]
        found += [
            (d.release, -rules[d.rule].rule.priority, d.rule, d.subject, True)
            for d in journey.deferred
            if d.release <= due and d.rule in rules
        ]
        return sorted(found)

    def _release(self, journey: Journey, rule: str, subject: str, due: int, moment: Moment) -> None:
        ready = [d for d in journey.deferred if d.rule == rule and d.subject == subject and d.release <= due]
        for deferred in ready[:1]:
            journey.deferred.remove(deferred)
            deciding.release(journey, deferred, self.matcher.of(rule, deferred.version), self._scene, moment)

    def _version(self, episode: Episode, rule: str, moment: Moment) -> Compiled:
        """By which version an episode that notes one goes on: its own, or else the one in force."""
        compiled = self.matcher.of(rule, episode.version)
        if compiled.opens_as != episode.version:
            moment.counts["taken_over", rule] += 1
            episode.version = compiled.opens_as
        return compiled

    def _rearm(self, journey: Journey, moment: Moment) -> None:
        rules = self.matcher.rules
        end = max(journey.last, journey.tidied) + tidying.kept(journey, moment)
        dues = [
            episode.due
            for rule, by_subject in journey.episodes.items()
            if rule in rules
            for episode in by_subject.values()
            # A wait for a yearly date never ends.
            if episode.due <= end or not (episode.step == 1 and self.matcher.of(rule, episode.version).yearly)
        ]
        dues += [d.release for d in journey.deferred if d.rule in rules]
        if dues or end > moment.clock:
            moment.arm(journey, min(dues, default=end))
        else:
            self.let_go(journey, moment.clock, "", moment)
            moment.forgotten.append(journey.person)
            moment.counts["dropped", "journey"] += 1


def _note(journey: Journey, event: Touchpoint, change: Change, moment: Moment) -> None:
    """What an event has beside what it means to the rules."""
    if change.ignored:
        moment.counts["ignored", _IGNORED.get(event.type, "preference")] += change.ignored
    if change.met:
        identity.meet(journey, event, moment)
    change.noted, change.ignored, change.met = False, 0, False


def _unended(journey: Journey, compiled: Compiled, event: Touchpoint, moment: Moment) -> Iterable[str]:
    """The subjects of an event; a late one begins nothing that a later event has ended."""
    found = compiled.subjects_of(event)
    if not compiled.endings or event.time >= moment.clock:
        return found
    return [one for one in found if not endings.ended_since(journey, compiled, one, event)]


def _occasion(
    journey: Journey,
    compiled: Compiled,
    subject: str,
    event: Touchpoint,
    evidence: list[str],
    state: str = "",
) -> Occasion:
    return Occasion(
        compiled=compiled, subject=subject, episode=event.id or "", due=event.time, began=event.time,
        evidence=list(evidence), about=about.touched(journey, compiled, subject, event),
        trace=event.trace, state=state, products=subjects.carried(compiled.rule.subject, event),
    )  # fmt: skip
