"""`retarget simulate`: the touchpoints of a simulated shop into Kafka."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from retarget.times import DAY, SECOND, format_time
from streams.clocks import now_ms
from streams.commands.numbers import positive, whole
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.sending import Outgoing
    from streams.shop import Batch

# How far back a faster shop opens when nobody says how long it is to run.
_BACK: Final = 30 * DAY


def add(parser: argparse.ArgumentParser) -> None:
    """How many people, which ones, how fast, how long."""
    parser.add_argument("--people", type=whole, default=200, metavar="N", help="regulars (default: 200)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, another story")
    parser.add_argument(
        "--speed",
        type=positive,
        default=1.0,
        metavar="X",
        help="simulated seconds a second (default: 1). Above 1 the shop opens so long ago that it ends "
        "at the present; the workers then need clock.now=event and clock.idle=heartbeat",
    )
    parser.add_argument("--seconds", type=positive, metavar="N", help="how long (default: until Ctrl-C)")
    parser.add_argument("--topic", help="where to (default: the first of kafka.input_topics)")
    parser.set_defaults(settings=("kafka.bootstrap", "kafka.input_topics", "clock.now", "clock.idle"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Send until the end or Ctrl-C. Raises BadInput without the topic, Unreachable."""
    if args.speed > 1 and (settings.clock.now, settings.clock.idle) != ("event", "heartbeat"):
        print(
            "note: at this speed the workers need clock.now=event and clock.idle=heartbeat", file=sys.stderr
        )
    asyncio.run(_simulate(settings, args))
    return 0


def opening(now: int, speed: float, seconds: float | None) -> int:
    """When the shop opens, epoch ms: no event may lie after its record, so a faster shop ends at `now`."""
    if speed <= 1:
        return now
    # A second more, so that a batch which comes late does not bring the shop into the future.
    return now - (_BACK if seconds is None else int((seconds + 1) * (speed - 1) * SECOND))


async def _simulate(settings: Settings, args: argparse.Namespace) -> None:
    from streams.kafka.address import address_of
    from streams.kafka.inventory import partitions_of_topic
    from streams.kafka.sending import producing
    from streams.producing import send_all

    address, topic = address_of(settings), args.topic or settings.kafka.input_topics[0]
    partitions = await partitions_of_topic(address, topic)
    start = opening(now_ms(), args.speed, args.seconds)
    sent = latest = 0
    async with producing(address) as producer, aclosing(_batches(args, start)) as batches:
        print(f"a shop with {args.people} people opens at {format_time(start)}, into {topic}", flush=True)
        try:
            async for batch in batches:
                sent += await send_all(producer, _records(batch, topic, partitions))
                latest = batch.at
        finally:
            print(f"{sent:,} records, up to {format_time(max(latest, start))} in the shop")


async def _batches(args: argparse.Namespace, start: int) -> AsyncGenerator[Batch, None]:
    """What falls due, until the time is up or a faster shop has come to the present."""
    from streams.shop import disturb, open_shop, paced, simulate

    events = simulate(open_shop(args.seed), seed=args.seed, people=args.people, start_ms=start)
    arrivals = disturb(events, seed=args.seed)
    ends = time.monotonic() + (args.seconds or float("inf"))
    paces = paced(arrivals, start_ms=start, speed=args.speed, clock=time.monotonic, sleep=asyncio.sleep)
    async for batch in paces:
        yield batch
        if time.monotonic() > ends or (args.speed > 1 and batch.at > now_ms()):
            return


def _records(batch: Batch, topic: str, partitions: int) -> Iterator[Outgoing]:
    from streams.producing import heartbeats, keyed

    arrivals = (keyed(one.key, one.value, topic, partitions) for one in batch.arrivals)
    beats = heartbeats(batch.heartbeat, topic, partitions) if batch.heartbeat else ()
    return itertools.chain(arrivals, beats)
