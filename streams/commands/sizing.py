"""`retarget sizing`: what so many people take, by the figures that were measured."""

from __future__ import annotations

import argparse
import json

from streams.commands.numbers import positive
from streams.settings import Settings
from streams.sizing import Demand, Measured, Sized, sized

_TOLD = {
    "events_s": "events a second, mean",
    "peak_events_s": "events a second, busiest hour",
    "store_gib": "store, GiB, without copies of it",
    "shards": "shards of the store",
    "cores": "workers, one core each",
    "partitions": "partitions of each input topic",
    "kafka_in_gib_day": "Kafka, GiB a day in",
    "kafka_out_gib_day": "Kafka, GiB a day out, decisions and messages",
    "kafka_kept_gib": "Kafka, GiB on disk, all copies",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Who comes, how often, and what was measured elsewhere."""
    demand, by = Demand(0, 0), Measured()
    parser.add_argument(
        "--people", type=positive, required=True, metavar="N", help="people known to the shop"
    )
    parser.add_argument("--events", type=positive, required=True, metavar="N",
                        help="events of one person each day, such as 2")  # fmt: skip
    parser.add_argument("--peak", type=positive, default=demand.peak, metavar="X", help="busiest hour / mean")
    parser.add_argument("--products", type=float, default=demand.products, metavar="N",
                        help="that a person follows; 0 without a catalogue")  # fmt: skip
    parser.add_argument("--event-bytes", type=positive, default=demand.event_bytes, metavar="N")
    parser.add_argument("--days", type=positive, default=demand.days_kept, metavar="N", help="Kafka keeps")
    parser.add_argument("--shard-gib", type=positive, default=demand.shard_gib, metavar="N",
                        help="memory of one shard of the store")  # fmt: skip
    parser.add_argument("--journey-bytes", type=positive, default=by.journey_bytes, metavar="N",
                        help="of the mean person; `python -m bench` measures it")  # fmt: skip
    parser.add_argument("--cpu-us", type=positive, default=by.cpu_us, metavar="N", help="of an event")
    parser.add_argument("--json", action="store_true", help="a JSON object")


def run(_settings: Settings, args: argparse.Namespace) -> int:
    """Calculate and print."""
    demand = Demand(
        people=int(args.people), events_per_person_day=args.events, peak=args.peak, products=args.products,
        event_bytes=args.event_bytes, days_kept=args.days, shard_gib=args.shard_gib,
    )  # fmt: skip
    found = sized(demand, Measured(journey_bytes=args.journey_bytes, cpu_us=args.cpu_us))
    print(json.dumps(found._asdict(), indent=1) if args.json else _table(demand, found))
    return 0


def _table(demand: Demand, found: Sized) -> str:
    width = max(map(len, _TOLD.values()))
    rows = [f"{_TOLD[key]:<{width}}  {value:>12,.0f}" for key, value in found._asdict().items()]
    asked = f"{demand.people:,} people, each with {demand.events_per_person_day:g} events a day:"
    return "\n".join([asked, "", *rows])
