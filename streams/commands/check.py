"""`retarget check`: mistakes in rules, their test cases and settings, before a worker meets them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

from retarget.rules.model import Rule
from retarget.rules.names import nearest
from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """What to look at."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        type=Path,
        help="rule files, their *.cases.yaml, or folders of both; none: those of rules.dir",
    )
    parser.set_defaults(settings=("rules.dir",))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print what was found, every problem with its file and line; 1 if there was any."""
    from streams.cases.trying import try_rules
    from streams.known_names import found_names
    from streams.rulebook import rules_dir

    started = perf_counter()
    given: Sequence[Path] = args.files or [rules_dir(settings)]
    tried = try_rules(given, found_names(settings))
    for warning in () if tried.problems else [*tried.undeclared, *warnings(settings, tried.rules)]:
        print(f"warning: {warning}", file=sys.stderr)
    for problem in tried.problems:
        print(problem, file=sys.stderr)
    looked_at = f"{_counted(len(tried.rules), 'rule')}, {_counted(tried.cases, 'case')}"
    took = f"{perf_counter() - started:.1f} s"
    if tried.problems:
        print(f"{looked_at} in {took}: {_counted(len(tried.problems), 'problem')}", file=sys.stderr)
        return 1
    print(f"{looked_at} in {took}: no problems")
    return 0


def warnings(settings: Settings, rules: Iterable[Rule]) -> Iterator[str]:
    """A sentence for each name in the settings that nothing answers to."""
    from retarget.engine.caps import known_scopes

    rules = list(rules)
    capped = known_scopes(tag for rule in rules for tag in rule.tags)
    for name in settings.caps.limits:
        if name not in capped:
            yield f"caps.{name}: no channel, purpose or tag of a rule has this name{nearest(name, capped)}"
    if settings.rules.dir and not settings.offers.secret and makes_offers(rules):
        yield "offers.secret: not set, so whoever knows a person's events can work out their codes"
    yield from _pools_wanted(settings, rules)


def _pools_wanted(settings: Settings, rules: Iterable[Rule]) -> Iterator[str]:
    known = settings.offers.codes
    for rule in rules:
        for pool in sorted({offer.codes for step in rule.steps for offer in step.offers} - {"", *known}):
            yield f"offers.codes: no pool {pool}, as rule {rule.name} takes codes from{nearest(pool, known)}"


def makes_offers(rules: Iterable[Rule]) -> bool:
    """Whether any of the rules does."""
    return any(step.offers for rule in rules for step in rule.steps)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
