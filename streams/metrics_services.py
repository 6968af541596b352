"""The metrics of what stands beside the workers, declared as in `metrics`: collector and channel services."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector

from retarget.errors import RejectReason
from streams.instruments import LATE_SECONDS, SECONDS, Declared, Maker, from_zero


class CollectMetrics:
    """What `retarget collect` takes and refuses; in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers everything in `registry`, which must not hold them yet (else ValueError)."""
        ProcessCollector(registry=registry)
        make = Maker(registry)
        self.requests = make.counter(
            "retarget_collect_requests", "Requests with events, by answer.", "status"
        )
        self.events = make.counter("retarget_collect_events", "Events that are in Kafka.")
        self.refused = from_zero(
            make.counter("retarget_collect_refused", "Events that cannot be used, by reason.", "reason"),
            get_args(RejectReason),
        )
        self.links = from_zero(
            make.counter(
                "retarget_collect_links",
                "Links of messages that were followed: clicked, by a program, leading nowhere.",
                "outcome",
            ),
            ("clicked", "program", "nowhere"),
        )
        self.waiting = make.gauge("retarget_collect_waiting_bytes", "Bodies that wait for Kafka.")
        self.seconds = make.histogram("retarget_collect_seconds", "From a request to its answer.", SECONDS)
        self.declared: Sequence[Declared] = tuple(make.declared)


class ChannelMetrics:
    """What `retarget channel` hands over; in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers everything in `registry`, which must not hold them yet (else ValueError)."""
        ProcessCollector(registry=registry)
        make = Maker(registry)
        self.outcomes = make.counter(
            "retarget_channel_messages",
            "What came of messages: handed over; to be tried later; in doubt, as no answer came; dead; "
            "expired; recalled in time; too_late to recall; unwanted at this place; repeat of a record; "
            "lost by the retention; erased with its person; left, as a membership had expired.",
            "channel",
            "outcome",
        )
        self.repeats = make.counter(
            "retarget_channel_repeats",
            "Messages in doubt that were handed over once more: people may have got them twice.",
            "channel",
        )
        self.dead = make.counter(
            "retarget_channel_dead_letters", "Messages that could not be handed over.", "channel", "reason"
        )
        self.waiting = make.gauge(
            "retarget_channel_waiting", "Messages read and not yet settled.", "channel", "partition"
        )
        self.unread = make.gauge(
            "retarget_channel_unread_records", "Records of the topic not yet read.", "channel", "partition"
        )
        self.rate_waited = make.counter(
            "retarget_channel_rate_waited_seconds",
            "Time for which messages that could go waited for the channel's rate, over all partitions.",
            "channel",
        )
        self.late = make.histogram(
            "retarget_channel_late_seconds",
            "From when a message could have gone to its handing over.",
            LATE_SECONDS,
            "channel",
        )
        self.links = from_zero(
            make.counter(
                "retarget_channel_links",
                "Links of messages that were followed: clicked, by a program, leading nowhere.",
                "outcome",
            ),
            ("clicked", "program", "nowhere"),
        )
        self.paused = make.gauge(
            "retarget_channel_paused_switches", "Kill switches in force, as this service knows."
        )
        self.unsubscribed = make.counter("retarget_channel_unsubscribes", "One-click unsubscribes taken.")
        self.declared: Sequence[Declared] = tuple(make.declared)

    def begin(self, channel: str, outcomes: Iterable[str], reasons: Iterable[str]) -> None:
        """Show a channel's series from the start: one that is absent has no increase to alert on."""
        for outcome in outcomes:
            self.outcomes.labels(channel, outcome)
        for reason in reasons:
            self.dead.labels(channel, reason)
        for series in (self.repeats, self.rate_waited, self.late):
            series.labels(channel)
