"""Settlement: which messages are done with, what is told of them, and when the others go again.

What is to be told waits here until it is put down with the queue's state.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from streams.channels import telling
from streams.channels.leavers import Going, Leavers
from streams.channels.outcomes import NOT_YET, Channel, Outcome, known_as
from streams.channels.queue import NEVER, Parcel, Queue, Unreadable
from streams.channels.unsealing import Open
from streams.clocks import now_ms
from streams.kafka.sending import Outgoing
from streams.metrics_services import ChannelMetrics
from streams.reading import canonical_topic
from streams.settings import Settings

log: Final = logging.getLogger("retarget.channel")
_FIRST_RETRY_MS: Final = 2_000
_LAST_RETRY_MS: Final = 15 * 60_000


class Terms(NamedTuple):
    """Where feedback goes, how long (ms) a message is tried again, how many wait before reading stops.

    `now` is the clock that messages' times are held against, epoch ms; `pauses` tells the kill switches in
    force, None while they are not known; `opening` opens what is sealed; `leavers` reads who is to leave
    audiences that this partition has put them into, where we see to that.
    """

    feedback_topic: str
    patience_ms: int
    most: int
    now: Callable[[], int] = now_ms
    pauses: Callable[[], Mapping[str, int] | None] = dict
    opening: Open | None = None
    leavers: Callable[[int], Awaitable[Leavers]] | None = None


def terms_of(settings: Settings, pauses: Callable[[], Mapping[str, int] | None] = dict) -> Terms:
    """Those of the settings, with these kill switches. Raises BadInput when feedback can go nowhere."""
    told = canonical_topic(settings, "feedback")
    return Terms(told, settings.channel.patience, settings.channel.waiting, pauses=pauses)


class Settlement:
    """That of one queue, from when its partition was taken over."""

    def __init__(
        self, channel: Channel, queue: Queue, metrics: ChannelMetrics, terms: Terms, sizes: Mapping[str, int],
        leavers: Leavers | None = None,
    ) -> None:  # fmt: skip
        """`sizes`: how many partitions the topics have that are told."""
        self.queue, self.leavers = queue, leavers
        self._channel, self._metrics, self._terms = channel, metrics, terms
        self._sizes, self._name = sizes, known_as(channel)
        self._unwritten: list[Outgoing] = []
        self.is_stale = False  # whether something is known that has not been put down

    @property
    def tells(self) -> bool:
        """Whether somebody waits to be told."""
        return bool(self._unwritten)

    def put_down(self) -> list[Outgoing]:
        """What is to be told, with the queue's state; from now on all is new again."""
        told, self._unwritten, self.is_stale = self._unwritten, [], False
        return told

    def settle(self, parcel: Parcel, outcome: Outcome) -> None:
        """Make what follows from an outcome."""
        now, tries = self._terms.now(), parcel.tries
        self.is_stale = True
        if outcome is NOT_YET:
            tries.doubts -= 1
            return
        if outcome.kind != "dead":
            self._count(outcome.kind)
        if outcome.kind in ("later", "doubt"):
            self._put_off(parcel, outcome, now)
            return
        self._unwritten += telling.feedback(
            parcel.message, outcome, now, self._terms.feedback_topic, self._sizes
        )
        if outcome.kind == "dead":
            if parcel.was_sealed:
                hidden = telling.without_addresses(outcome.detail, parcel.message)
                outcome = msgspec.structs.replace(outcome, detail=hidden)
            self.set_aside(Unreadable(parcel.offset, parcel.key, parcel.raw, outcome))
            self.queue.forget(parcel.message.message_id)
        else:
            self._metrics.late.labels(self._name).observe(max(0, now - parcel.since) / 1e3)
            self.queue.settle(parcel.offset)
        if outcome.kind == "handed" and self.leavers is not None:
            expires = None if parcel.expires == NEVER else parcel.expires
            self._unwritten += self.leavers.settled(parcel.message, expires)

    def _put_off(self, parcel: Parcel, outcome: Outcome, now: int) -> None:
        tries = parcel.tries
        if outcome.kind == "later":
            tries.doubts, tries.failed = tries.doubts - 1, tries.failed + 1
            tries.since = tries.since or now
        log.info(
            "%s: to be tried again: %s", self._name, outcome.detail, extra={"id": parcel.message.message_id}
        )
        self.queue.put_off(parcel, now + _wait_ms(tries.failed + tries.doubts))

    def let_go(self, leavers: Leavers, going: Going, outcome: Outcome) -> None:
        """Make what follows from a removal at an expiry: it goes until it has been taken."""
        if outcome.kind in ("handed", "unwanted"):
            self._count("left", len(going.keys))
            self._unwritten += leavers.done(going)
            self.is_stale = True
        elif outcome is NOT_YET:
            leavers.put_off(going, self._terms.now())
        else:
            said = "%s: %d whose membership of %r has expired are in it yet: %s"
            log.warning(said, self._name, len(going.keys), going.audience, outcome.detail)
            tries = leavers.again(going, refused=outcome.kind == "dead")
            leavers.put_off(going, self._terms.now() + _wait_ms(tries))

    def set_aside(self, unsent: Unreadable | None) -> None:
        """Make a dead letter of it; nothing of None."""
        if unsent is None:
            return
        outcome = unsent.outcome
        self._count("dead")
        self._metrics.dead.labels(self._name, outcome.reason or "").inc()
        self._unwritten.append(telling.dead_letter(self._channel, unsent, self._terms.now(), self._sizes))
        self.queue.settle(unsent.offset)

    def drop(self, parcel: Parcel, why: str) -> None:
        """It goes to nobody, and nobody is told."""
        self._count(why)
        self.queue.settle(parcel.offset)
        self.is_stale = True

    def withdraw(self, offset: int, in_flight: Collection[int]) -> None:
        """A recall ends what it means while that waits, and itself too if that cannot have gone."""
        recall = self.queue.parcel(offset)
        if recall is None or recall.message.operation != "recall":
            return
        target = self.queue.target(recall.message)
        if target is None or target.offset in in_flight:
            return  # it has gone, or is just going: what can be done about that is done behind it
        if target.tries.doubts and self._channel.batches:
            return  # its batch goes again as it was, and the recall behind it
        self.drop(target, "recalled")
        if not target.tries.doubts:
            self.queue.settle(recall.offset)

    def _count(self, outcome: str, many: int = 1) -> None:
        self._metrics.outcomes.labels(self._name, outcome).inc(many)


def _wait_ms(tries: int) -> int:
    """Twice as long after each try, up to a quarter of an hour, and not all at one time."""
    longest: int = min(_LAST_RETRY_MS, _FIRST_RETRY_MS << min(tries - 1, 20))
    return round(longest * random.uniform(0.5, 1))  # noqa: S311 - no secret
