"""A desk: one partition of a channel's topic in the hands of this process.

A portion goes three steps: it is put down that these messages are being handed over, they are handed over,
and it is put down what came of it, with feedback and dead letters. Whoever takes the partition over after
a crash between the first and the last finds them in doubt.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from aiokafka.errors import KafkaError

from retarget.errors import LaneRefused
from retarget.messages import stable_id
from streams.channels import telling
from streams.channels.ledger import Ledger
from streams.channels.outcomes import Channel, Outcome, dead
from streams.channels.queue import Parcel, Queue, Unreadable
from streams.channels.rates import Lease, Rate
from streams.channels.state import State
from streams.channels.unsealing import UNSEEN_FOR, Open, unsealed
from streams.clocks import now_ms
from streams.kafka.sending import Outgoing
from streams.metrics_services import ChannelMetrics
from streams.ports import Fenced, Record, UnknownOutcome
from streams.topics import dead_channel_topic

log: Final = logging.getLogger("retarget.channel")
NOT_YET: Final = Outcome(kind="later")
_PAUSE_S: Final = 1.0
_FENCED_S: Final = 15.0
_FIRST_RETRY_MS: Final = 2_000
_LAST_RETRY_MS: Final = 15 * 60_000
_PAGE: Final = 2_000
_TOGETHER: Final = 16
# What has been read and led to nothing is put down now and then.
_IDLE_S: Final = 5.0
# What is due, and has to stay behind another that is not.
_LEAST_S: Final = 0.05


class Received(NamedTuple):
    """One record as the consumer has it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Source(Protocol):
    """Where a desk's records come from."""

    async def beginning(self) -> int:
        """Where to begin when nothing is known."""

    async def read(self, start: int, end: int) -> list[Record]:
        """The records of a range that was read before, those that are still there."""

    def go_on_at(self, offset: int) -> None:
        """Give what follows from this offset on."""

    def flow(self, *, on: bool) -> None:
        """Give more, or wait."""


class Terms(NamedTuple):
    """Where feedback goes, how long (ms) a message is tried again, how many wait before reading stops.

    `now` is the clock that messages' times are held against, epoch ms; `opening` opens what is sealed.
    """

    feedback_topic: str
    patience_ms: int
    most: int
    now: Callable[[], int] = now_ms
    opening: Open | None = None


class Desk:
    """Works as a task of its own: `run` until cancelled, or `finish` what is begun."""

    def __init__(
        self, channel: Channel, place: tuple[str, int], ledger: Ledger, source: Source, rate: Rate, *,
        metrics: ChannelMetrics, terms: Terms,
    ) -> None:  # fmt: skip
        """`place`: topic and partition."""
        self._channel, self._place, self._ledger, self._source = channel, place, ledger, source
        self._rate, self._metrics, self._terms = rate, metrics, terms
        self._queue: Queue | None = None
        self._some, self._leave = asyncio.Event(), asyncio.Event()
        self._flows = True
        self._unwritten: list[Outgoing] = []
        self._is_stale = False  # whether something is known that has not been put down
        self._written = 0.0
        self._sizes: dict[str, int] = {}
        # What came of a handing over, until that is put down: an unclear write must not make it a doubt.
        self._known: dict[int, tuple[int, Outcome]] = {}
        self._in_flight: frozenset[int] = frozenset()

    # -- from outside --

    def receive(self, records: Sequence[Received]) -> None:
        """Take what the consumer has read."""
        if self._queue is None:
            return  # its place is not known yet; it is read again from there
        queue, before = self._queue, self._queue.repeated
        for record in records:
            self._set_aside(queue.take(*record), queue)
            self._withdraw(queue, record.offset)
        self._is_stale = True
        self._metrics.outcomes.labels(self._channel.name, "repeat").inc(queue.repeated - before)
        self._let_flow()
        self._some.set()

    def finish(self) -> None:
        """End `run` when the portion under way is settled."""
        self._leave.set()
        self._some.set()

    @property
    def settled_below(self) -> int | None:
        """Everything below this offset is settled; None: not known."""
        queue = self._queue
        return None if queue is None else min(queue.tries, default=queue.read)

    async def run(self) -> None:
        """Work until `finish`; what fails is begun anew."""
        try:
            while not self._leave.is_set():
                try:
                    await self._open()
                    await self._work()
                except Fenced as fenced:
                    log.info("%s", fenced)
                    await self._pause(_FENCED_S)
                except (UnknownOutcome, LaneRefused, KafkaError) as error:
                    log.warning("%s[%d] waits: %s", *self._place, error)
                    await self._pause(_PAUSE_S)
        finally:
            await self._ledger.close()
            with suppress(KeyError):
                self._metrics.waiting.remove(self._channel.name, str(self._place[1]))

    async def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._leave.is_set() and (left := deadline - time.monotonic()) > 0:
            self._some.clear()
            await _within(self._some.wait(), left)

    # -- its place --

    async def _open(self) -> None:
        self._queue, self._unwritten = None, []
        state = await self._ledger.claim()
        if state is None:
            state = State(read=await self._source.beginning())
        self._sizes = await self._ledger.sizes(
            [self._terms.feedback_topic, dead_channel_topic(self._channel.name)]
        )
        queue = Queue(*self._place, state)
        await self._read_again(queue)
        self._queue = queue
        self._settle_known(queue)
        for parcel in queue.parcels():
            self._withdraw(queue, parcel.offset)
        self._flows = False
        self._source.go_on_at(queue.read)
        self._let_flow()
        self._some.set()

    async def _read_again(self, queue: Queue) -> None:
        """What was waiting when the state was put down."""
        left = sorted(queue.tries)
        missing = set(left)
        while left:
            page, left = left[:_PAGE], left[_PAGE:]
            wanted = set(page)
            for one in await self._source.read(page[0], page[-1] + 1):
                if one.offset in wanted:
                    missing.discard(one.offset)
                    self._set_aside(queue.again(one.offset, one.key, one.value), queue)
        if missing:
            log.error("%s[%d]: %d messages that waited are not kept any more", *self._place, len(missing))
            self._metrics.outcomes.labels(self._channel.name, "lost").inc(len(missing))
            queue.lost(missing)

    def _settle_known(self, queue: Queue) -> None:
        for parcel in queue.parcels():
            doubts, outcome = self._known.get(parcel.offset, (0, None))
            if outcome is not None and parcel.tries.doubts == doubts:
                self._settle(queue, parcel, outcome)

    # -- its work --

    async def _work(self) -> None:
        queue = self._queue
        assert queue is not None
        while not self._leave.is_set():
            self._some.clear()
            now = self._terms.now()
            portion = await self._opened(queue, self._portion(queue, now))
            if portion:
                await self._hand_over(queue, portion)
            if self._unwritten or self._known or self._is_old():
                await self._put_down(queue)
            self._let_flow()
            if not portion:
                due = queue.next_due()
                left = _IDLE_S if due is None else min((due - self._terms.now()) / 1e3, _IDLE_S)
                await _within(self._some.wait(), max(left, _LEAST_S))
        if self._is_stale:
            await self._put_down(queue)

    def _is_old(self) -> bool:
        return self._is_stale and time.monotonic() - self._written > _IDLE_S

    def _portion(self, queue: Queue, now: int) -> list[Parcel]:
        """What is to be handed over now; what cannot be any more is settled."""
        if self._channel.batches and (doubted := queue.in_doubt()):
            # As it was, expired or not: whoever took it knows it again as a whole.
            return doubted if all(parcel.due <= now for parcel in doubted) else []
        due = queue.due(now, self._channel.at_once, in_order=self._channel.batches)
        return [parcel for parcel in due if self._may_go(queue, parcel, now)]

    def _may_go(self, queue: Queue, parcel: Parcel, now: int) -> bool:
        repeats, tries = self._channel.repeats, parcel.tries
        self._withdraw(queue, parcel.offset)
        if parcel.expires <= now:
            self._drop(queue, parcel, "expired")
        elif parcel.message.operation == "recall" and not self._channel.recalls:
            self._drop(queue, parcel, "too_late")
        elif repeats is not None and tries.doubts > repeats:
            said = f"it was handed over {tries.doubts} times without an answer; whether it came is not known"
            self._settle(queue, parcel, dead("unknown_outcome", said))
        elif tries.failed and now - tries.since > self._terms.patience_ms:
            self._settle(queue, parcel, dead("gave_up", f"refused for the moment {tries.failed} times"))
        else:
            return True
        return False

    async def _opened(self, queue: Queue, portion: list[Parcel]) -> list[Parcel]:
        """Those of a portion that can be read."""
        now = self._terms.now()
        for parcel, fate in await unsealed(self._terms.opening, portion, now):
            if fate is None:
                queue.put_off(parcel, now + UNSEEN_FOR)
            elif isinstance(fate, str):
                self._drop(queue, parcel, fate)
            else:
                self._settle(queue, parcel, fate)
        return [parcel for parcel in portion if not parcel.is_sealed]

    async def _hand_over(self, queue: Queue, portion: list[Parcel]) -> None:
        lease = await self._leased(len(portion))
        if lease is None:
            return
        now = self._terms.now()
        # While it waited for its turn, something may have been called back or have expired.
        chosen = portion
        if not (self._channel.batches and portion[0].tries.doubts):
            there = [one for one in portion if one.offset in queue.tries and self._may_go(queue, one, now)]
            chosen = there[: lease.tokens]
        if not chosen:
            return
        again = sum(1 for one in chosen if one.tries.doubts)
        together = (
            chosen[0].tries.portion if again else stable_id(*(one.message.message_id for one in chosen))
        )
        for one in chosen:
            one.tries.doubts += 1
            one.tries.portion = together[:_TOGETHER] if self._channel.batches else ""
        self._in_flight = frozenset(one.offset for one in chosen)
        try:
            await self._put_down(queue)
            if time.monotonic() < lease.until:
                self._metrics.repeats.labels(self._channel.name).inc(again)
                outcomes = await self._channel.hand_over([one.message for one in chosen])
            else:  # putting it down took too long, and nothing has left
                outcomes = [NOT_YET] * len(chosen)
        finally:
            self._in_flight = frozenset()
        for one, outcome in zip(chosen, outcomes, strict=True):
            self._known[one.offset] = one.tries.doubts, outcome
            self._settle(queue, one, outcome)

    async def _leased(self, wanted: int) -> Lease | None:
        """Some of the rate's tokens; None when it is time to leave instead."""
        taking = asyncio.ensure_future(self._rate.take(wanted))
        leaving = asyncio.ensure_future(self._leave.wait())
        try:
            await asyncio.wait((taking, leaving), return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() and not leaving.done() else None
        finally:
            taking.cancel()
            leaving.cancel()

    def _settle(self, queue: Queue, parcel: Parcel, outcome: Outcome) -> None:
        """Make what follows from an outcome; it is put down with the next state."""
        now, name, tries = self._terms.now(), self._channel.name, parcel.tries
        self._is_stale = True
        if outcome is NOT_YET:
            tries.doubts -= 1
            return
        if outcome.kind != "dead":
            self._metrics.outcomes.labels(name, outcome.kind).inc()
        if outcome.kind in ("later", "doubt"):
            if outcome.kind == "later":
                tries.doubts, tries.failed = tries.doubts - 1, tries.failed + 1
                tries.since = tries.since or now
            log.info(
                "%s: to be tried again: %s", name, outcome.detail, extra={"id": parcel.message.message_id}
            )
            queue.put_off(parcel, now + _wait_ms(tries.failed + tries.doubts))
            return
        self._unwritten += telling.feedback(
            parcel.message, outcome, now, self._terms.feedback_topic, self._sizes
        )
        if outcome.kind == "dead":
            self._set_aside(Unreadable(parcel.offset, parcel.key, parcel.raw, outcome), queue)
        else:
            self._metrics.late.labels(name).observe(max(0, now - parcel.since) / 1e3)
            queue.settle(parcel.offset)

    def _set_aside(self, unsent: Unreadable | None, queue: Queue | None = None) -> None:
        queue = queue or self._queue
        if unsent is None or queue is None:
            return
        name = self._channel.name
        self._metrics.outcomes.labels(name, "dead").inc()
        self._metrics.dead.labels(name, unsent.outcome.reason or "").inc()
        self._unwritten.append(
            telling.dead_letter(name, unsent.key, unsent.raw, unsent.outcome, self._terms.now(), self._sizes)
        )
        queue.settle(unsent.offset)

    def _drop(self, queue: Queue, parcel: Parcel, why: str) -> None:
        self._metrics.outcomes.labels(self._channel.name, why).inc()
        queue.settle(parcel.offset)
        self._is_stale = True

    def _withdraw(self, queue: Queue, offset: int) -> None:
        """A recall ends what it means while that waits, and itself too if that cannot have gone."""
        recall = queue.parcel(offset)
        if recall is None or recall.message.operation != "recall":
            return
        target = queue.target(recall.message)
        if target is None or target.offset in self._in_flight:
            return  # it has gone, or is just going: what can be done about that is done behind it
        if target.tries.doubts and self._channel.batches:
            return  # its batch goes again as it was, and the recall behind it
        self._drop(queue, target, "recalled")
        if not target.tries.doubts:
            queue.settle(recall.offset)

    async def _put_down(self, queue: Queue) -> None:
        outputs, self._unwritten = self._unwritten, []
        known, self._known = self._known, {}
        self._is_stale = False
        try:
            await self._ledger.write(queue.state, outputs)
        except BaseException:
            self._known = known
            raise
        self._written = time.monotonic()

    def _let_flow(self) -> None:
        queue = self._queue
        waiting = 0 if queue is None else len(queue)
        self._metrics.waiting.labels(self._channel.name, str(self._place[1])).set(waiting)
        wanted = queue is not None and len(queue) < self._terms.most
        if wanted != self._flows:
            self._flows = wanted
            self._source.flow(on=wanted)


def _wait_ms(tries: int) -> int:
    """Twice as long after each try, up to a quarter of an hour, and not all at one time."""
    longest: int = min(_LAST_RETRY_MS, _FIRST_RETRY_MS << min(tries - 1, 20))
    return round(longest * random.uniform(0.5, 1))  # noqa: S311 - no secret


async def _within(awaited: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await awaited
    except TimeoutError:
        pass
