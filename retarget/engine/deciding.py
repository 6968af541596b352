"""Deciding: a step that has come due passes the gates, once for its message and once for its audience."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from retarget.engine import about, audiences, ceilings, compose, endings, experiments, reach
from retarget.engine.candidate import Candidate
from retarget.engine.gates import Judgement, Verdict
from retarget.engine.moment import Moment
from retarget.engine.setbacks import Before
from retarget.journeys.model import ANYTHING, Deferred, Journey
from retarget.messages import Decision, at_or_none
from retarget.rules import tallies
from retarget.rules.matcher import Compiled
from retarget.rules.model import NEVER, Rule, Shown
from retarget.rules.scene import Scene
from retarget.times import format_time


class Occasion(msgspec.Struct, kw_only=True, gc=False):
    """What has come due: a step of a rule about a subject, by which episode and on what evidence."""

    compiled: Compiled
    subject: str
    episode: str
    due: int
    began: int  # since when it is open
    number: int = 1
    evidence: list[str]
    trace: str | None = None
    state: str = ""
    products: list[str] = []
    about: list[str] = []


class Decided:
    """What a step came to: whether the episode goes on, and by how many ms its delay shifts the rest."""

    __slots__ = ("goes_on", "shift")

    def __init__(self, *, goes_on: bool, shift: int) -> None:
        self.goes_on, self.shift = goes_on, shift


def decide(journey: Journey, occasion: Occasion, scene: Scene, moment: Moment) -> Decided:
    """Judge and, where the gates let it, send one step. The step's own condition has been judged already."""
    compiled, rule = occasion.compiled, occasion.compiled.rule
    at = max(occasion.due, moment.clock)
    value = _worth(rule, occasion, scene)
    occasion.about = about.at_decision(journey, compiled, occasion.subject, occasion.about)
    closed = endings.known_early(journey, compiled, occasion.subject, occasion.about, scene, moment)
    barred = None if closed or occasion.number > 1 else _barred_since(journey, compiled, occasion.subject, at)
    seen = _as_seen(journey, compiled) if compiled.shadow else journey
    candidates = _candidates(seen, occasion, scene, moment, closed=closed, barred=barred, value=value)
    before = Before(journey, moment)
    try:
        for candidate in candidates:
            _act(journey, seen, candidate, compiled, moment)
    except Exception:
        before.put_back()
        raise
    if occasion.number == 1 and not closed and barred is None:
        _note_passed(journey, compiled, occasion.subject, at)
    behind = moment.now - occasion.due
    return Decided(goes_on=barred is None, shift=behind if behind > moment.policy.max_delay else 0)


def leave_out(journey: Journey, occasion: Occasion, scene: Scene, moment: Moment) -> Decided:
    """Pass over a step whose own condition does not hold, without a record.

    With the first one a series begins all the same, if `again` lets it; a single one leaves nothing behind.
    """
    compiled, subject = occasion.compiled, occasion.subject
    if occasion.number > 1 or len(compiled.rule.steps) == 1:
        return Decided(goes_on=True, shift=0)
    at = max(occasion.due, moment.clock)
    occasion.about = about.at_decision(journey, compiled, subject, occasion.about)
    if endings.known_early(journey, compiled, subject, occasion.about, scene, moment):
        return Decided(goes_on=True, shift=0)
    barred = _barred_since(journey, compiled, subject, at) is not None
    if not barred:
        _note_passed(journey, compiled, subject, at)
    return Decided(goes_on=not barred, shift=0)


def _as_seen(journey: Journey, compiled: Compiled) -> Journey:
    """A journey for a decision in shadow, only to be read.

    It is without what the version in force has sent or deferred; what the shadow has deferred waits there.
    """
    name, shadow = compiled.rule.name, compiled.name
    return replace(
        journey,
        sends=[send for send in journey.sends if send.rule != name],
        arms=dict(journey.arms),
        deferred=[
            replace(one, rule=name) if one.rule == shadow else one
            for one in journey.deferred
            if one.rule == shadow or (one.rule != name and not one.shadow)
        ],
    )


def _act(journey: Journey, seen: Journey, candidate: Candidate, compiled: Compiled, moment: Moment) -> None:
    """Judge a candidate and do what comes of it: in shadow it is told, and deferred, and that is all."""
    if not compiled.shadow:
        _settle(journey, candidate, moment)
        return
    verdict = Judgement(candidate, seen, moment).verdict()
    if verdict.outcome == "deferred":
        _defer(journey, candidate, verdict, moment, compiled.name)
        if candidate.released:
            return
    moment.emit_decision(_record(seen, candidate, verdict, None, moment))


def _worth(rule: Rule, occasion: Occasion, scene: Scene) -> float | None:
    """What the rule expects of this message, in the scene in which it decides."""
    formula = rule.value_of(rule.steps[occasion.number - 1])
    return formula.evaluate(scene) if formula is not None else None


def _note_passed(journey: Journey, compiled: Compiled, subject: str, at: int) -> None:
    """What a decision that `again` let pass leaves behind, whatever becomes of its message."""
    rule = compiled.rule
    if rule.again:
        journey.marks.setdefault(compiled.name, {})[subject] = at
    if rule.pauses is not None and not compiled.shadow:
        until = max(journey.pauses.get(rule.pauses.purpose, 0), at + rule.pauses.lasts)
        journey.pauses[rule.pauses.purpose] = until


def _barred_since(journey: Journey, compiled: Compiled, subject: str, at: int) -> int | None:
    """When `again` last let this subject pass, if that was too short a time ago."""
    marks, again = journey.marks.get(compiled.name), compiled.rule.again
    if not marks:
        return None
    last = marks.get(subject)
    if again == NEVER:
        return marks.get(ANYTHING) if last is None else last
    return last if last is not None and at - last < again else None


def _candidates(
    journey: Journey,
    occasion: Occasion,
    scene: Scene,
    moment: Moment,
    *,
    closed: bool,
    barred: int | None,
    value: float | None,
) -> list[Candidate]:
    rule = occasion.compiled.rule
    step, arm = experiments.step_of(journey, rule, occasion.number, moment.policy)
    products = occasion.products if step.products is None else _shown(journey, step.products, occasion)
    base = Candidate(
        rule=rule, number=occasion.number, step=step, subject_id=occasion.subject, episode=occasion.episode,
        due=occasion.due, at=max(occasion.due, moment.clock), now=moment.now, evidence=occasion.evidence,
        began=occasion.began, closed=closed, again_since=barred, trace=occasion.trace, arm=arm,
        products=products, value=value, shadow=occasion.compiled.shadow, about=occasion.about,
    )  # fmt: skip
    found = _of_channels(journey, base, moment) if step.channels else []
    if step.audience is not None:
        name = step.audience.name_in(occasion.state)
        if name:
            change = replace(base, audience=step.audience, audience_name=name, arm=None, value=None)
            found += audiences.changes(journey, change, step.audience, scene)
    return found


def _shown(journey: Journey, shown: Shown, occasion: Occasion) -> list[str]:
    """The products that the author wants to have in the message; of looks, none that was bought since."""
    name = tallies.shown_key(shown, occasion.compiled.rule.subject)
    found = tallies.latest(journey, name, occasion.subject, shown.within, occasion.due)
    if about.LOOKS.issuperset(shown.of):
        found = [product for product in found if not about.is_bought(journey.products.get(product))]
    return found[: shown.most]


def _of_channels(journey: Journey, base: Candidate, moment: Moment) -> list[Candidate]:
    """The step's message: one, or one for each channel that is allowed and reaches the person.

    When there is none of these, one says why.
    """
    if not base.step.every:
        return [base]
    purpose, policy = base.rule.purpose, moment.policy
    found = [
        replace(base, only=channel)
        for channel in base.step.channels
        if reach.may_address(journey, purpose, channel, policy, base.began)
        and reach.address(journey, channel, policy) is not None
    ]
    return found or [base]


def release(journey: Journey, deferred: Deferred, compiled: Compiled, scene: Scene, moment: Moment) -> None:
    """Look again at a message that waited for the morning, for room, or for others to compete with."""
    rule = compiled.rule
    known = endings.known_early(journey, compiled, deferred.subject, deferred.about, scene, moment)
    seen = _as_seen(journey, compiled) if compiled.shadow else journey
    step, arm = experiments.step_of(seen, rule, deferred.step, moment.policy)
    at = max(deferred.release, moment.clock)
    candidate = Candidate(
        rule=rule, number=deferred.step, step=step, subject_id=deferred.subject, arm=arm,
        episode=deferred.episode, due=deferred.due, at=at, now=moment.now,
        evidence=deferred.evidence, began=deferred.began or deferred.due,
        closed=deferred.closed or known, released=True, trace=deferred.trace,
        products=deferred.products, outdated=not _still_true(journey, compiled, deferred.subject, scene, at),
        value=deferred.value, bid=deferred.bid, only=deferred.channel, about=deferred.about,
        person=deferred.person, shadow=compiled.shadow,
    )  # fmt: skip
    before = Before(journey, moment)
    try:
        _act(journey, seen, candidate, compiled, moment)
    except Exception:
        before.put_back()
        raise


def _still_true(journey: Journey, compiled: Compiled, subject: str, scene: Scene, at: int) -> bool:
    """Whether what a message says of the shop's offer is still so when it leaves later than decided."""
    if compiled.catalogue is None or compiled.rule.condition is None:
        return True
    scene.of_wait(journey, at)
    scene.about(compiled.rule, subject)
    return compiled.rule.condition.evaluate(scene)


def _settle(journey: Journey, candidate: Candidate, moment: Moment) -> None:
    verdict = Judgement(candidate, journey, moment).verdict()
    message_id = None
    if verdict.outcome == "sent":
        message_id = compose.send(journey, candidate, verdict, moment)
    if verdict.outcome == "deferred":
        _defer(journey, candidate, verdict, moment, candidate.rule.name)
        if verdict.reason == "ceiling":
            ceilings.ask(moment.short, candidate.rule, candidate.at)
            return  # it waits for the next batch alone, which is nothing to tell of
        if candidate.released:
            return
    moment.emit_decision(_record(journey, candidate, verdict, message_id, moment))


def _defer(journey: Journey, candidate: Candidate, verdict: Verdict, moment: Moment, name: str) -> None:
    """Let it wait, under the name of the rule's state."""
    release_at = verdict.release or 0
    journey.deferred.append(
        Deferred(
            release=release_at,
            rule=name,
            subject=candidate.subject_id,
            episode=candidate.episode,
            step=candidate.number,
            due=candidate.due,
            trace=candidate.trace,
            products=candidate.products,
            evidence=candidate.evidence,
            value=candidate.value,
            bid=candidate.bid,
            channel=candidate.only,
            version=candidate.rule.version if candidate.rule.on_change == "finish" else "",
            about=candidate.about,
            person=candidate.person,
            began=candidate.began,
        )
    )
    moment.arm(journey, release_at)


def _record(journey: Journey, candidate: Candidate, verdict: Verdict, message_id: str | None,
            moment: Moment) -> Decision:  # fmt: skip
    return Decision(
        decision_id=candidate.decision_id(journey.person),
        rule=candidate.rule.name,
        rule_version=candidate.rule.version,
        step=candidate.number,
        person=journey.person,
        subject=candidate.subject,
        due=format_time(candidate.due),
        decided_at=format_time(moment.now),
        outcome=verdict.outcome,
        reason=verdict.reason,
        channel=verdict.channel,
        operation=candidate.operation,
        message_id=message_id,
        release=at_or_none(verdict.release),
        experiment=experiments.told(journey, candidate.rule, candidate.arm, moment.policy),
        value=candidate.value,
        offer=candidate.offer,
        lacks=candidate.lacks,
        gates=verdict.gates,
        evidence=candidate.evidence,
        shadow=candidate.shadow,
    )
