"""`retarget diff`: what a change of rules means, rule by rule, in words."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from retarget.rules.changes import Change, changes
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from streams.rulebook import load_rules
from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Which two, and in which form."""
    parser.add_argument("before", metavar="A", help="a folder or file with rules, as they are")
    parser.add_argument("after", metavar="B", help="a folder or file with rules, as they will be")
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def run(settings: Settings, args: argparse.Namespace) -> int:  # noqa: ARG001 - every command's form
    """Print what differs; 0 whether or not anything does. Raises BadInput."""
    before, after = (load_rules([Path(name)], VOCABULARY) for name in (args.before, args.after))
    found = changes(before, after)
    print(as_json(found) if args.json else "\n".join(as_lines(found, _alike(found, after))))
    return 0


def as_json(found: Sequence[Change]) -> str:
    """One object with all changes."""
    return msgspec.json.format(msgspec.json.encode({"rules": found}), indent=1).decode()


def as_lines(found: Iterable[Change], alike: int) -> list[str]:
    """A block for each rule, and the sum."""
    lines: list[str] = []
    kinds: Counter[str] = Counter()
    for change in found:
        kinds[change.change] += 1
        lines += [f"{change.rule}: {change.change}", *(f"  {sentence}" for sentence in change.says)]
    told = [f"{kinds[kind]} {kind}" for kind in ("new", "gone", "changed") if kinds[kind]]
    return [*lines, f"rules: {', '.join([*told, f'{alike} alike'])}"]


def _alike(found: Iterable[Change], after: Sequence[Rule]) -> int:
    return len(after) - sum(change.after is not None for change in found)
