"""`retarget check`: mistakes in rules and settings, before a worker meets them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

from retarget.rules.model import Channel, Purpose, Rule
from retarget.rules.names import nearest
from streams.settings import Settings

CHANNELS: Final = frozenset(get_args(Channel))
PURPOSES: Final = frozenset(get_args(Purpose))
_CASES: Final = (".cases.yaml", ".cases.yml")


def add(parser: argparse.ArgumentParser) -> None:
    """What to look at."""
    parser.add_argument(
        "files", nargs="*", metavar="FILE", type=Path, help="rule files or folders; none: those of rules.dir"
    )
    parser.set_defaults(settings=("rules.dir",))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print what was found. Raises BadInput with every problem, its file and line."""
    from retarget.rules.vocabulary import VOCABULARY
    from streams.resources import default_rules_dir
    from streams.rulebook import load_rules

    given: Sequence[Path] = args.files or [Path(settings.rules.dir or default_rules_dir())]
    cases = [path for path in _listed(given) if path.name.endswith(_CASES)]
    rules = load_rules([path for path in given if path not in cases], VOCABULARY)
    for warning in warnings(settings, rules):
        print(f"warning: {warning}", file=sys.stderr)
    if cases:
        print(f"note: {_counted(len(cases), 'file')} of test cases not looked at", file=sys.stderr)
    print(f"{_counted(len(rules), 'rule')}, no problems")
    return 0


def warnings(settings: Settings, rules: Iterable[Rule]) -> Iterator[str]:
    """A sentence for each name in the settings that nothing answers to."""
    tags = {tag for rule in rules for tag in rule.tags}
    capped = {"total", *CHANNELS, *PURPOSES, *tags}
    for name in settings.caps.limits:
        if name not in capped:
            yield f"caps.{name}: no channel, purpose or tag of a rule has this name{nearest(name, capped)}"
    for name in settings.channels.external:
        if name not in CHANNELS:
            yield f"channels.external: no channel has the name {name}{nearest(name, CHANNELS)}"


def _listed(given: Sequence[Path]) -> list[Path]:
    folders = [path for path in given if path.is_dir()]
    return [*given, *(file for folder in folders for file in sorted(folder.iterdir()))]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
