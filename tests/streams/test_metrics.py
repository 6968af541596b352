"""What operators see at /metrics."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from streams.lanes.reporting import LaneReport
from streams.metrics import Metrics, exposition
from streams.progress import Progress


def page(registry: CollectorRegistry) -> list[str]:
    """The lines of the metrics page."""
    return exposition(registry).decode().splitlines()


def test_two_workers_in_one_process_do_not_share_their_metrics() -> None:
    """The registry is the caller's; nothing is registered anywhere else."""
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics(first).lane.replayed.inc()
    Metrics(second)

    assert "retarget_replayed_batches_total 1.0" in page(first)
    assert "retarget_replayed_batches_total 0.0" in page(second)


def test_one_registry_takes_the_metrics_once() -> None:
    """Two workers that report under the same names would hide each other."""
    registry = CollectorRegistry()
    Metrics(registry)

    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry)


def test_failures_are_shown_before_the_first_one() -> None:
    """An alert on an increase needs the zero that was there before."""
    registry = CollectorRegistry()
    Metrics(registry, version="1.2.3")
    lines = page(registry)

    assert 'retarget_dead_letters_total{reason="not_json"} 0.0' in lines
    assert 'retarget_lane_claims_total{cause="fenced"} 0.0' in lines
    assert 'retarget_service_waiting{service="store"} 0.0' in lines
    assert any(line.startswith('retarget_build_info{python="') and "1.2.3" in line for line in lines)


def test_a_lane_that_has_gone_is_not_shown_any_more() -> None:
    """Its new owner shows it; two values for one lane would contradict each other."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.lane.up.labels("3").set(1)
    metrics.lane.lag_records.labels("3").set(70)
    metrics.input.applied.labels("3").inc(5)

    metrics.lane.forget(3)

    shown = [line for line in page(registry) if 'lane="3"' in line]
    assert shown == ['retarget_events_applied_total{lane="3"} 5.0']


def test_a_lane_that_hears_of_no_purchases_is_shown_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each batch tells; the log has a line for each change."""
    registry = CollectorRegistry()
    report = LaneReport(3, Metrics(registry), Progress(60_000), lambda: 0, lambda: None)
    shown = []
    for guarded in (False, True, True, False):
        report.silent(guarded=guarded)
        shown += [line for line in page(registry) if line.startswith("retarget_lane_silent{")]

    assert [line.rpartition(" ")[2] for line in shown] == ["0.0", "1.0", "1.0", "0.0"]
    assert caplog.messages == ["lane 3 hears of no purchase: guarded rules pause"]


def test_the_page_has_no_creation_times() -> None:
    """One series a value, no second one that says when it began."""
    registry = CollectorRegistry()
    Metrics(registry).input.applied.labels("0").inc()

    assert not [line for line in page(registry) if "_created" in line]


def test_messages_that_say_less_than_they_could_are_counted_by_reason() -> None:
    """An empty pool of codes, and a language that nobody here speaks."""
    registry = CollectorRegistry()
    counts: dict[tuple[str, ...], int] = {
        ("lacking", "left", "no_code"): 2,
        ("lacking", "left", "unknown_locale"): 1,
    }
    LaneReport(3, Metrics(registry), Progress(60_000), lambda: 0, lambda: None).batch(1, counts, [])
    shown = [line for line in page(registry) if line.startswith("retarget_messages_lacking_total{")]
    assert sorted(shown) == [
        'retarget_messages_lacking_total{reason="no_code",rule="left"} 2.0',
        'retarget_messages_lacking_total{reason="unknown_locale",rule="left"} 1.0',
    ]
