"""Every metric, declared once, in the registry that the caller owns. `docs/metrics.md` is made from this.

Lanes report once a batch, not once an event: looking a label up costs as much as deciding.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Metric,
    ProcessCollector,
    generate_latest,
)

from retarget.errors import RejectReason
from streams.instruments import LATE_SECONDS, SECONDS, Declared, Maker, from_zero
from streams.metrics_services import ChannelMetrics, CollectMetrics

Stage = Literal["gather", "load", "step", "commit", "checkpoint"]
ClaimCause = Literal["start", "rebalance", "fenced", "unknown_outcome", "store_changed"]
Service = Literal["broker", "store"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# From one person at night to a full batch of a backlog.
_RECORDS: Final = (1.0, 10.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
# A claim reads the journal's end; one that replays takes longer.
_CLAIM_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class InputMetrics:
    """What came in."""

    def __init__(self, make: Maker) -> None:
        self.applied = make.counter("retarget_events_applied", "Events applied to journeys.", "lane")
        self.late = make.counter(
            "retarget_events_late", "Events behind the clock; many of them: raise clock.lateness.", "lane"
        )
        self.duplicate = make.counter(
            "retarget_events_duplicate", "Events whose id was known, so that they changed nothing.", "lane"
        )
        self.dead_letters = from_zero(
            make.counter("retarget_dead_letters", "Records that could not be used, by reason.", "reason"),
            get_args(RejectReason),
        )
        self.handed_on = make.counter(
            "retarget_catalogue_records", "Records of the catalogue that this worker handed on to all lanes."
        )
        self.listed = make.counter(
            "retarget_catalogue_applied", "Records of the catalogue that a lane applied.", "lane"
        )
        self.ignored = from_zero(
            make.counter(
                "retarget_input_ignored",
                "Parts of usable events that could not be read, by part; erased: whole events of a time "
                "before their person was erased.",
                "part",
            ),
            ("consent", "preference", "score", "erased"),
        )


class IdentityMetrics:
    """Who turned out to be whom."""

    def __init__(self, make: Maker) -> None:
        self.joined = make.counter(
            "retarget_people_joined", "Histories of anonymous people put into those of known ones.", "lane"
        )
        self.unjoined = from_zero(
            make.counter(
                "retarget_people_not_joined",
                "Anonymous ids said to be a person's, not joined: too_many of one person; known as another "
                "person; shared, with a history that is somebody else's; erased, on its way to somebody who "
                "has been forgotten; apart, by identity.apart.",
                "why",
            ),
            ("too_many", "known", "shared", "erased", "apart"),
        )
        self.sent_on = from_zero(
            make.counter(
                "retarget_events_sent_on",
                "Events sent on to another lane: under a wrong key, an id that was joined, an id of nobody.",
                "why",
            ),
            ("key", "redirect", "nobody"),
        )
        self.doubles = make.counter(
            "retarget_merge_double",
            "Messages that both sides of a merge were sent before it, and one person would have got once.",
            "rule",
        )


class DecisionMetrics:
    """What was decided and sent."""

    def __init__(self, make: Maker) -> None:
        self.misfits = make.counter(
            "retarget_conditions_misfit",
            "Conditions with a value of another type than they ask for; they are false then.",
            "rule",
        )
        self.failed = make.counter(
            "retarget_rules_failed",
            "Events and waits that a rule could not stand: a bug; all other rules have decided.",
            "rule",
        )
        self.decisions = make.counter(
            "retarget_decisions",
            "Candidates by outcome and the gate that stopped them.",
            "rule",
            "outcome",
            "reason",
        )
        self.messages = make.counter(
            "retarget_messages", "Messages by rule, channel and operation.", "rule", "channel", "operation"
        )
        self.lacking = make.counter(
            "retarget_messages_lacking",
            "Messages that left with less than they could say: without their code, by what the decision's "
            "offer says (no_code: its pool is empty), or not in their person's language (unknown_locale).",
            "rule",
            "reason",
        )
        self.shadow = make.counter(
            "retarget_shadow_decisions",
            "What new versions of rules decided in shadow, without effect, by outcome and gate.",
            "rule",
            "outcome",
            "reason",
        )
        self.taken_over = make.counter(
            "retarget_episodes_taken_over",
            "Open episodes evaluated anew because no bundle carries the version that was to finish them.",
            "rule",
        )
        self.regretted = make.counter(
            "retarget_regretted_messages",
            "Messages sent although the person had just ended the episode.",
            "rule",
        )
        self.wait_lateness = make.histogram(
            "retarget_wait_lateness_seconds", "From the end of a wait to its decision.", LATE_SECONDS
        )
        self.paused = make.gauge("retarget_paused_switches", "Kill switches in force.")
        self.rules_refused = make.gauge(
            "retarget_rules_refused", "1 while rules are published that this worker cannot take up."
        )


class BatchMetrics:
    """How batches run."""

    def __init__(self, make: Maker) -> None:
        self.stage = from_zero(
            make.histogram(
                "retarget_stage_seconds",
                "Time of a batch in each stage; commit is the Kafka transaction, checkpoint the store call.",
                SECONDS,
                "stage",
            ),
            get_args(Stage),
        )
        self.records = make.histogram("retarget_batch_records", "Records in a batch.", _RECORDS)
        self.dropped = make.counter(
            "retarget_state_dropped",
            "Parts of journeys dropped because of the bounds on state, by kind.",
            "kind",
        )


class LaneMetrics:
    """How the lanes of this worker are."""

    def __init__(self, make: Maker) -> None:
        self.expected = make.gauge(
            "retarget_lanes", "Lanes that all workers together must own (kafka.partitions)."
        )
        self.up = make.gauge("retarget_lane_up", "1 while this worker owns the lane and works on it.", "lane")
        self.refused = make.gauge(
            "retarget_lane_refused",
            "1 when the lane stands, as going on could lose or repeat messages.",
            "lane",
        )
        self.progress = make.gauge(
            "retarget_lane_progress_timestamp_seconds",
            "When the lane last finished a batch or was caught up.",
            "lane",
        )
        self.clock = make.gauge("retarget_lane_clock_timestamp_seconds", "The lane's clock.", "lane")
        self.lag_records = make.gauge("retarget_lane_lag_records", "Records not yet read.", "lane")
        self.catch_up = make.gauge(
            "retarget_lane_catch_up_seconds",
            "Until no record is left, at the rate of the last half minute; +Inf: not at this one.",
            "lane",
        )
        self.lag_seconds = make.gauge(
            "retarget_lane_lag_seconds", "Wall clock minus the lane's clock.", "lane"
        )
        self.waits = make.gauge(
            "retarget_lane_waits", "Waits of the near future, as far as they are loaded.", "lane"
        )
        self.held = make.gauge(
            "retarget_lane_held_events", "Events held until the clock reaches them.", "lane"
        )
        self.silent = make.gauge(
            "retarget_lane_silent",
            "1 while guarded rules pause: no purchase for longer than guard.purchase_silence.",
            "lane",
        )
        self.codes = make.gauge(
            "retarget_lane_offer_codes", "Codes of a pool that the lane still has to give.", "lane", "pool"
        )
        self.claims = from_zero(
            make.counter(
                "retarget_lane_claims",
                "Claims of lanes by cause; all but start and rebalance are repairs.",
                "cause",
            ),
            get_args(ClaimCause),
        )
        self.claim = make.histogram(
            "retarget_lane_claim_seconds", "From the wish for a lane to its first batch.", _CLAIM_SECONDS
        )
        self.replayed = make.counter(
            "retarget_replayed_batches", "Batches repeated from the journal in claims."
        )
        self.mismatches = make.counter(
            "retarget_replay_mismatches", "Replayed batches whose outputs were others than the journal says."
        )

    def forget(self, lane: int, pools: Iterable[str] = ()) -> None:
        """Remove the lane's gauges when it has gone to another worker, which shows its own from then on."""
        gauges = (
            self.up, self.refused, self.progress, self.clock, self.lag_records, self.lag_seconds,
            self.waits, self.held, self.silent, self.catch_up,
        )  # fmt: skip
        for gauge in gauges:
            gauge.remove(str(lane))
        for pool in pools:
            self.codes.remove(str(lane), pool)


class ServiceMetrics:
    """What the worker depends on, and what it is."""

    def __init__(self, make: Maker, version: str) -> None:
        self.waiting = from_zero(
            make.gauge(
                "retarget_service_waiting", "1 while the worker waits for a service to answer.", "service"
            ),
            get_args(Service),
        )
        self.snapshot_age = make.gauge(
            "retarget_snapshot_age_seconds",
            "Since the newest snapshot in snapshot.folder was begun; +Inf: there is none that can be read, "
            "NaN: no folder is set.",
        )
        self.snapshot_age.set(math.nan)
        self.build = make.gauge(
            "retarget_build_info", "Always 1; the labels say what runs.", "version", "python"
        )
        self.build.labels(version, platform.python_version()).set(1)


class Metrics:
    """All instruments, by what they tell; `declared` lists them for the manual."""

    def __init__(self, registry: CollectorRegistry, *, version: str = "") -> None:
        """Registers everything in `registry`, which must not hold them yet (else ValueError)."""
        ProcessCollector(registry=registry)
        make = Maker(registry)
        self.input = InputMetrics(make)
        self.identity = IdentityMetrics(make)
        self.decision = DecisionMetrics(make)
        self.batch = BatchMetrics(make)
        self.lane = LaneMetrics(make)
        self.service = ServiceMetrics(make, version)
        self.declared: Sequence[Declared] = tuple(make.declared)


class _WithoutCreated(CollectorRegistry):
    """The registry without creation times: they double the page and Prometheus has no use for them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._of = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._of.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric


def exposition(registry: CollectorRegistry) -> bytes:
    """The page that Prometheus reads, of type CONTENT_TYPE."""
    return generate_latest(_WithoutCreated(registry))


def manual() -> str:
    """The text of `docs/metrics.md`: `python -m streams.metrics > docs/metrics.md`."""
    worker, collector = Metrics(CollectorRegistry()).declared, CollectMetrics(CollectorRegistry()).declared
    channel = ChannelMetrics(CollectorRegistry()).declared
    return _MANUAL_HEAD + _rows(worker) + _COLLECTOR_HEAD + _rows(collector) + _CHANNEL_HEAD + _rows(channel)


def _rows(declared: Iterable[Declared]) -> str:
    return "".join(
        f"| `{one.name}` | {one.kind} | {', '.join(one.labels) or '-'} | {one.sentence} |\n"
        for one in declared
    )


_MANUAL_HEAD: Final = """\
# Metrics

Every worker shows these at `/metrics` on `web.host`:`web.port`, beside `process_*` of the Prometheus client.
`lane` is the partition. Alert rules: `deploy/prometheus/alerts.yml`, dashboard: `deploy/grafana`.
Made by `python -m streams.metrics > docs/metrics.md`.

| metric | kind | labels | meaning |
|---|---|---|---|
"""

_COLLECTOR_HEAD: Final = """
`retarget collect` shows these at `/metrics` on `collect.host`:`collect.port`:

| metric | kind | labels | meaning |
|---|---|---|---|
"""

_CHANNEL_HEAD: Final = """
`retarget channel NAME` shows these at `/metrics` on `channel.host`:`channel.port`:

| metric | kind | labels | meaning |
|---|---|---|---|
"""

if __name__ == "__main__":
    import sys

    sys.stdout.write(manual())
