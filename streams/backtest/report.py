"""The report: all that a backtest found, for the table, for JSON and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.backtest.figures import Change, Figures, plain
from streams.backtest.parts import Outcome

Prices = Mapping[str, float]


class Speed(msgspec.Struct, kw_only=True):
    """How long it took, in seconds, and on how many processes at most.

    `events` counts what the parts hold, once for each set of rules: people's events, and what tells a part
    the clock of its lane.
    """

    reading_s: float
    working_s: float
    jobs: int
    events: int

    @property
    def per_second_and_core(self) -> float:
        """Events worked off in a second by one process, when all of them were at work."""
        return self.events / self.working_s / self.jobs if self.working_s else 0.0


class Report(msgspec.Struct, kw_only=True):
    """One backtest: `source`, `rules` and `against` as the user named them."""

    source: str
    rules: str
    against: str | None
    records: int
    unusable: dict[str, int]
    shared: list[str] = []  # what people share under either rules, in words
    outcome: Outcome
    speed: Speed

    def as_json(self, prices: Prices, broken: Sequence[str]) -> dict[str, Any]:
        """Everything, as plain data; tables are lists of rows, sorted."""
        outcome = self.outcome
        found: dict[str, Any] = {
            "input": self.source,
            "records": self.records,
            "unusable": self.unusable,
            "shared": self.shared,
            "rules": {"path": self.rules} | _figures(outcome.rules, prices),
            "against": None,
            "changes": None,
            "over_budget": list(broken),
            "speed": {name: getattr(self.speed, name) for name in self.speed.__struct_fields__}
            | {"events_per_second_and_core": round(self.speed.per_second_and_core)},
        }
        if outcome.against is not None and outcome.comparison is not None:
            found["against"] = {"path": self.against} | _figures(outcome.against, prices)
            found["changes"] = [
                {"rule": rule, "channel": channel} | _change(change)
                for (rule, channel), change in sorted(outcome.comparison.changes.items())
            ]
            found["newly_reached"] = outcome.comparison.newly_reached
            found["no_longer_reached"] = outcome.comparison.no_longer_reached
        return found


def _change(change: Change) -> dict[str, int]:
    return {name: getattr(change, name) for name in change.__struct_fields__}


def _figures(figures: Figures, prices: Prices) -> dict[str, Any]:
    return {
        "messages": figures.messages(),
        "sends": _rows(figures.sends, "rule", "channel", "day"),
        "outcomes": _rows(figures.outcomes, "rule", "outcome", "gate"),
        "deferred": figures.deferred,
        "caps": _rows(figures.caps, "rule", "cap"),
        "recalls": _rows(figures.recalls, "rule", "channel"),
        "regretted": _rows(figures.regretted, "rule", "channel"),
        "regret": round(figures.regret(), 6),
        "reached": figures.reached,
        "most_per_person": figures.most_per_person,
        "most_per_person_and_day": figures.most_per_person_day,
        "cost": cost(figures, prices) if prices else None,
        "counts": figures.counts,
    }


def _rows(table: Mapping[Any, int], *names: str) -> list[dict[str, Any]]:
    return [dict(zip((*names, "count"), row, strict=True)) for row in plain(table)]


def cost(figures: Figures, prices: Prices) -> float:
    """What the sends cost, by the price of each channel; one without a price costs nothing."""
    return round(sum(prices.get(channel, 0.0) * n for (_, channel, _), n in figures.sends.items()), 6)
