"""The moment: everything around one batch that a decision may look at, and where its results are gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from retarget.engine.ceilings import Risen
from retarget.engine.pacing import Paced
from retarget.engine.policy import Policy
from retarget.journeys.model import Journey
from retarget.messages import Decision, Message, encode
from retarget.touchpoints import Touchpoint

_NONE: Final[list[Touchpoint]] = []


class Result(msgspec.Struct, frozen=True, gc=False):
    """One record to be emitted: a message for `channel`, a decision or dead letter (without channel)."""

    kind: str
    channel: str
    person: str
    value: bytes


class Moment:
    """The clock, the wall clock and the switches of one batch; results and wait changes collect here."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.dedupe_window = policy.dedupe_window
        self.max_age = policy.max_age
        self.longest_cap = policy.longest_cap()
        self.clock = 0
        self.now = 0
        self.pauses: Mapping[str, int] = {}
        self.paced: Paced = {}  # the lane's own, as is the next
        self.risen: Risen = {}
        self.results: list[Result] = []
        self.armed: list[tuple[int, str]] = []
        self.forgotten: list[str] = []
        # What is known early of a person: read, but not yet applied.
        self.held_of: Callable[[str], list[Touchpoint]] = lambda _: _NONE
        self.counts: Counter[tuple[str, ...]] = Counter()

    def arm(self, journey: Journey, due: int) -> None:
        """Wake this person at `due` at the latest; a wait that is armed for an earlier time stays."""
        if not journey.alarm or due < journey.alarm:
            journey.alarm = due
            self.armed.append((due, journey.person))

    def emit_message(self, message: Message) -> None:
        """Send a message off with this batch."""
        self.results.append(Result("message", message.channel, message.person, encode(message)))
        self.counts["message", message.rule, message.channel, message.operation] += 1

    def emit_decision(self, decision: Decision) -> None:
        """Record a decision with this batch."""
        self.results.append(Result("decision", "", decision.person, encode(decision)))
        kind = "shadow" if decision.shadow else "decision"
        self.counts[kind, decision.rule, decision.outcome, decision.reason or ""] += 1
