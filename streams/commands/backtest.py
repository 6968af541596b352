"""`retarget backtest`: what rules would have sent, and what other rules would have sent instead."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from retarget.errors import BadInput
from streams.commands.past import add_past, holding, overrides, remedy
from streams.commands.screen import add_progress, bar
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.backtest.report import Report
    from streams.backtest.trial import Bar, Source

__all__ = ["add", "overrides", "run"]

OVER_BUDGET: Final = 1
_ALL: Final = ""


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
    add_past(parser)
    parser.add_argument("--only", metavar="RULE,…", help="only these rules")
    parser.add_argument("--against", metavar="DIR", help="folder or file with the rules to compare them with")
    parser.add_argument("--budget", metavar="FILE", help="limits; exit code 1 when one is exceeded")
    parser.add_argument("--json", metavar="FILE", help="the figures as JSON; - is standard output")
    parser.add_argument("--html", metavar="FILE", help="the figures as one page with charts")
    parser.add_argument("--jobs", type=_whole, metavar="N", help="processes (default: one for each core)")
    add_progress(parser)
    parser.set_defaults(
        settings=("rules.dir", "clock.lateness", "consent.assume", "quiet_hours.enabled", "kafka.bootstrap")
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Try the rules, say what came out, and whether it is within the budget. Raises BadInput, Unreachable."""
    from streams.backtest.budget_file import read_budget
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
    remedy(dict(report.outcome.rules.outcomes.items()))
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
    from streams.backtest.pool import Plan, cores
    from streams.backtest.trial import run_trial
    from streams.resources import default_rules_dir

    settings = holding(settings, files=args.topic is None)
    plan = Plan(
        settings,
        rules=Path(settings.rules.dir or default_rules_dir()),
        against=Path(args.against) if args.against else None,
        only=tuple(name.strip() for name in (args.only or "").split(",") if name.strip()),
    )
    return run_trial(plan, _source(settings, args), jobs=args.jobs or cores(), bar=_bar(wanted=args.progress))


def _source(settings: Settings, args: argparse.Namespace) -> Source:
    if args.topic is not None:
        from streams.backtest.history import Topics

        return Topics(settings, [args.topic] if args.topic else settings.kafka.input_topics)
    from streams.backtest.trial import Files
    from streams.files import read_files

    events = read_files(args.files, args.dialect or "auto", args.mapping)
    return Files(", ".join(args.files), events, settings.clock.lateness, as_is=args.as_is)


def _bar(*, wanted: bool) -> Bar:
    return lambda title, total: bar(title, total, wanted=wanted)


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
