"""A slow and obvious second implementation of the rules, to compare the engine with.

It shares nothing with the engine; READING.md lists how it reads the contract where that leaves a choice.
"""

from dataclasses import replace
from typing import Any

from .engine import Lane
from .journeys import Journeys
from .model import RULES, TRIED, Decision, Event, Variant
from .readings import Readings

__all__ = ["Decision", "Readings", "Variant", "decide"]


def decide(  # noqa: PLR0913 - each is a switch of its own
    events: list[Event],
    *,
    rules: set[str] | None = None,
    lateness_ms: int = 0,
    assume_consent: bool = True,
    quiet_hours: bool = False,
    readings: Readings | None = None,
    changed: dict[str, dict[str, Any]] | None = None,
    rates: dict[str, tuple[int, int]] | None = None,
    window_ms: int = 0,
    silence_ms: int = 0,
    published: dict[int, dict[str, dict[str, Any]]] | None = None,
) -> list[Decision]:
    """Decide canonical touchpoints as `replay` does, in input order and as of one partition.

    `changed` replaces fields of rules by name; `published` does so before the event of that number, for what
    opens from then on: all that is open is finished by the version that opened it. `rates` are messages in so
    many ms, by channel. `window_ms` is that of arbitration, `silence_ms` that of the heartbeat guard, 0 for
    none. Gives the final decisions in the order in which they are made, recalls and removals included.
    """
    journeys = Journeys(
        [
            replace(rule, **(changed or {}).get(rule.name, {}))
            for rule in (RULES | TRIED).values()
            if (rule.name in RULES if rules is None else rule.name in rules)
        ],
        assume_consent=assume_consent,
        quiet_hours=quiet_hours,
        readings=readings or Readings(),
        rates=rates or {},
        window=window_ms,
        silence=silence_ms,
    )
    lane = Lane(journeys, lateness_ms=lateness_ms)
    for number, event in enumerate(events):
        journeys.publish((published or {}).get(number, {}))
        lane.read(event)
    lane.end()
    return journeys.delivery.decisions
