"""The gates, in the order of spec section 4: the first that stops a candidate is the reason."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from retarget.engine import caps, quiet_hours, reach
from retarget.engine.candidate import Candidate
from retarget.engine.policy import Policy
from retarget.journeys.model import Journey
from retarget.messages import GateRecord, Outcome
from retarget.times import format_time

# Nobody is woken by these: a person sees them when they look, on the page in front of them even.
SILENT_CHANNELS: Final = frozenset({"ads", "direct_mail", "onsite"})
EVERYTHING: Final = "all"


class Verdict(NamedTuple):
    """What the gates say: the outcome, the gate that stopped it, the channel, and every gate looked at."""

    outcome: Outcome
    reason: str | None
    channel: str | None
    gates: list[GateRecord]
    release: int | None = None


class Judgement:
    """One candidate on its way through the gates; each gate notes what it saw and says whether it stops."""

    __slots__ = ("candidate", "channels", "gates", "journey", "pauses", "policy", "release")

    def __init__(
        self, candidate: Candidate, journey: Journey, policy: Policy, pauses: Mapping[str, int]
    ) -> None:
        self.candidate, self.journey, self.policy, self.pauses = candidate, journey, policy, pauses
        self.gates: list[GateRecord] = []
        self.channels: tuple[str, ...] = candidate.channels
        self.release: int | None = None

    def verdict(self) -> Verdict:
        """Ask gate after gate until one stops."""
        for name, gate in _GATES:
            if gate(self):
                return Verdict(
                    _OUTCOMES.get(name, "suppressed"), name, self._channel(), self.gates, self.release
                )
        return Verdict("sent", None, self._channel(), self.gates)

    def _channel(self) -> str | None:
        return next(iter(self.channels or self.candidate.channels), None)

    def _note(self, gate: str, value: object, limit: object = None) -> None:
        self.gates.append(GateRecord(gate, value, limit))

    def closed(self) -> bool:
        """An ending event is known."""
        self._note("closed", self.candidate.closed, limit=False)
        return self.candidate.closed

    def again(self) -> bool:
        """The same (rule, person, subject) was decided too short a time ago."""
        if self.candidate.released or self.candidate.number > 1:
            return False
        self._note("again", self.candidate.again_since, self.candidate.rule.again)
        return self.candidate.again_since is not None

    def control(self) -> bool:
        """The person is held out, from this rule or from everything, to measure what the messages do."""
        if self.candidate.released or not (self.candidate.rule.hold_out or self.policy.hold_out):
            return False
        shares = {self.candidate.rule.name: self.candidate.rule.hold_out, "global": self.policy.hold_out}
        held = [name for name, share in shares.items() if share > 0 and self._arm(name, share) == "control"]
        self._note("control", held, shares)
        return bool(held)

    def _arm(self, experiment: str, share: float) -> str:
        arm = self.journey.arms.get(experiment)
        if arm is None:
            text = f"{self.policy.hold_out_salt}|{experiment}|{self.journey.person}"
            draw = int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64
            arm = self.journey.arms[experiment] = "control" if draw < share else "treatment"
        return arm

    def paused(self) -> bool:
        """A kill switch is on for everything, the rule or every channel; or a rule spares the person."""
        spared = self._spared()
        if not self.pauses:
            self._note("paused", spared, limit=[])
            return bool(spared)
        switches = spared + [name for name in (EVERYTHING, self.candidate.rule.name) if name in self.pauses]
        self.channels = tuple(c for c in self.channels if c not in self.pauses)
        if not self.channels:
            switches += [c for c in self.candidate.channels if c in self.pauses]
        self._note("paused", switches, limit=[])
        return bool(switches)

    def _spared(self) -> list[str]:
        purpose = self.candidate.rule.purpose
        until = self.journey.pauses.get(purpose, 0)
        return [f"{purpose} for the person until {format_time(until)}"] if self.candidate.at < until else []

    def no_consent(self) -> bool:
        """No channel of the step may be used for this purpose."""
        purpose = self.candidate.rule.purpose
        allowed = [c for c in self.channels if reach.may_address(self.journey, purpose, c, self.policy)]
        self._note("no_consent", allowed, purpose)
        self.channels = tuple(allowed) or self.channels
        return not allowed

    def unreachable(self) -> bool:
        """No allowed channel has an address."""
        known = [c for c in self.channels if reach.address(self.journey, c, self.policy) is not None]
        self._note("unreachable", known)
        self.channels = tuple(known) or self.channels
        return not known

    def stale(self) -> bool:
        """It comes too late to be worth anything."""
        # After quiet hours only the message's own expiry counts: the wait was ours.
        age = 0 if self.candidate.released else self.candidate.now - self.candidate.due
        expires = self.candidate.rule.expires
        self._note("stale", age, self.policy.max_delay)
        expired = expires is not None and self.candidate.at - self.candidate.due >= expires
        return age > self.policy.max_delay or expired

    def quiet_hours(self) -> bool:
        """It is night for the person; the message leaves in the morning."""
        exempt = self.candidate.rule.purpose == "transactional" or self.channels[0] in SILENT_CHANNELS
        if not self.policy.quiet_hours.enabled or exempt:
            return False
        at = max(self.candidate.at if self.candidate.released else self.candidate.due, self.candidate.now)
        key = self.candidate.message_id(self.journey.person, self.channels[0])
        self.release = quiet_hours.release_after(self.journey, self.policy, at, key)
        self._note("quiet_hours", at, self.release)
        return self.release is not None

    def cap(self) -> bool:
        """One more would be too many."""
        if self.candidate.audience is not None:
            return False
        over = caps.broken(
            self.journey, self.policy, self.candidate.rule, self.channels[0], self.candidate.at
        )
        if over is None:
            self._note("cap", None, caps.describe(self.policy, self.candidate.rule, self.channels[0]))
        else:
            limit = {"scope": over.scope, "count": over.cap.most, "within_ms": over.cap.within}
            self._note("cap", over.seen, limit)
        return over is not None


_OUTCOMES: Final[Mapping[str, Outcome]] = {"control": "control", "quiet_hours": "deferred"}
_GATES: Final = (
    ("closed", Judgement.closed),
    ("again", Judgement.again),
    ("control", Judgement.control),
    ("paused", Judgement.paused),
    ("no_consent", Judgement.no_consent),
    ("unreachable", Judgement.unreachable),
    ("stale", Judgement.stale),
    ("quiet_hours", Judgement.quiet_hours),
    ("cap", Judgement.cap),
)
# The order in which gates stop a candidate; docs and metrics use these names.
NAMES: Final = tuple(name for name, _ in _GATES)
