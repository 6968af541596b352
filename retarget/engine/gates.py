"""The gates, in the order of spec section 4: the first that stops a candidate is the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from retarget.engine import (
    arbitration,
    caps,
    ceilings,
    experiments,
    free_days,
    guard,
    pacing,
    quiet_hours,
    reach,
)
from retarget.engine.candidate import Candidate
from retarget.engine.moment import Moment
from retarget.journeys import offers
from retarget.journeys.model import Journey
from retarget.messages import GateRecord, Outcome
from retarget.times import format_time

# Nobody is woken by these: a person sees them when they look, on the page in front of them even.
SILENT_CHANNELS: Final = frozenset({"ads", "direct_mail", "onsite"})
EVERYTHING: Final = "all"
# So many messages of a person may wait; what a cap stops then, or another has more value than, is dropped.
WAITING_AT_MOST: Final = 20
# So many wait for one morning; a robot may come to more in a night.
ASLEEP_AT_MOST: Final = 100


class Verdict(NamedTuple):
    """What the gates say: the outcome, the gate that stopped it, the channel, and every gate looked at."""

    outcome: Outcome
    reason: str | None
    channel: str | None
    gates: list[GateRecord]
    release: int | None = None


class Judgement:
    """One candidate on its way through the gates; each gate notes what it saw and says whether it stops."""

    __slots__ = (
        "candidate",
        "channels",
        "gates",
        "granted",
        "heard",
        "journey",
        "paced",
        "pauses",
        "policy",
        "reason",
        "release",
        "risen",
    )

    def __init__(self, candidate: Candidate, journey: Journey, moment: Moment) -> None:
        self.candidate, self.journey = candidate, journey
        self.policy, self.pauses, self.paced = moment.policy, moment.pauses, moment.paced
        self.risen, self.granted, self.heard = moment.risen, moment.granted, moment.heard
        self.gates: list[GateRecord] = []
        self.channels: tuple[str, ...] = candidate.channels
        self.release: int | None = None
        self.reason: str | None = None  # set where it is not the gate's own name

    def verdict(self) -> Verdict:
        """Ask gate after gate until one stops."""
        for name, gate in _OF_REMOVALS if self.candidate.removes else _GATES:
            if gate(self):
                outcome = "deferred" if self.release is not None else _OUTCOMES.get(name, "suppressed")
                return Verdict(outcome, self.reason or name, self._channel(), self.gates, self.release)
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
        shares = experiments.held_out(self.candidate.rule, self.policy)
        held = [
            name
            for name, share in shares.items()
            if share > 0 and experiments.is_held_out(self.journey, self.policy, name, share)
        ]
        self._note("control", held, shares)
        return bool(held)

    def paused(self) -> bool:
        """A kill switch is on for everything, the rule or every channel; a rule or the guard spares them."""
        spared = self._spared() + guard.told(self.heard, self.policy, self.candidate.rule, self.candidate.at)
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
        """No channel of the step may be used for this purpose, or each was withdrawn while this was open."""
        now = [c for c in self.channels if self._may_use(c)]
        allowed = [c for c in now if self._may_use(c, self.candidate.began)]
        purpose, withdrawn = self.candidate.rule.purpose, [c for c in now if c not in allowed]
        self._note("no_consent", allowed, {purpose: {"withdrawn": withdrawn}} if withdrawn else purpose)
        self.channels = tuple(allowed) or self.channels
        return not allowed

    def _may_use(self, channel: str, began: int | None = None) -> bool:
        return reach.may_address(self.journey, self.candidate.rule.purpose, channel, self.policy, began)

    def unreachable(self) -> bool:
        """No allowed channel has an address."""
        known = [c for c in self.channels if reach.address(self.journey, c, self.policy) is not None]
        self._note("unreachable", known)
        self.channels = tuple(known) or self.channels
        return not known

    def stale(self) -> bool:
        """It comes too late to be worth anything, or what it offers has changed or is gone."""
        if self._gone():
            return True
        # After quiet hours only the message's own expiry counts: the wait was ours.
        age = 0 if self.candidate.released else self.candidate.now - self.candidate.due
        if age <= self.policy.max_delay and self._expired():
            return True
        self._note("stale", age, self.policy.max_delay)
        return age > self.policy.max_delay

    def _expired(self) -> bool:
        """What it says is worthless by now, as its author has it."""
        expires, waited = self.candidate.rule.expires, self.candidate.at - self.candidate.due
        expired = expires is not None and waited >= expires
        if expired:
            self._note("stale", waited, {"expires_ms": expires})
        return expired

    def _gone(self) -> bool:
        candidate = self.candidate
        gone = candidate.rule.subject == "product" and candidate.audience is None
        gone = gone and offers.is_gone(self.journey, candidate.subject_id, candidate.at)
        if gone or candidate.outdated:
            self._note("stale", "gone" if gone else "changed", "as it was")
        return gone or candidate.outdated

    def quiet_hours(self) -> bool:
        """It is night for the person, or a day that is free; the message leaves in the morning."""
        channel = self.channels[0]
        if not self._sleeps(channel):
            return False
        at = max(self.candidate.at if self.candidate.released else self.candidate.due, self.candidate.now)
        # A rate may hold the message back until the night; then it waits for the morning instead.
        at = max(at, pacing.free_from(self.paced, self.policy, channel, self.candidate.now) or 0)
        self.release = self._morning(channel, at)
        self._note("quiet_hours", at, self.release)
        night = self.release is not None
        if self._waiting() >= ASLEEP_AT_MOST:
            self.release = None
        return night

    def _waiting(self) -> int:
        """How many messages wait for the person already."""
        return sum(not deferred.shadow for deferred in self.journey.deferred)

    def _sleeps(self, channel: str) -> bool:
        exempt = self.candidate.rule.purpose == "transactional" or channel in SILENT_CHANNELS
        return self.policy.quiet_hours.enabled and not exempt

    def _morning(self, channel: str, at: int) -> int | None:
        """When a message of `at` may leave, where that is in the night."""
        key = self.candidate.message_id(self.journey.person, channel)
        is_free = free_days.of(self.journey, channel, self.candidate.rule.purpose)
        return quiet_hours.release_after(self.journey, self.policy, at, key, is_free)

    def cap(self) -> bool:
        """One more would be too many."""
        if self.candidate.audience is not None:
            return False
        channel, over_cap = self.channels[0], self.candidate.rule.over_cap
        if not self._over(channel):
            return False
        if over_cap == "next_channel":
            return self._no_other_channel()
        if over_cap == "defer":
            self.release = self._room(channel)
        return True

    def outbid(self) -> bool:
        """Another message of the person has more value; who is to be compared waits for the window first."""
        candidate, window = self.candidate, self.policy.arbitration
        if not window or not arbitration.competes(candidate):
            return False
        waited, bid = candidate.bid is not None, candidate.bid or arbitration.bid_of(candidate)
        rival = arbitration.rival(self.journey, candidate, bid, window)
        if not waited and (rival is None or self._waiting() < WAITING_AT_MOST):
            candidate.bid, rival = bid, None
            self.release = arbitration.held_until(candidate, window)
        self._note("outbid", rival and rival.shown(), bid._asdict() | {"within_ms": window})
        return rival is not None or self.release is not None

    def ceiling(self) -> bool:
        """The rule has sent what it may to everybody together."""
        candidate, rule = self.candidate, self.candidate.rule
        granted = ceilings.granted(self.granted, self.policy, rule, candidate.at)
        if granted is None or candidate.audience is not None:
            return False
        sent = ceilings.sent(self.risen, rule, candidate.at)
        self._note("ceiling", sent, granted.most)
        if sent < granted.most or granted.last:
            return sent >= granted.most
        if candidate.shadow:
            return False  # what has no effect asks for nothing
        self.release = candidate.at  # until the next batch, which may be granted more
        return True

    def _over(self, channel: str) -> bool:
        applying = self._caps(channel)
        seen = caps.counts(self.journey, applying, self.candidate.at)
        over = caps.broken(applying, seen)
        if over is None:
            self._note("cap", seen, [one.shown() for one in applying])
        else:
            self._note("cap", over.seen, over.applying.shown())
        return over is not None

    def _caps(self, channel: str) -> list[caps.Applying]:
        return caps.applying(self.journey, self.policy, self.candidate.rule, channel)

    def _no_other_channel(self) -> bool:
        """Take the next channel whose caps have room, unless it would wake the person; then it waits."""
        for place, channel in enumerate(self.channels[1:], start=1):
            if not self._over(channel):
                self.channels = self.channels[place:]
                night = self.quiet_hours()
                self.reason = "quiet_hours" if night else None
                return night
        return True

    def _room(self, channel: str) -> int | None:
        """When the caps have room and nobody is woken; None where the message has expired by then."""
        candidate, rule = self.candidate, self.candidate.rule
        if self._waiting() >= WAITING_AT_MOST:
            return None
        room = caps.room(self.journey, self._caps(channel), candidate.at)
        if room is not None and self._sleeps(channel):
            room = self._morning(channel, room) or room
        in_time = room is not None and (rule.expires is None or room - candidate.due < rule.expires)
        return room if in_time else None


_OUTCOMES: Final[Mapping[str, Outcome]] = {"control": "control"}
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
    ("outbid", Judgement.outbid),
    ("ceiling", Judgement.ceiling),
)
# The order in which gates stop a candidate; docs and metrics use these names.
NAMES: Final = tuple(name for name, _ in _GATES)
# Whether a removal is due at all; no gate keeps anybody in an audience.
_OF_REMOVALS: Final = _GATES[:2]
