"""A candidate: one step of one episode that has come due, before the gates."""

from __future__ import annotations

import msgspec

from retarget.engine.experiments import Arm
from retarget.journeys.model import Bid
from retarget.messages import OfferRecord, Operation, Subject, stable_id
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
    began: int  # since when it is open
    audience: Audience | None = None  # set: an audience change instead of a message
    audience_name: str = ""
    of_set: list[str] | None = None  # its products that belong to the product set of that audience
    closed: bool = False
    again_since: int | None = None  # the last decision that `again` let pass, when it stops this one
    released: bool = False
    outdated: bool = False  # what it says of the shop's offer is no longer so
    trace: str | None = None
    arm: Arm | None = None
    products: list[str] = []  # what a checkout or order is about
    about: list[str] = []  # the products by which an event can end it, where its rule asks
    value: float | None = None  # what it is expected to be worth; None: unknown, or not asked
    bid: Bid | None = None  # once it competes with others
    only: str = ""  # the one channel of this candidate, of a step that goes to all of its channels
    offer: OfferRecord | None = None  # what became of the step's offer, once the message has left
    lacks: list[str] = []  # what the message had to do without then
    shadow: bool = False  # decided without effect
    known_id: str = ""  # of its decision, once it has been worked out
    person: str = ""  # whom it was first decided for, where that was another one then

    @property
    def subject(self) -> Subject:
        """The subject as it is written."""
        return Subject(self.rule.subject, self.subject_id)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels to choose from."""
        if self.audience is not None:
            return ("ads",)
        return (self.only,) if self.only else self.step.channels

    @property
    def removes(self) -> bool:
        """Whether it takes the person out of an audience."""
        return self.audience is not None and self.audience.remove is not None

    @property
    def operation(self) -> Operation:
        """What a pass leads to."""
        if self.audience is None:
            return "send"
        return "remove" if self.removes else "add"

    def decision_id(self, person: str) -> str:
        """The id of this candidate's decision: the same when deferred and when final."""
        if not self.known_id:
            only = (self.only,) if self.only else ()
            shadow = ("shadow", self.rule.version) if self.shadow else ()
            what = (*self._identity(person), self.operation, self.audience_name, *only, *shadow)
            self.known_id = stable_id("decision", *what)
        return self.known_id

    def message_id(self, person: str, channel: str) -> str:
        """The id of the message that a pass sends on `channel`."""
        return stable_id(*self._identity(person), channel, self.operation, self.audience_name)

    def _identity(self, person: str) -> tuple[str, ...]:
        return (self.rule.name, self.person or person, self.subject_id, self.episode, str(self.number))
