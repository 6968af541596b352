"""Sends: the outputs of one part as figures, and each send on disk so that two runs can be matched."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from retarget.times import DAY, format_duration, format_time, parse_time
from streams import topics
from streams.backtest.figures import Figures
from streams.backtest.spill import Sorted, Spill
from streams.ports import Output

# So many sends are in memory before they are written.
_KEPT: Final = 100_000
_CAP: Final = "cap"
_ENDED: Final = "ended"


class _Limit(msgspec.Struct):
    scope: str = ""
    count: int = 0
    within_ms: int = 0


class _Gate(msgspec.Struct):
    gate: str
    limit: msgspec.Raw = msgspec.Raw(b"null")


class _Said(msgspec.Struct):
    """What is needed of a decision record."""

    decision_id: str
    rule: str
    person: str
    decided_at: str
    outcome: str
    reason: str | None = None
    channel: str | None = None
    operation: str = "send"
    regretted: bool | None = None


class _Gates(msgspec.Struct):
    gates: list[_Gate]


class Sent(msgspec.Struct, array_like=True):
    """One send as it stands on disk."""

    rule: str
    channel: str
    at: int


class _Person:
    __slots__ = ("day", "on_day", "total")

    def __init__(self) -> None:
        self.day = self.on_day = self.total = 0


_said: Final = msgspec.json.Decoder(_Said).decode
_gates: Final = msgspec.json.Decoder(_Gates).decode
_limit: Final = msgspec.json.Decoder(_Limit).decode
_write: Final = msgspec.msgpack.Encoder().encode
read_sent: Final = msgspec.msgpack.Decoder(Sent).decode


def _is_of_a_step(removal: bytes) -> bool:
    """Whether a rule says that the audience is left; else an ending has undone what it said."""
    return all(gate.gate != _ENDED for gate in _gates(removal).gates)


class Sends:
    """A sink for the outputs of one lane. Decisions alone are read: each message has one."""

    def __init__(self, path: Path | None) -> None:
        """`path`: where every send is written; None when there is nothing to match them with."""
        self._spill = Spill(path) if path is not None else None
        self._sends: Counter[tuple[str, str, int]] = Counter()
        self._outcomes: Counter[tuple[str, str, str]] = Counter()
        self._deferred: Counter[str] = Counter()
        self._caps: Counter[tuple[str, str]] = Counter()
        self._recalls: Counter[tuple[str, str]] = Counter()
        self._regretted: Counter[tuple[str, str]] = Counter()
        self._people: dict[str, _Person] = {}
        self._most_on_day = 0

    def __call__(self, output: Output) -> None:
        """Take one output in."""
        if output.topic != topics.DECISIONS:
            return
        said = _said(output.value)
        if said.outcome == "deferred":
            self._deferred[said.rule] += 1
        elif said.operation == "recall":
            self._recalled(said)
        elif said.operation != "remove" or _is_of_a_step(output.value):
            self._outcomes[said.rule, said.outcome, said.reason or ""] += 1
            if said.outcome == "sent":
                self._sent(said)
            elif said.reason == _CAP:
                self._caps[said.rule, _cap_of(output.value)] += 1

    def _recalled(self, said: _Said) -> None:
        row = said.rule, said.channel or ""
        self._recalls[row] += 1
        self._regretted[row] += bool(said.regretted)

    def _sent(self, said: _Said) -> None:
        at, channel = parse_time(said.decided_at), said.channel or ""
        self._sends[said.rule, channel, at // DAY] += 1
        if said.operation == "send":
            self._count(said.person, at // DAY)
        if self._spill is not None:
            self._spill.add(bytes.fromhex(said.decision_id), _write(Sent(said.rule, channel, at)))
            if self._spill.waiting >= _KEPT:
                self._spill.flush()

    def _count(self, person: str, day: int) -> None:
        known = self._people.get(person)
        if known is None:
            known = self._people[person] = _Person()
        # A person's sends come in the order of their times.
        known.on_day = known.on_day + 1 if known.day == day else 1
        known.day = day
        known.total += 1
        self._most_on_day = max(self._most_on_day, known.on_day)

    @property
    def people(self) -> frozenset[str]:
        """Who got a message."""
        return frozenset(self._people)

    def close(self) -> Sorted | None:
        """The sends by decision."""
        return self._spill.close() if self._spill is not None else None

    def figures(self, counts: Counter[tuple[str, ...]]) -> Figures:
        """All that was seen; `counts` are those of the run itself."""
        return Figures(
            sends={(rule, channel, _day(day)): n for (rule, channel, day), n in self._sends.items()},
            outcomes=dict(self._outcomes),
            deferred=dict(self._deferred),
            caps=dict(self._caps),
            recalls=dict(self._recalls),
            regretted=dict(+self._regretted),
            reached=len(self._people),
            most_per_person=max((person.total for person in self._people.values()), default=0),
            most_per_person_day=self._most_on_day,
            counts={name: counts[key] for name, key in _KINDS.items() if counts[key]},
        )


_KINDS: Final = {
    "late": ("late",),
    "repeated": ("repeat",),
    "rule_failed": ("dead", "rule_failed"),
}


def _cap_of(decision: bytes) -> str:
    """The cap that stopped it, as the settings write it."""
    found = _limit(_gates(decision).gates[-1].limit)
    return f"{found.scope} {found.count}/{format_duration(found.within_ms)}"


def _day(number: int) -> str:
    return format_time(number * DAY)[:10]
