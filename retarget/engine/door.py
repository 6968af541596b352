"""The one door of the engine: an event applied to a journey, or a wait of it that is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from retarget.engine import bounds, dates, deciding, endings, episodes, recalls
from retarget.engine.deciding import Occasion
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.journeys import facts, repeats, stages
from retarget.journeys.model import Episode, Journey, Product
from retarget.rules import subjects, tallies
from retarget.rules.matcher import SHADOW_MARK, Compiled, Matcher, Plan
from retarget.rules.model import NEVER, Becomes
from retarget.rules.scene import Scene
from retarget.times import DAY
from retarget.touchpoints import Touchpoint

# How often a journey is freed from what nothing can reach any more.
TIDY_EVERY: Final = 2 * DAY
# A person of whom nothing has been heard for so long is forgotten, by the lane's clock.
KEPT_FOR: Final = 400 * DAY


class Engine:
    """The rules of one bundle, ready to run. Holds no state of any person."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.ending_types = matcher.ending_types
        self._scene = Scene(Journey(person=""))
        # Looked up at every event.
        self._plans, self._conditional, self._becoming = matcher.plans, matcher.conditional, matcher.becomes
        self._asks_stage = matcher.asks_stage
        self._always = bool(matcher.conditional or matcher.becomes)

    def of(self, person: str) -> Engine:  # noqa: ARG002 - see SplitEngine
        """The engine that decides for this person."""
        return self

    def apply(self, journey: Journey, event: Touchpoint, moment: Moment) -> bool:  # noqa: C901 - measured hot loop
        """Work an event into its person's journey and decide what it completes; False for a repeat.

        The event's time may lie behind the moment's clock: it is late, and judged at the clock.
        """
        event_id, time = event.id or "", event.time
        if not repeats.admit(journey, event_id, time, moment.dedupe_window):
            return False
        if time - journey.tidied > TIDY_EVERY:
            tidy(journey, self.matcher, time, moment)
        plan = self._plans.get(event.type)
        scene = self._scene
        change = scene.change
        change.changes_cart = change.new_order = False
        if event.type == "erase":
            self._let_go(journey, time, event_id, moment)
        facts.apply(journey, event, change)
        if change.ignored:
            moment.counts["ignored", "preference"] += change.ignored
            change.ignored = 0
        if plan is None:
            return True
        ripe = self._count(journey, event, plan) if plan.tallies else False
        if self._asks_stage:
            stages.note(journey, event.type, subjects.product(event), max(time, moment.clock))
        if ripe or plan.acts or self._always:
            scene.of_event(journey, event, change, max(time, moment.clock))
            if plan.endings or self._conditional:
                endings.apply(journey, event, plan, self._conditional, scene, moment)
            if time >= moment.clock - moment.max_age:
                scene.at = time
                self._trigger(journey, event, plan, moment, ripe=ripe)
        if not journey.alarm:
            moment.arm(journey, time + KEPT_FOR)
        return True

    def _let_go(self, journey: Journey, at: int, event_id: str, moment: Moment) -> None:
        """Take a person who will be forgotten out of every audience; close what waits for the morning."""
        rules = self.matcher.rules
        for membership in [m for m in journey.audiences if m.rule in rules]:
            undoing = Undoing(rules[membership.rule].rule, at, event_id)
            recalls.leave(journey, membership, undoing, moment)
        for deferred in [d for d in journey.deferred if d.rule in rules]:
            deferred.closed = True
            compiled = self.matcher.of(deferred.rule, deferred.version)
            deciding.release(journey, deferred, compiled, self._scene, moment)

    def _count(self, journey: Journey, event: Touchpoint, plan: Plan) -> bool:
        """Count the event; whether that may be enough for a count rule."""
        ripe = False
        for name, subjects_of, kind, distinct, keep, least in plan.tallies:
            if distinct is not None:
                ripe = ripe or least <= tallies.KEPT
                for subject, value in subjects.pairs(event, kind, distinct):
                    tallies.add(journey, name, subject, event, value, keep)
            else:
                for subject in subjects_of(event):
                    if tallies.add(journey, name, subject, event, "", keep) >= least:
                        ripe = True
        return ripe

    def _trigger(
        self, journey: Journey, event: Touchpoint, plan: Plan, moment: Moment, *, ripe: bool
    ) -> None:
        for touch in plan.touches:
            episodes.touch(journey, event, touch, self._scene, moment)
        for compiled in plan.dates:
            dates.note(journey, event, compiled, moment)
        if ripe or plan.events or plan.sequences:
            for compiled, occasion in self._completed(journey, event, plan):
                self._scene.about(compiled.rule.subject, occasion.subject)
                episodes.decide_now(journey, compiled, occasion, event, self._scene, moment)
        for compiled in self._becoming:
            self._becomes(journey, compiled, event, moment)

    def _completed(self, journey: Journey, event: Touchpoint, plan: Plan) -> list[tuple[Compiled, Occasion]]:
        """What this event completes, in the order in which it is decided."""
        found: list[tuple[Compiled, Occasion]] = []
        for compiled in plan.counts:
            count = compiled.count
            assert count is not None  # only count rules are indexed under counts
            by_subject = journey.tallies.get(compiled.tally) or {}
            for subject in compiled.subjects_of(event):
                tally = by_subject.get(subject)
                counted = tallies.reached(tally, count, event.time) if tally else []
                if counted and self._met(compiled, subject):
                    evidence = counted[-episodes.EVIDENCE_KEPT :]
                    found.append((compiled, _occasion(compiled, subject, event, evidence)))
        for compiled in plan.sequences:
            found += self._followed(journey, compiled, event)
        for compiled in plan.events:
            met = [s for s in compiled.subjects_of(event) if self._met(compiled, s)]
            found += [(compiled, _occasion(compiled, s, event, [event.id or ""])) for s in met]
        if len(found) > 1:
            found.sort(key=lambda pair: (-pair[0].rule.priority, pair[0].name, pair[1].subject))
        return found

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
                yield compiled, _occasion(compiled, subject, event, [first, event.id or ""])

    def _met(self, compiled: Compiled, subject: str) -> bool:
        condition = compiled.rule.condition
        if condition is None:
            return True
        self._scene.about(compiled.rule.subject, subject)
        return condition.evaluate(self._scene)

    def _becomes(self, journey: Journey, compiled: Compiled, event: Touchpoint, moment: Moment) -> None:
        """Decide when the person's state turns into another one; the old one's audience is left at once."""
        trigger = compiled.rule.trigger
        assert isinstance(trigger, Becomes)  # only such rules are listed under becomes
        subject = journey.person
        self._scene.about("person", subject)
        state = next((name for name, when in trigger.states.items() if when.evaluate(self._scene)), None)
        if state is None or state == journey.states.get(compiled.name) or not self._met(compiled, subject):
            return
        journey.states[compiled.name] = state
        undoing = Undoing(compiled.rule, event.time, event.id or "")
        for membership in [m for m in journey.audiences if m.rule == compiled.name]:
            recalls.leave(journey, membership, undoing, moment)
        occasion = _occasion(compiled, subject, event, [event.id or ""], state)
        episodes.decide_now(journey, compiled, occasion, event, self._scene, moment)

    def wake(self, journey: Journey, due: int, moment: Moment) -> int:
        """Decide everything of this person that is due by `due`; how many decisions that were."""
        journey.alarm = 0
        scene, decided = self._scene, 0
        scene.of_wait(journey, max(due, moment.clock))
        for _, _, rule, subject, release in self._due(journey, due):
            episode = journey.episodes.get(rule, {}).get(subject)
            if release:
                self._release(journey, rule, subject, due, moment)
            elif episode is not None:
                compiled = self.matcher.of(rule, episode.version)
                if episode.version and compiled.opens_as != episode.version:
                    _take_over(episode, compiled, moment)
                episodes.come_due(journey, compiled, subject, scene, moment)
            decided += 1
        self._rearm(journey, moment)
        return decided

    def abandon(self, journey: Journey, due: int, moment: Moment) -> None:
        """Give up all that is due by `due`: a rule could not stand it, and would not the next time."""
        for rule, by_subject in list(journey.episodes.items()):
            for subject in [s for s, episode in by_subject.items() if episode.due <= due]:
                episodes.close(journey, rule, subject)
        journey.deferred = [d for d in journey.deferred if d.release > due]
        self._rearm(journey, moment)

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
            compiled = self.matcher.of(rule, deferred.version)
            deciding.release(journey, deferred, compiled, self._scene, moment)

    def _rearm(self, journey: Journey, moment: Moment) -> None:
        rules = self.matcher.rules
        dues = [e.due for rule, by in journey.episodes.items() if rule in rules for e in by.values()]
        dues += [d.release for d in journey.deferred if d.rule in rules]
        end = max(journey.last, journey.tidied) + KEPT_FOR
        if dues or end > moment.clock:
            moment.arm(journey, min(dues, default=end))
        else:
            self._let_go(journey, moment.clock, "", moment)
            moment.forgotten.append(journey.person)
            moment.counts["dropped", "journey"] += 1


def _occasion(
    compiled: Compiled, subject: str, event: Touchpoint, evidence: list[str], state: str = ""
) -> Occasion:
    return Occasion(
        compiled=compiled, subject=subject, episode=event.id or "", due=event.time, evidence=list(evidence),
        trace=event.trace, state=state, products=subjects.carried(compiled.rule.subject, event),
    )  # fmt: skip


def _take_over(episode: Episode, compiled: Compiled, moment: Moment) -> None:
    """Evaluate anew what its own version cannot finish: the bundle no longer carries that one."""
    moment.counts["taken_over", compiled.rule.name] += 1
    episode.version = compiled.opens_as


def remnant(journey: Journey, matcher: Matcher) -> Journey | None:
    """What outlives a forgotten journey: the word on consent, erasure, and what is never sent again."""
    marks = {
        rule: by_subject
        for rule, by_subject in journey.marks.items()
        if rule in matcher.rules and matcher.rules[rule].rule.again == NEVER and SHADOW_MARK not in rule
    }
    if not (marks or journey.consents or journey.erased):
        return None
    return Journey(person=journey.person, marks=marks, consents=journey.consents, erased=journey.erased)


def tidy(journey: Journey, matcher: Matcher, at: int, moment: Moment) -> None:
    """Free a journey from what no rule, cap or recall can reach any more; alike in every run."""
    journey.tidied = at
    tallies.tidy(journey, matcher.keeps, at)
    if journey.sends:
        journey.sends = [s for s in journey.sends if s.counts_at > at - moment.longest_cap or s.until > at]
    if journey.audiences:
        journey.audiences = [m for m in journey.audiences if not m.expires or m.expires > at]
    if journey.marks:
        _tidy_marks(journey, matcher, at)
    if journey.states:
        journey.states = {
            rule: state
            for rule, state in journey.states.items()
            if rule in matcher.rules or SHADOW_MARK not in rule
        }
    if journey.pauses:
        journey.pauses = {purpose: until for purpose, until in journey.pauses.items() if until > at}
    if journey.ended:
        journey.ended = {what: t for what, t in journey.ended.items() if t > at - moment.max_age}
    horizon = at - matcher.product_reach
    for name in [name for name, p in journey.products.items() if p.seen <= horizon and _only_seen(p)]:
        del journey.products[name]
    bounds.keep_within(journey, matcher, at, moment)


def _tidy_marks(journey: Journey, matcher: Matcher, at: int) -> None:
    for rule, by_subject in list(journey.marks.items()):
        again = matcher.rules[rule].rule.again if rule in matcher.rules else 0
        if again >= 0:
            journey.marks[rule] = {s: t for s, t in by_subject.items() if t > at - again}
        if not journey.marks[rule]:
            del journey.marks[rule]


def _only_seen(product: Product) -> bool:
    return not (product.carted or product.wished or product.bought)
