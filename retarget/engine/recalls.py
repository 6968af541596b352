"""Recalls: an ending that comes after the send takes the message back and the person out of the audience."""

from __future__ import annotations

from typing import Any, Final

from retarget.engine import audiences, reach
from retarget.engine.moment import Moment
from retarget.journeys.model import Journey, Membership, Send
from retarget.messages import Decision, GateRecord, Message, Operation, Subject, stable_id
from retarget.rules.matcher import Matcher
from retarget.rules.model import Event, Rule
from retarget.times import format_time

# A push that was shown is found by its device; elsewhere a recall needs its message's id alone.
_PUSH: Final = "push"


class Undoing:
    """Why something is taken back: the rule, the time of the cause (epoch ms) and the event.

    `bare`: the person is forgotten, so that no address is told which nobody needs for it.
    """

    __slots__ = ("bare", "due", "event_id", "rule")

    def __init__(self, rule: Rule, due: int, event_id: str, *, bare: bool = False) -> None:
        self.rule, self.due, self.event_id, self.bare = rule, due, event_id, bare


def rule_of(matcher: Matcher, undone: Send | Membership) -> Rule:
    """The rule that did it; of one that is gone what is needed to take it back in its name."""
    if undone.rule in matcher.rules:
        return matcher.rules[undone.rule].rule
    purpose: Any = undone.purpose if isinstance(undone, Send) else "marketing"
    return Rule(
        name=undone.rule, version="", description="its rule is gone", subject="person", trigger=Event(of=()),
        steps=(), purpose=purpose,
    )  # fmt: skip


def open_sends(journey: Journey, at: int) -> list[Send]:
    """What was sent, and can still be called back."""
    return [send for send in journey.sends if at < send.until]


def recall(journey: Journey, send: Send, undoing: Undoing, moment: Moment) -> None:
    """Call one message back; it still counts for the caps, as the person may have seen it."""
    send.until = 0
    regretted = undoing.due <= send.at
    told = not undoing.bare or send.channel == _PUSH
    to = (reach.address(journey, send.channel, moment.policy) if told else None) or {}
    moment.counts["recall", send.rule, send.channel, "regretted" if regretted else "in time"] += 1
    # Where it waits for a channel service is found by its key alone.
    _undo(journey, undoing, moment, send, to, regretted=regretted, key=send.key)


def leave(journey: Journey, membership: Membership, undoing: Undoing, moment: Moment) -> None:
    """Take the person out of one audience, unless another product of its set keeps them there."""
    journey.audiences.remove(membership)
    at, address = max(undoing.due, moment.clock), audiences.address_of(journey, membership, moment.policy)
    to = audiences.not_kept(journey, membership, address, at) if undoing.rule.by_set else address
    if to is not None:
        _undo(journey, undoing, moment, membership, to)


def _undo(
    journey: Journey,
    undoing: Undoing,
    moment: Moment,
    undone: Send | Membership,
    to: dict[str, Any],
    *,
    regretted: bool | None = None,
    key: str = "",
) -> None:
    rule = undoing.rule
    # Of what kind the subject was is not known of a rule that is gone, which has no steps.
    subject = Subject(rule.subject, undone.subject if rule.steps else journey.person)
    operation: Operation = "recall" if isinstance(undone, Send) else "remove"
    step, channel = (undone.step, undone.channel) if isinstance(undone, Send) else (1, "ads")
    decision_id = stable_id("decision", undone.message_id, operation, undoing.event_id)
    message_id = stable_id(undone.message_id, operation, undoing.event_id)
    due, decided_at = format_time(undoing.due), format_time(moment.now)
    moment.emit_message(
        Message(
            message_id=message_id,
            recall_of=undone.message_id,
            decision_id=decision_id,
            operation=operation,
            channel=channel,
            rule=rule.name,
            rule_version=rule.version,
            step=step,
            person=journey.person,
            user_id=journey.user_id,
            anonymous_id=journey.anonymous_id,
            subject=subject,
            audience=None if isinstance(undone, Send) else undone.audience,
            to=to,
            purpose=rule.purpose,
            due=due,
            decided_at=decided_at,
            priority=rule.priority,
            why=rule.why or rule.description,
        ),
        key,
    )
    moment.emit_decision(
        Decision(
            decision_id=decision_id,
            rule=rule.name,
            rule_version=rule.version,
            step=step,
            person=journey.person,
            subject=subject,
            due=due,
            decided_at=decided_at,
            outcome="sent",
            channel=channel,
            operation=operation,
            message_id=message_id,
            regretted=regretted,
            gates=[GateRecord("ended", undoing.event_id)],
            evidence=[undoing.event_id] if undoing.event_id else [],
        )
    )
