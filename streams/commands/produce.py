"""`retarget produce`: touchpoints of files into Kafka, or records of the catalogue."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from retarget.errors import BadInput, Rejected
from retarget.times import parse_duration
from retarget.touchpoints import Touchpoint
from streams.clocks import now_ms
from streams.commands.screen import add_progress, bar
from streams.feeds import read_feeds
from streams.files import STANDARD_INPUT, FileEvent, read_files, sorted_by_time
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.sending import Outgoing

# The exit code when rows were left out.
LEFT_OUT: Final = 1
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d*)\s*(ms|s|m|h|d))?")


def rate(text: str) -> float:
    """Records a second of `500`, `500/s`, `3000/m` or `100/10s`. Raises ArgumentTypeError."""
    found = _RATE.fullmatch(text.strip())
    if found is None or not float(found[1]) or not float(found[2] or 1):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a rate such as 500/s or 3000/m")
    return float(found[1]) / (parse_duration(f"{found[2] or 1}{found[3] or 's'}") / 1000)


def add(parser: argparse.ArgumentParser) -> None:
    """Which files, how they are read, where they go, how fast."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="files, also .gz; - is standard input")
    parser.add_argument(
        "--dialect",
        default="auto",
        help="the form of the files (default: recognised; a catalogue's by its ending: jsonl, csv, merchant)",
    )
    parser.add_argument("--mapping", metavar="FILE", help="for the form csv: which column is which field")
    parser.add_argument("--as-is", action="store_true", help="in the order of the files; else sorted by time")
    parser.add_argument(
        "--topic",
        help="where to (default: the first of kafka.input_topics); "
        "to kafka.catalogue_topic go records of the catalogue: prices, stock",
    )
    parser.add_argument("--rate", type=rate, metavar="N/s", help="at most so many a second (default: all)")
    parser.add_argument(
        "--end-heartbeats",
        action="store_true",
        help="at the end a heartbeat to every partition that moves its clock to the last event's time",
    )
    add_progress(parser)
    parser.set_defaults(settings=("kafka.bootstrap", "kafka.input_topics", "clock.lateness"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Send them and say how many; 1 when rows of a catalogue were left out. Raises BadInput, Unreachable."""
    if args.topic == settings.kafka.catalogue_topic:
        return asyncio.run(_list(settings, args))
    events: Iterable[FileEvent] = read_files(args.files, args.dialect, args.mapping)
    if not args.as_is:
        events = sorted_by_time(events)
    asyncio.run(_produce(settings, args, events))
    return 0


class Told:
    """What went by: counts, and the latest time of an event (epoch ms, -1 without any)."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.touchpoints = self.unusable = 0
        self.latest = -1

    def note(self, event: FileEvent) -> None:
        """Count one record."""
        if isinstance(event.found, Rejected):
            self.unusable += 1
        else:
            self.touchpoints += 1
            self.latest = max(self.latest, event.found.time)


async def _produce(settings: Settings, args: argparse.Namespace, events: Iterable[FileEvent]) -> None:
    from streams.kafka.address import address_of
    from streams.kafka.inventory import partitions_of_topic
    from streams.kafka.sending import producing
    from streams.producing import send_all

    address, topic = address_of(settings), args.topic or settings.kafka.input_topics[0]
    partitions = await partitions_of_topic(address, topic)
    told, started = Told(), time.monotonic()
    records = _records(events, told, topic, partitions)
    if args.end_heartbeats:
        records = _with_end(records, told, settings.clock.lateness, (topic, partitions))
    total = len(events) if isinstance(events, list) else None
    with bar("touchpoints", total, wanted=args.progress) as sent:
        async with producing(address) as producer:
            await send_all(producer, records, rate=args.rate, sent=sent)
    took = time.monotonic() - started
    done = told.touchpoints + told.unusable
    aside = f", {told.unusable:,} unusable records as they are" if told.unusable else ""
    beats = f", {partitions} heartbeats" if args.end_heartbeats else ""
    print(f"{told.touchpoints:,} touchpoints{aside}{beats} to {topic} ({partitions} partitions)", end=" ")
    print(f"in {took:.1f} s, {done / max(took, 0.001):,.0f}/s")


async def _list(settings: Settings, args: argparse.Namespace) -> int:
    """Send the catalogue's records, by product; a row that no lane could use is told and left out."""
    from streams.kafka.address import address_of
    from streams.kafka.inventory import partitions_of_topic
    from streams.kafka.sending import producing
    from streams.producing import send_all

    given = {
        "--as-is": args.as_is,
        "--end-heartbeats": args.end_heartbeats,
    }
    if wrong := [f"{name}: is for touchpoints, not for the catalogue" for name, has in given.items() if has]:
        raise BadInput(wrong)
    address, topic, started = address_of(settings), args.topic, time.monotonic()
    partitions = await partitions_of_topic(address, topic)
    most, now = settings.input.max_bytes, now_ms()
    events = read_feeds(args.files, most, args.dialect, args.mapping, timed=False, now=now)
    records = _listed(events, wrong, topic, partitions)
    with bar("records", None, wanted=args.progress) as sent:
        async with producing(address) as producer:
            total = await send_all(producer, records, rate=args.rate, sent=sent)
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    took = time.monotonic() - started
    left_out = f", {len(wrong):,} left out" if wrong else ""
    print(f"{total:,} records of the catalogue{left_out} to {topic} ({partitions} partitions)", end=" ")
    print(f"in {took:.1f} s, {total / max(took, 0.001):,.0f}/s")
    return LEFT_OUT if wrong else 0


def _listed(events: Iterable[FileEvent], wrong: list[str], topic: str, partitions: int) -> Iterator[Outgoing]:
    from streams.producing import keyed

    for event in events:
        if isinstance(event.found, Rejected):
            wrong.append(f"{event.file}:{event.line}: {event.found.detail}")
        else:
            product = event.found.items[0].product_id or ""
            yield keyed(product.encode(), event.raw, topic, partitions)


def _records(events: Iterable[FileEvent], told: Told, topic: str, partitions: int) -> Iterator[Outgoing]:
    from streams.producing import outgoing

    for event in events:
        told.note(event)
        if event.file == STANDARD_INPUT and isinstance(event.found, Touchpoint):
            # What comes by a pipe has no name: line 1 of today is no repeat of line 1 of yesterday.
            event.found.id = None if event.found.id == f"-:{event.line}" else event.found.id
        yield from outgoing(event.to_send, topic, partitions)


def _with_end(
    records: Iterator[Outgoing], told: Told, lateness: int, place: tuple[str, int]
) -> Iterator[Outgoing]:
    from streams.producing import heartbeats

    yield from records
    latest = told.latest if told.latest >= 0 else now_ms()
    yield from heartbeats(Touchpoint(type="heartbeat", time=latest + lateness), *place)
