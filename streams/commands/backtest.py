"""`retarget backtest`: what rules would have sent, and what other rules would have sent instead."""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from retarget.errors import BadInput
from streams.commands.screen import add_progress, bar
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.backtest.report import Report
    from streams.backtest.splitting import Part, Splitting

OVER_BUDGET: Final = 1
_ALL: Final = ""
_TOLD_EVERY: Final = 1_000


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least 1")
    return int(text)


def add(parser: argparse.ArgumentParser) -> None:
    """Which input, which rules, what must not be exceeded, where the results go."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="files, also .gz; - is standard input")
    parser.add_argument(
        "--topic", nargs="?", const=_ALL, metavar="TOPIC",
        help="instead of files what a topic holds (without a name: all of kafka.input_topics)",
    )  # fmt: skip
    parser.add_argument("--dialect", help="the form of the files (default: recognised JSON)")
    parser.add_argument("--mapping", metavar="FILE", help="for the dialect csv: which column is which field")
    parser.add_argument(
        "--rules", metavar="DIR", help="folder or file with the rules on trial (default: rules.dir)"
    )
    parser.add_argument("--against", metavar="DIR", help="folder or file with the rules to compare them with")
    parser.add_argument("--only", metavar="RULE,…", help="only these rules")
    parser.add_argument("--lateness", metavar="DURATION", help="how long events are held (default: files 0s)")
    parser.add_argument("--assume-consent", action="store_true", help="whoever never said anything agrees")
    parser.add_argument("--as-is", action="store_true", help="files in their order; else sorted by time")
    parser.add_argument("--budget", metavar="FILE", help="limits; exit code 1 when one is exceeded")
    parser.add_argument("--json", metavar="FILE", help="the figures as JSON; - is standard output")
    parser.add_argument("--html", metavar="FILE", help="the figures as one page with charts")
    parser.add_argument("--jobs", type=_whole, metavar="N", help="processes (default: one for each core)")
    add_progress(parser)
    parser.set_defaults(
        settings=("rules.dir", "clock.lateness", "consent.assume", "quiet_hours.enabled", "kafka.bootstrap")
    )


def overrides(args: argparse.Namespace) -> Iterator[str]:
    """The options that are short for settings."""
    if args.rules:
        yield f"rules.dir={args.rules}"
    if args.lateness:
        yield f"clock.lateness={args.lateness}"
    if args.assume_consent:
        yield "consent.assume=granted"


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Try the rules, say what came out, and whether it is within the budget. Raises BadInput, Unreachable."""
    from streams.backtest.budget import read_budget
    from streams.backtest.page import page
    from streams.backtest.table import table

    _require_one_input(args)
    budget = read_budget(Path(args.budget)) if args.budget else None
    if budget is not None:
        budget.require(compared=bool(args.against))
    report = _report(settings, args)
    prices = budget.prices if budget is not None else {}
    broken = budget.judge(report) if budget is not None else []
    if args.json != "-":
        print(table(report, prices))
    _write(args.json, json.dumps(report.as_json(prices, broken), ensure_ascii=False, indent=1) + "\n")
    _write(args.html, page(report, prices, broken))
    sys.stdout.flush()
    print(_speed(report), file=sys.stderr)
    for line in broken:
        print(line, file=sys.stderr)
    return OVER_BUDGET if broken else 0


def _require_one_input(args: argparse.Namespace) -> None:
    problems = []
    if args.topic is None and not args.files:
        problems.append("no input is given; name files, - for standard input, or --topic")
    if args.topic is not None:
        of_files = {"--dialect": args.dialect, "--mapping": args.mapping, "--as-is": args.as_is}
        named = [name for name, value in of_files.items() if value]
        named = ([f"the file {args.files[0]}"] if args.files else []) + named
        problems += [f"--topic: {name} cannot be given with it; it is for files" for name in named]
    if problems:
        raise BadInput(problems)


def _report(settings: Settings, args: argparse.Namespace) -> Report:
    from streams.backtest.pool import PARTS_EACH, Plan, backtest, cores
    from streams.backtest.report import Report, Speed
    from streams.resources import default_rules_dir

    settings, jobs = _with_lateness(settings, args), args.jobs or cores()
    rules = Path(settings.rules.dir or default_rules_dir())
    against = Path(args.against) if args.against else None
    plan = Plan(settings, rules, against, tuple(filter(None, (args.only or "").split(","))))
    plan.bundles()
    with tempfile.TemporaryDirectory(prefix="retarget-backtest-") as name, _room(name):
        started = time.monotonic()
        parts, splitting = _split(settings, args, Path(name), jobs * PARTS_EACH)
        records = sum(part.events.entries for part in parts) * (2 if against else 1)
        read = time.monotonic()
        with bar("records worked off", records, wanted=args.progress) as done:
            outcome = backtest(plan, parts, Path(name), jobs=jobs, progress=done)
        speed = Speed(reading_s=read - started, working_s=time.monotonic() - read, jobs=jobs, events=records)
    return Report(
        source=_source(settings, args), rules=str(rules), against=args.against, outcome=outcome, speed=speed,
        records=splitting.records, unusable=dict(splitting.unusable),
    )  # fmt: skip


def _with_lateness(settings: Settings, args: argparse.Namespace) -> Settings:
    """Files are sorted, so that nothing need be held, unless somebody says so; a topic is read as live."""
    if args.topic is not None or "clock.lateness" in settings.sources:
        return settings
    return replace(settings, clock=replace(settings.clock, lateness=0))


@contextmanager
def _room(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        remedy = "a backtest needs about as much room as its input; TMPDIR names another place"
        raise BadInput([f"{folder}: no space left; {remedy}"]) from error


def _source(settings: Settings, args: argparse.Namespace) -> str:
    return ", ".join(args.files if args.topic is None else _topics(settings, args))


def _topics(settings: Settings, args: argparse.Namespace) -> Sequence[str]:
    return [args.topic] if args.topic else settings.kafka.input_topics


def _split(
    settings: Settings, args: argparse.Namespace, folder: Path, parts: int
) -> tuple[list[Part], Splitting]:
    if args.topic is not None:
        return asyncio.run(_split_topics(settings, args, folder, parts))
    from streams.backtest.reading import of_files
    from streams.backtest.splitting import Splitting
    from streams.files import read_files

    splitting = Splitting(folder, lanes=1, parts=parts, by_time=not args.as_is)
    events = read_files(args.files, args.dialect or "auto", args.mapping)
    with bar("records read", None, wanted=args.progress) as done:
        for told in of_files(events):
            splitting.add(told)
            if splitting.records % _TOLD_EVERY == 0:
                done(_TOLD_EVERY)
    return splitting.close(ahead=settings.clock.lateness), splitting


async def _split_topics(
    settings: Settings, args: argparse.Namespace, folder: Path, parts: int
) -> tuple[list[Part], Splitting]:
    from streams.backtest.history import History
    from streams.backtest.splitting import Splitting
    from streams.kafka.address import address_of
    from streams.lanes.bundle import bundle_of

    topics = _topics(settings, args)
    history = History(address_of(settings), topics)
    started = time.time_ns() // 1_000_000
    await history.look()
    # The bundle decodes these topics by their dialects; it decides nothing here.
    intake = bundle_of(settings, [], topics).intake
    splitting = Splitting(folder, lanes=history.lanes, parts=max(parts // history.lanes, 1), by_time=False)
    with bar("records read", history.offsets, wanted=args.progress) as done:
        async for told in history.told(intake):
            splitting.add(told)
            if splitting.records % _TOLD_EVERY == 0:
                done(_TOLD_EVERY)
    # Where the wall clock moves idle lanes on, it has brought them to the present.
    return splitting.close(ahead=0, at_least=started if settings.clock.idle == "wall" else -1), splitting


def _speed(report: Report) -> str:
    speed = report.speed
    return (
        f"read in {speed.reading_s:.1f} s, worked off in {speed.working_s:.1f} s by {speed.jobs} processes: "
        f"{speed.per_second_and_core:,.0f} events a second and process"
    )


def _write(name: str | None, text: str) -> None:
    if name is None:
        return
    if name == "-":
        sys.stdout.write(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput([f"{name}: cannot be written: {error.strerror}"]) from error
