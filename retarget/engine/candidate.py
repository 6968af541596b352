"""A candidate: one step of one episode that has come due, before the gates."""

from __future__ import annotations

import msgspec

from retarget.engine.experiments import Arm
from retarget.messages import Subject, stable_id
from retarget.rules.model import Audience, Rule, Step


class Candidate(msgspec.Struct, kw_only=True):
    """What the gates judge. `at`: the later of due and clock; `released`: the look after quiet hours."""

    rule: Rule
    number: int
    step: Step
    subject_id: str
    episode: str
    due: int
    at: int
    now: int
    evidence: list[str]
    audience: Audience | None = None  # set: an audience change instead of a message
    audience_name: str = ""
    closed: bool = False
    again_since: int | None = None  # the last decision that `again` let pass, when it stops this one
    released: bool = False
    trace: str | None = None
    arm: Arm | None = None
    products: list[str] = []  # what a checkout or order is about
    shadow: bool = False  # decided without effect
    known_id: str = ""  # of its decision, once it has been worked out

    @property
    def subject(self) -> Subject:
        """The subject as it is written."""
        return Subject(self.rule.subject, self.subject_id)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels to choose from."""
        return ("ads",) if self.audience is not None else self.step.channels

    @property
    def operation(self) -> str:
        """What a pass leads to."""
        return "add" if self.audience is not None else "send"

    def decision_id(self, person: str) -> str:
        """The id of this candidate's decision: the same when deferred and when final."""
        if not self.known_id:
            said = "decision", *self._identity(person), self.operation, self.audience_name
            self.known_id = stable_id(*said, *(("shadow", self.rule.version) if self.shadow else ()))
        return self.known_id

    def message_id(self, person: str, channel: str) -> str:
        """The id of the message that a pass sends on `channel`."""
        return stable_id(*self._identity(person), channel, self.operation, self.audience_name)

    def _identity(self, person: str) -> tuple[str, ...]:
        return (self.rule.name, person, self.subject_id, self.episode, str(self.number))
