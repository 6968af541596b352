"""The moment: everything around one batch that a decision may look at, and where its results are gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from retarget.catalogue import Listing
from retarget.engine.ceilings import Granted, Risen, Short
from retarget.engine.guard import Heard
from retarget.engine.pacing import Paced
from retarget.engine.policy import Policy
from retarget.engine.pools import Drawn
from retarget.journeys.model import Journey
from retarget.messages import Decision, Message, encode
from retarget.touchpoints import Touchpoint

_NONE: Final[list[Touchpoint]] = []


class Result(msgspec.Struct, frozen=True, gc=False):
    """One record to be emitted: a message for `channel`, a decision or dead letter (without channel).

    Its key is the person, where it says no other.
    """

    kind: str
    channel: str
    person: str
    value: bytes
    key: str = ""


class Met(NamedTuple):
    """An anonymous id that belongs to a person, from this time on, by this event, which told these tokens."""

    anonymous: str
    person: str
    at: int
    event_id: str
    tokens: Sequence[str] = ()


class Parted(NamedTuple):
    """An anonymous id that belongs to a person no longer, as they are forgotten at this time."""

    anonymous: str
    person: str
    at: int


class RulesFailed(Exception):
    """Some rules could not stand an event, or the end of a wait; all others have decided."""

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        said = (f"rule {rule}: {type(error).__name__}: {error}" for rule, error in failures.items())
        super().__init__("; ".join(said))
        self.rules = tuple(failures)


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
        self.partition = 0  # the lane's own, as are the next six
        self.drawn: Drawn = {}
        self.paced: Paced = {}
        self.risen: Risen = {}
        self.granted: Mapping[str, Granted] = {}
        self.short: Short = {}
        self.listings: Mapping[str, Listing | None] = {}
        # product -> person -> whether the index of products has them from now on
        self.following: dict[str, dict[str, bool]] = {}
        self.heard: Heard = {}
        # Who has turned out to be whom at the event being worked off, and who is it no longer.
        self.met: list[Met | Parted] = []
        self.results: list[Result] = []
        self.armed: list[tuple[int, str]] = []
        self.forgotten: list[str] = []
        # What is known early of a person: read, but not yet applied.
        self.held_of: Callable[[str], list[Touchpoint]] = lambda _: _NONE
        self.counts: Counter[tuple[str, ...]] = Counter()
        # What rules raised at the event or wait being worked off, each the first: the others go on.
        self.failures: dict[str, Exception] = {}

    def arm(self, journey: Journey, due: int) -> None:
        """Wake this person at `due` at the latest; a wait that is armed for an earlier time stays."""
        if not journey.alarm or due < journey.alarm:
            journey.alarm = due
            self.armed.append((due, journey.person))

    def follow(self, product: str, person: str, *, follows: bool) -> None:
        """Put the person into the index of those who hear of a product, or take them out."""
        self.following.setdefault(product, {})[person] = follows

    def fail(self, rule: str, error: Exception) -> None:
        """Note that a rule could not stand the event or wait being worked off."""
        if rule not in self.failures:
            self.failures[rule] = error
            self.counts["failed", rule] += 1

    def raise_failures(self) -> None:
        """Tell which rules failed, now that all others have decided. Raises RulesFailed."""
        failures, self.failures = self.failures, {}
        raise RulesFailed(failures)

    def emit_message(self, message: Message, key: str = "") -> None:
        """Send a message off with this batch; under another key than its person's where one is given."""
        self.results.append(Result("message", message.channel, message.person, encode(message), key))
        self.counts["message", message.rule, message.channel, message.operation] += 1

    def emit_decision(self, decision: Decision) -> None:
        """Record a decision with this batch."""
        self.results.append(Result("decision", "", decision.person, encode(decision)))
        kind = "shadow" if decision.shadow else "decision"
        self.counts[kind, decision.rule, decision.outcome, decision.reason or ""] += 1
