"""`retarget backtest`: what rules would have sent, and what other rules would have sent instead."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from retarget.errors import WrongUsage
from streams.commands.numbers import whole
from streams.commands.past import (
    add_catalogue,
    add_only,
    add_past,
    file_options,
    holding,
    overrides,
    remedy,
    require_sorted,
    told_by_files,
    wanted,
)
from streams.commands.screen import add_progress, bar
from streams.commands.writing import opened, separate, write
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.backtest.pool import Plan
    from streams.backtest.report import Report
    from streams.backtest.trial import Bar, Source

__all__ = ["add", "overrides", "run"]

OVER_BUDGET: Final = 1
_ALL: Final = ""


def add(parser: argparse.ArgumentParser) -> None:
    """Which input, which rules, what must not be exceeded, where the results go."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="files, also .gz; - is standard input")
    parser.add_argument(
        "--topic", nargs="?", const=_ALL, metavar="TOPIC",
        help="instead of files what a topic holds (without a name: all of kafka.input_topics)",
    )  # fmt: skip
    add_past(parser)
    add_catalogue(parser)
    add_only(parser)
    parser.add_argument("--against", metavar="DIR", help="folder or file with the rules to compare them with")
    parser.add_argument("--budget", metavar="FILE", help="limits; exit code 1 when one is exceeded")
    parser.add_argument("--json", metavar="FILE", help="the figures as JSON; - is standard output")
    parser.add_argument("--html", metavar="FILE", help="the figures as one page with charts")
    parser.add_argument("--jobs", type=whole, metavar="N", help="processes (default: one for each core)")
    add_progress(parser)
    parser.set_defaults(
        settings=("rules.dir", "clock.lateness", "consent.assume", "quiet_hours.enabled", "kafka.bootstrap")
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Try the rules, say what came out, and whether it is within the budget. Raises BadInput, Unreachable."""
    from streams.backtest.budget_file import read_budget
    from streams.backtest.page import page
    from streams.backtest.pool import cores
    from streams.backtest.table import table
    from streams.backtest.trial import run_trial

    _require_one_input(args)
    require_sorted(args)
    inputs = (*args.files, *args.catalogue, args.mapping, args.rules, args.against, args.budget)
    separate(args, ("json", "html"), inputs)
    budget = read_budget(Path(args.budget)) if args.budget else None
    if budget is not None:
        budget.require(compared=bool(args.against))
    prices = budget.prices if budget is not None else {}
    settings = holding(settings, files=args.topic is None)
    on_trial, source, jobs = _plan(settings, args).bundles(), _source(settings, args), args.jobs or cores()
    with ExitStack() as stack:
        figures, charts = opened(stack, args.json), opened(stack, args.html)
        report = run_trial(on_trial, source, jobs=jobs, bar=_bar(wanted=args.progress))
        broken = budget.judge(report) if budget is not None else []
        if args.json != "-":
            print(table(report, prices), flush=True)
        write(figures, json.dumps(report.as_json(prices, broken), ensure_ascii=False, indent=1) + "\n")
        write(charts, page(report, prices, broken))
    print(_speed(report), file=sys.stderr)
    if report.shared:
        print(f"people share {', '.join(report.shared)}, so no lane was cut into parts", file=sys.stderr)
    remedy(dict(report.outcome.rules.outcomes.items()))
    for line in broken:
        print(line, file=sys.stderr)
    return OVER_BUDGET if broken else 0


def _require_one_input(args: argparse.Namespace) -> None:
    problems = []
    if args.topic is None and not args.files:
        problems.append("no input is given; name files, - for standard input, or --topic")
    if args.topic is not None:
        named = ([f"the file {args.files[0]}"] if args.files else []) + file_options(args)
        problems += [f"--topic: {name} cannot be given with it; it is for files" for name in named]
    if problems:
        raise WrongUsage(problems)


def _plan(settings: Settings, args: argparse.Namespace) -> Plan:
    from streams.backtest.pool import Plan
    from streams.rulebook import rules_dir

    return Plan(
        settings,
        rules=rules_dir(settings),
        against=Path(args.against) if args.against else None,
        only=wanted(args),
    )


def _source(settings: Settings, args: argparse.Namespace) -> Source:
    if args.topic is not None:
        from streams.backtest.history import Topics

        return Topics(settings, [args.topic] if args.topic else settings.kafka.input_topics)
    from streams.backtest.trial import Files

    events = told_by_files(settings, args, args.files)
    return Files(", ".join(args.files), events, settings.clock.lateness, as_is=args.as_is)


def _bar(*, wanted: bool) -> Bar:
    return lambda title, total: bar(title, total, wanted=wanted)


def _speed(report: Report) -> str:
    speed = report.speed
    return (
        f"read in {speed.reading_s:.1f} s, worked off in {speed.working_s:.1f} s by {speed.jobs} processes: "
        f"{speed.per_second_and_core:,.0f} events a second and process"
    )
