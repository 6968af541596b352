"""The budget: what a change of rules may cost, as a YAML file; a limit that is exceeded fails the backtest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from retarget.errors import BadInput
from retarget.rules.names import nearest
from streams.backtest.figures import Figures
from streams.backtest.report import Report, cost
from streams.rulebook import read_documents
from streams.topics import CHANNELS

Keys = tuple[str | int, ...]
Found = Iterator[tuple[str, float]]


class Limit(NamedTuple):
    """One line of the file; `channel` is set where limits are given by channel."""

    place: str
    name: str
    most: float
    channel: str = ""


class Kind(NamedTuple):
    """What can be limited: how much there is of it, each with where that is; in words; `share` of 1, or a number."""

    measure: Callable[[Report, Budget, str], Found]
    share: bool = False
    by_channel: bool = False
    compares: bool = False


class Budget(NamedTuple):
    """Prices of a message by channel, and limits."""

    prices: Mapping[str, float]
    limits: tuple[Limit, ...]

    def require(self, *, compared: bool) -> None:
        """Raise BadInput when a limit is about a difference and there is nothing to compare with."""
        problems = [
            f"{limit.place}: limits.{limit.name}: needs other rules to compare with; give --against"
            for limit in self.limits
            if KINDS[limit.name].compares and not compared
        ]
        if problems:
            raise BadInput(problems)

    def judge(self, report: Report) -> list[str]:
        """A line for every limit that is exceeded."""
        return [line for limit in self.limits if (line := self._broken(limit, report))]

    def _broken(self, limit: Limit, report: Report) -> str:
        kind = KINDS[limit.name]
        where, found = max(kind.measure(report, self, limit.channel), key=_amount, default=("", 0.0))
        if found <= limit.most:
            return ""
        name = f"limits.{limit.name}" + (f".{limit.channel}" if limit.channel else "")
        return f"{limit.place}: {name}: {_shown(found, kind)}{where}, the limit is {_shown(limit.most, kind)}"


def _amount(found: tuple[str, float]) -> float:
    return found[1]


def _shown(number: float, kind: Kind) -> str:
    return f"{number:.2%}" if kind.share else f"{number:,.2f}".removesuffix(".00")


# -- what can be limited --


def _messages(report: Report, _: Budget, __: str) -> Found:
    yield "", report.outcome.rules.messages()


def _by_channel_day(report: Report, _: Budget, wanted: str) -> Found:
    for (channel, day), n in report.outcome.rules.by_channel_day().items():
        if channel == wanted:
            yield f" on {day}", n


def _per_person(report: Report, _: Budget, __: str) -> Found:
    yield " to one person", report.outcome.rules.most_per_person


def _per_person_day(report: Report, _: Budget, __: str) -> Found:
    yield " to one person on one day", report.outcome.rules.most_per_person_day


def _over_cap(report: Report, _: Budget, __: str) -> Found:
    yield " of what the caps judged", over_cap(report.outcome.rules)


def _regret(report: Report, _: Budget, __: str) -> Found:
    yield " of the messages", report.outcome.rules.regret()


def _cost(report: Report, budget: Budget, __: str) -> Found:
    yield "", cost(report.outcome.rules, budget.prices)


def _changed(what: str) -> Callable[[Report, Budget, str], Found]:
    def measure(report: Report, _: Budget, __: str) -> Found:
        comparison, against = report.outcome.comparison, report.outcome.against
        if comparison is not None and against is not None:
            changed, before = getattr(comparison.total(), what), sum(against.sends.values())
            yield f" of {before:,} sends", changed / before if before else float(changed)

    return measure


def over_cap(figures: Figures) -> float:
    """The share of the messages that came as far as the caps and were stopped there."""
    capped = sum(figures.caps.values())
    judged = figures.messages() + capped
    return capped / judged if judged else 0.0


KINDS: Final[Mapping[str, Kind]] = {
    "messages": Kind(_messages),
    "sends_per_channel_and_day": Kind(_by_channel_day, by_channel=True),
    "messages_per_person": Kind(_per_person),
    "messages_per_person_and_day": Kind(_per_person_day),
    "over_cap": Kind(_over_cap, share=True),
    "regret": Kind(_regret, share=True),
    "cost": Kind(_cost),
    "added": Kind(_changed("added"), share=True, compares=True),
    "removed": Kind(_changed("removed"), share=True, compares=True),
    "moved": Kind(_changed("moved"), share=True, compares=True),
}
_PARTS: Final = ("prices", "limits")


# -- the file --


def read_budget(path: Path) -> Budget:
    """The budget in a file. Raises BadInput with every problem, by line."""
    documents, problems = read_documents([path])
    if not problems and len(documents) != 1:
        problems = [f"{path}:1: found {len(documents)} documents; expected one with {' and '.join(_PARTS)}"]
    if problems:
        raise BadInput(problems)
    reading = _Reading(documents[0].file, documents[0].data, documents[0].lines)
    budget = reading.budget()
    if reading.problems:
        raise BadInput(reading.problems)
    return budget


class _Reading:
    """One file, read whole although something is wrong."""

    def __init__(self, file: str, data: object, lines: Mapping[Any, int]) -> None:
        self._file, self._data, self._lines = file, data, lines
        self.problems: list[str] = []

    def budget(self) -> Budget:
        data = self._mapping((), self._data, _PARTS)
        prices = self._mapping(("prices",), data.get("prices", {}), CHANNELS)
        limits = self._mapping(("limits",), data.get("limits", {}), KINDS)
        return Budget(
            {name: self._number(("prices", name), value) for name, value in prices.items()},
            tuple(limit for name, value in limits.items() for limit in self._limits(name, value)),
        )

    def _limits(self, name: str, value: object) -> Iterator[Limit]:
        if not KINDS[name].by_channel:
            keys: Keys = ("limits", name)
            yield Limit(self._place(keys), name, self._number(keys, value, share=KINDS[name].share))
            return
        for channel, most in self._mapping(("limits", name), value, CHANNELS).items():
            keys = ("limits", name, channel)
            yield Limit(self._place(keys), name, self._number(keys, most), channel)

    def _mapping(
        self, keys: Keys, value: object, known: Mapping[str, Any] | tuple[str, ...]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._note(keys, f"found {value!r}, expected {', '.join(known)} with a value each")
            return {}
        for name in [name for name in value if name not in known]:
            self._note((*keys, name), f"unknown{nearest(name, set(known))}; known: {', '.join(known)}")
        return {name: one for name, one in value.items() if name in known}

    def _number(self, keys: Keys, value: object, *, share: bool = False) -> float:
        if share and isinstance(value, str) and value.endswith("%"):
            with_percent = value[:-1].strip()
            if with_percent.replace(".", "", 1).isdecimal():
                return float(with_percent) / 100
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
        self._note(
            keys, f"found {value!r}, expected {'a share such as 5%' if share else 'a number from 0 on'}"
        )
        return 0.0

    def _note(self, keys: Keys, sentence: str) -> None:
        name = ".".join(map(str, keys))
        self.problems.append(f"{self._place(keys)}: {name + ': ' if name else ''}{sentence}")

    def _place(self, keys: Keys) -> str:
        return f"{self._file}:{self._lines.get(keys, 1)}"
