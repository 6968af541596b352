"""What the number of rules costs: `python -m bench.many_rules` runs a lane in memory under 1 to 200 rules.

The events are those of the simulated shop, the lane is the worker's own (decoding, step, outputs, journeys as
bytes) without broker and store. The rules are made up so that no event type is asked for by more than five of
them, in the forms that the shipped ones have; the shipped set runs beside them, and every set takes its turn.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from statistics import median
from typing import Any, Final

import msgspec

from bench import sheet
from retarget.decode import decode_canonical, encode_touchpoint
from retarget.rules.model import Rule
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import IMPERSONAL, TYPES
from streams.lanes.bundle import Bundle, bundle_of
from streams.ports import Output, Record
from streams.replaying import TOPIC, RecordFeed, work_through
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.shop import open_shop, simulate

SHIPPED: Final = "shipped"
SIZES: Final = (1, 10, 50, 200)
PER_TYPE: Final = 5
BOUND: Final = 1.5
_START: Final = 1_700_000_000_000
# Those that the shop sends most of come first: a small set is not one that nothing happens to.
_COMMON: Final = ("view", "add", "purchase", "search", "cart", "checkout", "page", "wishlist")
_TYPES: Final = (*_COMMON, *sorted(TYPES - IMPERSONAL - {*_COMMON}))
_STEPS: Final = [{"channels": ["push", "email"], "template": "t"}]


class Measured(msgspec.Struct, kw_only=True):
    """One set of rules: CPU µs per event of each round, and how much was decided."""

    rules: int
    cpu_us: list[float]
    ratio: float
    decisions_per_1000: float
    messages_per_1000: float
    most_per_type: int


class Report(msgspec.Struct, kw_only=True):
    """A whole run; `ratio` divides the medians by that of the shipped set."""

    events: int
    people: int
    rounds: int
    sets: dict[str, Measured]


def made_up(number: int) -> dict[str, Any]:
    """A rule of one of five forms, on the event type whose turn it is."""
    kind, form = _TYPES[number // PER_TYPE % len(_TYPES)], number % PER_TYPE
    forms: tuple[dict[str, Any], ...] = (
        {"quiet": {"after": "60m", "opens": [kind]}, "if": f'since_opened("{kind}") >= 4', "again": "7d"},
        {"count": {"of": kind, "at_least": 3, "within": "24h"}, "if": "person.purchases >= 3", "again": "7d"},
        {"event": kind, "if": "person.purchases >= 3", "again": "30d"},
        {"quiet": {"after": "24h", "opens": [kind], "when": "session.events > 5"}, "again": "14d"},
        {"count": {"of": kind, "at_least": 30, "within": "48h"}, "again": "14d"},
    )
    return {"rule": f"rule_{number:03}", "subject": "person", "steps": _STEPS, **forms[form]}


def rules_of(size: int) -> list[Rule]:
    """So many made-up rules."""
    documents = [Document(f"rule {number}", made_up(number)) for number in range(size)]
    rules, problems = read_rules(documents, VOCABULARY)
    if problems:
        sys.exit("\n".join(map(str, problems)))
    return list(rules)


def shop_records(events: int, people: int) -> tuple[list[Record], int]:
    """The shop's events as records, and the time of the last."""
    stream = simulate(open_shop(1), seed=1, people=people, start_ms=_START)
    made = list(islice(stream, events))
    found = [Record(TOPIC, n, event.time, None, encode_touchpoint(event)) for n, event in enumerate(made)]
    return found, max(event.time for event in made)


def run_once(records: Sequence[Record], end: int, bundle: Bundle) -> tuple[float, Counter[str]]:
    """CPU µs per event, and what left."""
    found: Counter[str] = Counter()

    def keep(output: Output) -> None:
        found["decisions" if output.topic.endswith("decisions") else "messages"] += 1

    gc.collect()
    started = time.process_time()
    asyncio.run(work_through(RecordFeed(records, lambda: end + bundle.lateness), bundle, keep))
    return (time.process_time() - started) / len(records) * 1e6, found


def bundle_for(rules: Sequence[Rule]) -> Bundle:
    """A bundle of these rules for the simulated shop."""
    settings = load_settings(None, {}, ["consent.assume=granted", "clock.lateness=2s", "clock.now=event"])
    return bundle_of(settings, rules, [TOPIC])._replace(decoders={TOPIC: decode_canonical})


def measure(events: int, people: int, rounds: int) -> Report:
    """Every set once in each round, one after the other."""
    records, end = shop_records(events, people)
    sets = {SHIPPED: load_rules([default_rules_dir()], VOCABULARY), **{str(n): rules_of(n) for n in SIZES}}
    bundles = {name: bundle_for(rules) for name, rules in sets.items()}
    spent: dict[str, list[float]] = {name: [] for name in sets}
    left: dict[str, Counter[str]] = {}
    for _ in range(rounds):
        for name, bundle in bundles.items():
            cpu, left[name] = run_once(records, end, bundle)
            spent[name].append(round(cpu, 2))
            print(f"{name:>8}  {cpu:6.1f} µs/event", file=sys.stderr, flush=True)
    base = median(spent[SHIPPED])
    return Report(
        events=len(records),
        people=people,
        rounds=rounds,
        sets={
            name: Measured(
                rules=len(sets[name]),
                cpu_us=spent[name],
                ratio=round(median(spent[name]) / base, 2),
                decisions_per_1000=round(left[name]["decisions"] / len(records) * 1000, 1),
                messages_per_1000=round(left[name]["messages"] / len(records) * 1000, 1),
                most_per_type=_most_per_type(bundle),
            )
            for name, bundle in bundles.items()
        },
    )


def _most_per_type(bundle: Bundle) -> int:
    plans = bundle.matcher.plans.values()
    return max(len(plan.touches) + len(plan.counts) + len(plan.events) + len(plan.endings) for plan in plans)


def table(report: Report) -> str:
    """Markdown."""
    rows = [
        f"| {name} | {one.rules} | {one.most_per_type} | {median(one.cpu_us):.1f} "
        f"({min(one.cpu_us):.1f}-{max(one.cpu_us):.1f}) | {one.ratio:.2f} | {one.decisions_per_1000:.0f} |"
        for name, one in report.sets.items()
    ]
    head = (
        "| set | rules | most that match a type | CPU µs/event | times shipped | decisions per 1,000 events |"
    )
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|", *rows])


def main() -> int:
    """Measure, print the table, write the JSON file; 1 when 200 rules cost more than the bound."""
    parser = argparse.ArgumentParser(prog="python -m bench.many_rules", description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    report = measure(given.events, given.people, given.rounds)
    print(table(report))
    data = f"{report.events:,} events of the simulated shop with {report.people:,} people"
    sheet.keep(sheet.of("many_rules", data, report))
    return 1 if report.sets[str(max(SIZES))].ratio > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
