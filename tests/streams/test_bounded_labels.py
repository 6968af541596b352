"""Whoever writes events cannot grow the metrics: labels are rules, channels and reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any

from prometheus_client import CollectorRegistry

from streams.lanes.reporting import LaneReport
from streams.metrics import Metrics
from streams.progress import Progress
from streams.topics import CHANNELS
from tests.core.shop import Shop, shipped
from tests.factories import NOON, Event

THOUSANDS = 3_000
ODD: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda name: {"type": name},
    lambda name: {"type": "view", "channel": name, "source": name, "medium": name},
    lambda name: {"type": "custom", "name": name, "query": name, "store_id": name},
    lambda name: {"type": "consent", "consent": {"state": name, "purpose": name, "channel": name}},
    lambda name: {"type": "consent", "consent": {"state": "granted", "purpose": name, "channel": name}},
    lambda name: {"type": "profile", "traits": {name: name, "preferences": {"tags": {name: name}}}},
    lambda name: {"type": "profile", "traits": {"country": {name: 1}, "timezone": name}},
    lambda name: {"type": "view", "items": [{"product_id": name, "category": name, "brand": name}]},
    lambda name: {"type": "add", "cart_id": name, "items": [{"product_id": name, "price": 3}]},
    lambda name: {"type": "purchase", "order_id": name, "currency": name, "coupon": name},
    lambda name: {"type": "view", "time": name},
    lambda name: {"type": {name: 1}},
    lambda name: {"type": "unsubscribe", "channel": name, "campaign": {name: name}},
    lambda name: {"type": "catalogue", "product_id": name, "price": 1, name: name},
    lambda name: {"type": "catalogue", "product_id": name, "stock": name},
)


def made_up(start: int) -> Iterator[Event]:
    """Events whose every word is new."""
    for number, of in enumerate(islice(cycle(ODD), THOUSANDS), start=start):
        person = f"person-{number % 97}"
        yield {"id": f"e{number}", "user_id": person, "time": NOON + number} | of(f"made-up-{number}")


def series(registry: CollectorRegistry) -> set[tuple[str, ...]]:
    """Every series by its name and labels."""
    return {
        (sample.name, *sorted(map(str, sample.labels.items())))
        for metric in registry.collect()
        for sample in metric.samples
    }


def test_thousands_of_made_up_names_make_no_series() -> None:
    """Neither as values of labels nor by their number."""
    registry = CollectorRegistry()
    report = LaneReport(0, Metrics(registry), Progress(60_000), lambda: 0, lambda: None)
    shop = Shop().read(*made_up(0), *made_up(THOUSANDS)).end()
    report.batch(2 * THOUSANDS, shop.counts, [])

    found = series(registry)
    labels = [dict(sample.labels) for metric in registry.collect() for sample in metric.samples]
    assert {one["rule"] for one in labels if "rule" in one} <= {rule.name for rule in shipped()} | {""}
    assert {one["channel"] for one in labels if "channel" in one} <= {*CHANNELS}
    assert {key[0] for key in shop.counts} > {"applied", "decision", "dead", "ignored"}
    assert not [one for one in found if "made-up" in str(one) or "person-" in str(one)]
    assert not [key for key in shop.counts if "made-up" in str(key)]
    assert len(found) < 500
