"""How metrics are declared: each once, in the registry that the caller owns, with a list for the manual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Instrument = TypeVar("Instrument", Counter, Gauge, Histogram)


# A stage takes 1-60 ms when all is well; seconds mean that a service struggles.
SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# A live wait is late by clock.lateness; after an outage by hours.
LATE_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0)


class Declared(NamedTuple):
    """One metric as the manual shows it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    sentence: str


class Maker:
    """Makes instruments in one registry and keeps the list of what was made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.declared: list[Declared] = []

    def counter(self, name: str, sentence: str, *labels: str) -> Counter:
        """What only grows."""
        self.declared.append(Declared(f"{name}_total", "counter", labels, sentence))
        return Counter(name, sentence, labels, registry=self._registry)

    def gauge(self, name: str, sentence: str, *labels: str) -> Gauge:
        """What goes up and down."""
        self.declared.append(Declared(name, "gauge", labels, sentence))
        return Gauge(name, sentence, labels, registry=self._registry)

    def histogram(self, name: str, sentence: str, buckets: Sequence[float], *labels: str) -> Histogram:
        """How much of it, in buckets."""
        self.declared.append(Declared(name, "histogram", labels, sentence))
        return Histogram(name, sentence, labels, registry=self._registry, buckets=buckets)


def from_zero(instrument: Instrument, values: Iterable[str]) -> Instrument:
    """A series that is absent until its first failure has no increase to alert on."""
    for value in values:
        instrument.labels(value)
    return instrument
