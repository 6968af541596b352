"""`retarget tail`: print what is in a topic, and what comes."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from streams.commands.numbers import whole
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.connection import KafkaAddress
    from streams.kafka.looking import Isolation, Seen, Span

_LAST: Final = 10


def add(parser: argparse.ArgumentParser) -> None:
    """Which topic, from where, how far, in which form."""
    parser.add_argument(
        "topic", metavar="TOPIC", help="a topic, a channel such as email, or decisions, dead, journal, rules"
    )
    parser.add_argument(
        "--from-start", action="store_true", help=f"from the oldest record; else from the last {_LAST}"
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--max", type=whole, metavar="N", help="stop after so many")
    parser.add_argument("--read-uncommitted", action="store_true", help="also what open transactions wrote")
    parser.add_argument("--json", action="store_true", help="the values as JSON lines")
    parser.set_defaults(settings=("kafka.bootstrap",))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print records, without repeats. Raises BadInput without such a topic, Unreachable."""
    from streams.commands.printing import as_json, as_line
    from streams.kafka.address import address_of

    form = as_json if args.json else as_line
    isolation: Isolation = "read_uncommitted" if args.read_uncommitted else "read_committed"
    asyncio.run(_tail(address_of(settings), args, isolation, lambda seen: print(form(seen), flush=True)))
    return 0


async def _tail(
    address: KafkaAddress, args: argparse.Namespace, isolation: Isolation, show: Callable[[Seen], None]
) -> None:
    from streams.kafka.headers import RepeatFilter
    from streams.kafka.inventory import partitions_of_topic
    from streams.kafka.looking import looking, records, spans

    topic = _topic(args.topic)
    wanted = await spans(address, topic, range(await partitions_of_topic(address, topic)))
    repeats = RepeatFilter()
    last: list[Seen] = []
    shown = 0
    if not args.from_start:
        wanted, last = await _latest(address, topic, wanted, isolation)
    for seen in last:
        if shown < (args.max or _LAST) and repeats.is_new(seen.topic, seen.partition, seen.headers):
            show(seen)
            shown += 1
    if not (args.from_start or args.follow) or shown == args.max:
        return
    async with (
        looking(address, isolation) as consumer,
        aclosing(records(consumer, topic, wanted, follow=args.follow)) as found,
    ):
        async for seen in found:
            if repeats.is_new(seen.topic, seen.partition, seen.headers):
                show(seen)
                shown += 1
            if shown == args.max:
                return


async def _latest(
    address: KafkaAddress, topic: str, wanted: dict[int, Span], isolation: Isolation
) -> tuple[dict[int, Span], list[Seen]]:
    """What follows the present end, and the last records before it, by time."""
    from streams.kafka.looking import Span, looking, records

    # Twice: the marks of transactions have offsets too.
    near = {p: Span(max(span.start, span.end - 2 * _LAST), span.end) for p, span in wanted.items()}
    async with looking(address, isolation) as consumer:
        found = [seen async for seen in records(consumer, topic, near)]
    found.sort(key=lambda seen: seen.timestamp)
    return {p: Span(span.end, span.end) for p, span in wanted.items()}, found[-_LAST:]


def _topic(name: str) -> str:
    from streams import topics

    short = {
        "decisions": topics.DECISIONS,
        "dead": topics.DEAD,
        "journal": topics.JOURNAL,
        "merge": topics.MERGE,
        "rules": topics.RULES,
    }
    return topics.channel_topic(name) if name in topics.CHANNELS else short.get(name, name)
