"""A desk: one partition of a channel's topic in the hands of this process.

A portion goes three steps: it is put down that these messages are being handed over, they are handed over,
and it is put down what came of it, with feedback and dead letters. Whoever takes the partition over after
a crash between the first and the last finds them in doubt.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from aiokafka.errors import KafkaError

from retarget.errors import LaneRefused
from retarget.messages import stable_id
from streams.channels.ledger import Ledger
from streams.channels.outcomes import NOT_YET, Channel, Outcome, dead, known_as
from streams.channels.pausing import stopped_by
from streams.channels.queue import Parcel, Queue
from streams.channels.rates import Lease, Rate, Turn
from streams.channels.settlement import Settlement, Terms
from streams.channels.state import State
from streams.channels.unsealing import UNSEEN_FOR, unsealed
from streams.metrics_services import ChannelMetrics
from streams.ports import Fenced, Record, UnknownOutcome
from streams.topics import dead_channel_topic

log: Final = logging.getLogger("retarget.channel")
_PAUSE_S: Final = 1.0
_FENCED_S: Final = 15.0
_PAGE: Final = 2_000
_TOGETHER: Final = 16
# What has been read and led to nothing is put down now and then.
_IDLE_S: Final = 5.0
# What is due, and has to stay behind another that is not.
_LEAST_S: Final = 0.05
# How soon what a kill switch holds is looked at again.
_LOOK_MS: Final = 500


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


class Desk:
    """Works as a task of its own: `run` until cancelled, or `finish` what is begun."""

    def __init__(
        self, channel: Channel, place: tuple[str, int], ledger: Ledger, source: Source, rate: Rate, *,
        metrics: ChannelMetrics, terms: Terms,
    ) -> None:  # fmt: skip
        """`place`: topic and partition."""
        self._channel, self._place, self._ledger, self._source = channel, place, ledger, source
        self._rate, self._metrics, self._terms = rate, metrics, terms
        self._name = known_as(channel)
        self._settlement: Settlement | None = None
        self._some, self._leave = asyncio.Event(), asyncio.Event()
        self._flows = True
        self._written = 0.0
        # What came of a handing over, until that is put down: an unclear write must not make it a doubt.
        self._known: dict[int, tuple[int, Outcome]] = {}
        self._in_flight: frozenset[int] = frozenset()

    # -- from outside --

    def receive(self, records: Sequence[Received]) -> None:
        """Take what the consumer has read."""
        if self._settlement is None:
            return  # its place is not known yet; it is read again from there
        settlement, queue = self._settlement, self._settlement.queue
        before = queue.repeated
        for record in records:
            settlement.set_aside(queue.take(*record))
            settlement.withdraw(record.offset, self._in_flight)
        settlement.is_stale = True
        self._metrics.outcomes.labels(self._name, "repeat").inc(queue.repeated - before)
        self._let_flow()
        self._some.set()

    def see_end(self, end: int) -> None:
        """Show how much of the partition, which ends here, has not been read."""
        if self._settlement is not None and not self._leave.is_set():
            unread = max(0, end - self._settlement.queue.read)
            self._metrics.unread.labels(self._name, str(self._place[1])).set(unread)

    def finish(self) -> None:
        """End `run` when the portion under way is settled."""
        self._leave.set()
        self._some.set()

    @property
    def settled_below(self) -> int | None:
        """Everything below this offset is settled; None: not known."""
        queue = self._settlement.queue if self._settlement else None
        return None if queue is None else min(queue.tries, default=queue.read)

    async def run(self) -> None:
        """Work until `finish`; what fails is begun anew."""
        try:
            while not self._leave.is_set():
                try:
                    await self._work(await self._open())
                except Fenced as fenced:
                    log.info("%s", fenced)
                    await self._pause(_FENCED_S)
                except (UnknownOutcome, LaneRefused, KafkaError) as error:
                    log.warning("%s[%d] waits: %s", *self._place, error)
                    await self._pause(_PAUSE_S)
        finally:
            await self._ledger.close()
            for gauge in (self._metrics.waiting, self._metrics.unread):
                with suppress(KeyError):
                    gauge.remove(self._name, str(self._place[1]))

    async def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._leave.is_set() and (left := deadline - time.monotonic()) > 0:
            self._some.clear()
            await _within(self._some.wait(), left)

    # -- its place --

    async def _open(self) -> Settlement:
        self._settlement = None
        state = await self._ledger.claim()
        if state is None:
            state = State(read=await self._source.beginning())
        sizes = await self._ledger.sizes([self._terms.feedback_topic, dead_channel_topic(self._channel.name)])
        queue = Queue(*self._place, state, self._channel.destination)
        leavers = None if self._terms.leavers is None else await self._terms.leavers(self._place[1])
        settlement = Settlement(self._channel, queue, self._metrics, self._terms, sizes, leavers)
        await self._read_again(settlement)
        self._settlement = settlement
        self._settle_known(settlement)
        for parcel in queue.parcels():
            settlement.withdraw(parcel.offset, self._in_flight)
        self._flows = False
        self._source.go_on_at(queue.read)
        self._let_flow()
        self._some.set()
        return settlement

    async def _read_again(self, settlement: Settlement) -> None:
        """What was waiting when the state was put down."""
        queue = settlement.queue
        left = sorted(queue.tries)
        missing = set(left)
        while left:
            page, left = left[:_PAGE], left[_PAGE:]
            wanted = set(page)
            for one in await self._source.read(page[0], page[-1] + 1):
                if one.offset in wanted:
                    missing.discard(one.offset)
                    settlement.set_aside(queue.again(one.offset, one.key, one.value))
        if missing:
            log.error("%s[%d]: %d messages that waited are not kept any more", *self._place, len(missing))
            self._metrics.outcomes.labels(self._name, "lost").inc(len(missing))
            queue.lost(missing)

    def _settle_known(self, settlement: Settlement) -> None:
        for parcel in settlement.queue.parcels():
            doubts, outcome = self._known.get(parcel.offset, (0, None))
            if outcome is not None and parcel.tries.doubts == doubts:
                settlement.settle(parcel, outcome)

    # -- its work --

    async def _work(self, settlement: Settlement) -> None:
        while not self._leave.is_set():
            self._some.clear()
            left = await self._let_go(settlement)
            portion = await self._opened(settlement, self._portion(settlement, self._terms.now()))
            if portion:
                await self._hand_over(settlement, portion)
            if settlement.tells or self._known or self._is_old(settlement):
                await self._put_down(settlement)
            self._let_flow()
            if not portion and not left:
                await _within(self._some.wait(), self._idle_s(settlement))
        if settlement.is_stale:
            await self._put_down(settlement)

    def _idle_s(self, settlement: Settlement) -> float:
        """How long nothing is due."""
        leavers, dues = settlement.leavers, [settlement.queue.next_due()]
        if leavers is not None:
            dues.append(leavers.next_due())
        due = min((due for due in dues if due is not None), default=None)
        left = _IDLE_S if due is None else min((due - self._terms.now()) / 1e3, _IDLE_S)
        return max(left, _LEAST_S)

    async def _let_go(self, settlement: Settlement) -> bool:
        """Take those out of an audience whose time there is over; whether there were any."""
        leavers, most = settlement.leavers, self._channel.at_once
        going = None if leavers is None else leavers.due(self._terms.now(), most)
        if leavers is None or going is None:
            return False
        lease = await self._leased(len(going.keys), whole=False)
        going = None if lease is None else leavers.due(self._terms.now(), lease.tokens)
        if lease is None or going is None:
            return False
        settlement.let_go(leavers, going, await leavers.hand_over(going, Turn(self._rate, lease)))
        return True

    def _is_old(self, settlement: Settlement) -> bool:
        return settlement.is_stale and time.monotonic() - self._written > _IDLE_S

    def _portion(self, settlement: Settlement, now: int) -> list[Parcel]:
        """What is to be handed over now; what cannot be any more is settled."""
        queue = settlement.queue
        if self._terms.pauses() is None:
            return []
        for doubted in queue.in_doubt() if self._channel.batches else ():
            if self._held(queue, doubted, now):
                continue
            # As it was, expired or not: whoever took it knows it again as a whole.
            return doubted if all(parcel.due <= now for parcel in doubted) else []
        due = queue.due(now, self._channel.at_once, in_order=self._channel.batches)
        return [parcel for parcel in due if self._may_go(settlement, parcel, now)]

    def _may_go(self, settlement: Settlement, parcel: Parcel, now: int) -> bool:
        repeats, tries = self._channel.repeats, parcel.tries
        settlement.withdraw(parcel.offset, self._in_flight)
        if parcel.expires <= now:
            settlement.drop(parcel, "expired")
        elif parcel.message.operation == "recall" and not self._channel.recalls:
            settlement.drop(parcel, "too_late")
        elif repeats is not None and tries.doubts > repeats and parcel.message.operation != "recall":
            said = f"no answer to {tries.doubts} of its handings over: whether it came is not known"
            settlement.settle(parcel, dead("unknown_outcome", said))
        elif tries.doubts and self._held(settlement.queue, [parcel], now):
            pass
        elif stopped := self._stopped(parcel):
            settlement.settle(parcel, dead("paused", stopped))
        elif tries.failed and now - tries.since > self._terms.patience_ms:
            settlement.settle(parcel, dead("gave_up", f"refused for the moment {tries.failed} times"))
        else:
            return True
        return False

    def _held(self, queue: Queue, doubted: Sequence[Parcel], now: int) -> bool:
        """Whether a switch stops any of these; they have begun, so they wait until it is off again."""
        if not any(map(self._stopped, doubted)):
            return False
        for parcel in doubted:
            queue.put_off(parcel, max(parcel.due, now + _LOOK_MS))
        return True

    def _stopped(self, parcel: Parcel) -> str | None:
        return stopped_by(parcel.message, self._terms.pauses() or {})

    async def _opened(self, settlement: Settlement, portion: list[Parcel]) -> list[Parcel]:
        """Those of a portion that can be read."""
        now = self._terms.now()
        for parcel, fate in await unsealed(self._terms.opening, portion, now):
            if fate is None:
                settlement.queue.put_off(parcel, now + UNSEEN_FOR)
            elif isinstance(fate, str):
                settlement.drop(parcel, fate)
            else:
                settlement.settle(parcel, fate)
        return [parcel for parcel in portion if not parcel.is_sealed]

    async def _hand_over(self, settlement: Settlement, portion: list[Parcel]) -> None:
        whole = self._channel.batches and bool(portion[0].tries.doubts)
        lease = await self._leased(len(portion), whole=whole)
        chosen = [] if lease is None else self._still(settlement, portion, lease.tokens)
        if lease is None or not chosen:
            return
        again = self._mark(chosen)
        self._in_flight = frozenset(one.offset for one in chosen)
        try:
            await self._put_down(settlement)
            if time.monotonic() < lease.until:
                self._metrics.repeats.labels(self._name).inc(again)
                turn = Turn(self._rate, lease)
                outcomes = await self._channel.hand_over([one.message for one in chosen], turn)
            else:  # putting it down took too long, and nothing has left
                outcomes = [NOT_YET] * len(chosen)
        finally:
            self._in_flight = frozenset()
        for one, outcome in zip(chosen, outcomes, strict=True):
            self._known[one.offset] = one.tries.doubts, outcome
            settlement.settle(one, outcome)

    def _still(self, settlement: Settlement, portion: list[Parcel], tokens: int) -> list[Parcel]:
        """What may go yet: while it waited for its turn, it may have been called back or have expired."""
        now, waiting = self._terms.now(), settlement.queue.tries
        if self._channel.batches and portion[0].tries.doubts:
            return [] if self._held(settlement.queue, portion, now) else portion
        there = [one for one in portion if one.offset in waiting and self._may_go(settlement, one, now)]
        return there[:tokens]

    def _mark(self, chosen: list[Parcel]) -> int:
        """Note that they are being handed over; how many of them are once more."""
        again = sum(1 for one in chosen if one.tries.doubts)
        together = (
            chosen[0].tries.portion if again else stable_id(*(one.message.message_id for one in chosen))
        )
        for one in chosen:
            one.tries.doubts += 1
            one.tries.portion = together[:_TOGETHER] if self._channel.batches else ""
        return again

    async def _leased(self, wanted: int, *, whole: bool) -> Lease | None:
        """Some of the rate's tokens, or all that a batch needs; None when it is time to leave instead."""
        begun, take = time.monotonic(), self._rate.take_all if whole else self._rate.take
        taking = asyncio.ensure_future(take(wanted))
        leaving = asyncio.ensure_future(self._leave.wait())
        try:
            await asyncio.wait((taking, leaving), return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() and not leaving.done() else None
        finally:
            self._metrics.rate_waited.labels(self._name).inc(time.monotonic() - begun)
            taking.cancel()
            leaving.cancel()

    async def _put_down(self, settlement: Settlement) -> None:
        known, self._known = self._known, {}
        outputs = settlement.put_down()
        try:
            await self._ledger.write(settlement.queue.state, outputs)
        except BaseException:
            self._known = known
            raise
        self._written = time.monotonic()

    def _let_flow(self) -> None:
        queue = self._settlement.queue if self._settlement else None
        waiting = 0 if queue is None else len(queue)
        self._metrics.waiting.labels(self._name, str(self._place[1])).set(waiting)
        wanted = queue is not None and len(queue) < self._terms.most
        if wanted != self._flows:
            self._flows = wanted
            self._source.flow(on=wanted)


async def _within(awaited: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await awaited
    except TimeoutError:
        pass
