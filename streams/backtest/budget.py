"""The budget: what rules may do at most; a limit that is exceeded fails the backtest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from retarget.errors import BadInput
from streams.backtest.figures import Figures
from streams.backtest.report import Report, cost

Found = Iterator[tuple[str, float]]


class Limit(NamedTuple):
    """One line of the file; `channel` is set where limits are given by channel."""

    place: str
    name: str
    most: float
    channel: str = ""


class Kind(NamedTuple):
    """What can be limited: `measure` gives how much there is of it and where; a `share` of 1, or a number.

    `exceeds`: such a share may be more than 1.
    """

    measure: Callable[[Report, Budget, str], Found]
    share: bool = False
    by_channel: bool = False
    compares: bool = False
    exceeds: bool = False


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
    "added": Kind(_changed("added"), share=True, compares=True, exceeds=True),
    "removed": Kind(_changed("removed"), share=True, compares=True),
    "moved": Kind(_changed("moved"), share=True, compares=True),
}
