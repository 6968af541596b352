"""How metrics are declared: each once, in the registry that the caller owns, with a list for the manual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Instrument = TypeVar("Instrument", Counter, Gauge, Histogram)


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
