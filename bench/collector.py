"""What the collector takes: `python -m bench.collector` sends batches of 100 to it and to a plain echo.

Both are kept to one core, the same, one after the other, several rounds in turns; where the system cannot do
that, the CPU seconds that they took are what counts. The echo is aiohttp that reads
the body, parses it and answers; the collector beside that decodes, keys and puts the events into Kafka (the
broker of the demo) before it answers. Then what it costs to decode each dialect, against the canonical form.
A line says of each bound whether it is kept; the exit status is 1 when one is not.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from bench import sheet
from bench.common_job.processes import Tree
from retarget.decode import encode_touchpoint
from retarget.dialects import decoder_for
from retarget.times import format_time
from retarget.touchpoints import Touchpoint
from streams.embedded import EmbeddedBroker
from streams.embedded.processes import ChildProcess, free_port
from streams.shop import open_shop, simulate
from tests.support.encoders import ENCODERS, segment

ROOT: Final = Path(__file__).resolve().parent.parent
QUESTION: Final = "collector"
BATCH: Final = 100
_START: Final = 1_772_359_200_000
_AT_ONCE: Final = 32
LEAST_PER_SECOND: Final = 5_000  # events, by the collector on one core
MOST_TIMES: Final = 3.0  # what the canonical form takes, its times as numbers
# No dialect, but the recognition of one anew for each record: a bound of dialects does not hold for it.
IN_TURNS: Final = "auto, all of these in turns"


def main() -> int:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=200, help="of 100 events, in each round")
    parser.add_argument("--gzip", action="store_true", help="packed, as server libraries send them")
    parser.add_argument("--decoding", action="store_true", help="measure that alone and keep the rest")
    parser.add_argument("--echo", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.echo:
        echo(args.echo)
        return 0
    events = [
        one for one in islice(simulate(open_shop(), seed=3, people=200, start_ms=_START), 6000) if one.person
    ]
    found = sheet.read(QUESTION).figures if args.decoding else entrance(events, args)
    found["decode"] = decoding(events[:1000])
    print(json.dumps(found, indent=2))
    data = (
        f"the simulated shop: batches of {BATCH} as Segment's libraries send them, 1,000 events in each form"
    )
    sheet.keep(sheet.of(QUESTION, data, found))
    told = verdicts(found)
    print(*(f"{'kept    ' if kept else 'NOT KEPT'} {line}" for line, kept in told), sep="\n")
    return 0 if all(kept for _, kept in told) else 1


def verdicts(found: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Each bound with what was measured, and whether it is kept."""
    way, rate = (
        ("on one core", found["collector"]["events_per_second"])
        if found["pinned"]
        else ("of CPU", found["collector"]["events_per_cpu_second"])
    )
    line = f"collector: {rate:,} events a second {way}, wanted at least {LEAST_PER_SECOND:,}"
    told = [(line, rate >= LEAST_PER_SECOND)]
    for name, one in found["decode"].items():
        if not name.startswith("canonical") and name != IN_TURNS:
            times = one["times_numbers"]
            line = f"{name}: {times:.2f} times the canonical form, wanted at most {MOST_TIMES:g}"
            told.append((line, times <= MOST_TIMES))
    return told


def echo(port: int) -> None:
    """Aiohttp with nothing behind it."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"success": bool(msgspec.json.decode(await request.read()))})

    app = web.Application(client_max_size=10**7)
    app.router.add_post("/v1/batch", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


def entrance(events: Sequence[Touchpoint], args: argparse.Namespace) -> dict[str, Any]:
    """Events a second of both, and the CPU of each event, as medians over the rounds."""
    bodies = list(_bodies(events, args.batches, packed=args.gzip))
    figures: dict[str, list[tuple[float, float]]] = {"echo": [], "collector": []}
    pinned = True
    with EmbeddedBroker({"touchpoints": 8}) as broker:
        for _ in range(args.rounds):
            for name, argv in _programs(broker.bootstrap).items():
                with _started(name, argv) as (process, port):
                    asyncio.run(_post(port, bodies[:10], args))
                    assert process.pid is not None, f"{name} has ended"
                    pinned = pin(process.pid) and pinned
                    tree = Tree(process.pid)
                    before, started = tree.sample(), time.monotonic()
                    asyncio.run(_post(port, bodies, args))
                    took, spent = time.monotonic() - started, tree.sample() - before
                    count = len(bodies) * BATCH
                    figures[name].append((count / took, spent / count * 1e6))
    return {
        name: {
            "events_per_second": round(statistics.median(rate for rate, _ in rounds)),
            "cpu_us_per_event": round(statistics.median(cpu for _, cpu in rounds), 1),
            "events_per_cpu_second": round(1e6 / statistics.median(cpu for _, cpu in rounds)),
        }
        for name, rounds in figures.items()
    } | {"pinned": pinned, "batch": BATCH, "clients": _AT_ONCE, "rounds": args.rounds, "packed": args.gzip}


def decoding(events: Sequence[Touchpoint], rounds: int = 100) -> dict[str, dict[str, float]]:
    """Microseconds for an event of each dialect, and how many times that of the canonical form.

    `times` is against the same events with times as text, as all dialects but two have them; `times_numbers`
    against those with times as numbers.
    """
    written = [
        msgspec.json.encode({**msgspec.to_builtins(one), "time": format_time(one.time)}) for one in events
    ]
    forms: dict[str, tuple[Callable[[bytes], Touchpoint], list[bytes]]] = {
        "canonical, times as numbers": (decoder_for("canonical"), [encode_touchpoint(one) for one in events]),
        "canonical": (decoder_for("canonical"), written),
    }
    dialects = {
        name: [msgspec.json.encode(encode(one)) for one in events] for name, encode in ENCODERS.items()
    }
    forms |= {name: (decoder_for(name), raws) for name, raws in dialects.items()}
    ways = [raws for _, raws in forms.values()]
    mixed = [ways[at % len(ways)][at] for at in range(len(events))]
    forms |= {f"auto, {name} alone": (decoder_for("auto"), raws) for name, raws in dialects.items()}
    forms[IN_TURNS] = decoder_for("auto"), mixed
    best = dict.fromkeys(forms, float("inf"))
    for _ in range(rounds):  # in turns: the machine's speed changes
        for name, (decode, raws) in forms.items():
            started = time.thread_time()
            for raw in raws:
                decode(raw)
            best[name] = min(best[name], (time.thread_time() - started) / len(raws) * 1e6)
    plain, numbers = best["canonical"], best["canonical, times as numbers"]
    return {
        name: {
            "us": round(one, 2),
            "times": round(one / plain, 2),
            "times_numbers": round(one / numbers, 2),
        }
        for name, one in best.items()
    }


def _bodies(events: Sequence[Touchpoint], batches: int, *, packed: bool) -> Iterator[bytes]:
    calls = [segment(one) for one in events]
    for number in range(batches):
        chosen = [
            calls[(number * BATCH + at) % len(calls)] | {"messageId": f"{number}-{at}"} for at in range(BATCH)
        ]
        body = msgspec.json.encode({"batch": chosen, "sentAt": format_time(_START)})
        yield gzip.compress(body, 6) if packed else body


def _programs(bootstrap: str) -> dict[str, list[str]]:
    ours = [
        "-m",
        "streams",
        "collect",
        "--set",
        f"kafka.bootstrap={bootstrap}",
        "--set",
        "collect.heartbeat=0ms",
    ]
    return {
        "echo": ["-m", "bench.collector", "--echo", "PORT"],
        "collector": [*ours, "--set", "collect.port=PORT"],
    }


def pin(pid: int) -> bool:
    """Keep a process, with all its threads, to one core; whether this system can."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    core = max(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
    return True


@contextmanager
def _started(name: str, argv: Sequence[str]) -> Iterator[tuple[ChildProcess, int]]:
    port = free_port()
    words = [sys.executable, *(word.replace("PORT", str(port)) for word in argv)]
    log = Path(os.devnull)
    with ChildProcess(name, words, port=port, log=log, env={"PYTHONPATH": str(ROOT)}) as process:
        yield process, port


async def _post(port: int, bodies: Sequence[bytes], args: argparse.Namespace) -> None:
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if args.gzip else {})
    queue = iter(bodies)

    async def client(session: aiohttp.ClientSession) -> None:
        for body in queue:
            async with session.post(
                f"http://127.0.0.1:{port}/v1/batch", data=body, headers=headers
            ) as answer:
                assert answer.status == 200, await answer.text()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    sys.exit(main())
