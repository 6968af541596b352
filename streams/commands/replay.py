"""`retarget replay`: the engine over files, without broker and store."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from retarget.errors import BadInput
from retarget.personal.salutation import UNKNOWN_LOCALE
from streams.commands.past import add_catalogue, add_only, add_past, overrides, remedy, require_sorted, wanted
from streams.commands.screen import add_progress, bar
from streams.commands.writing import opened, separate
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.ports import Output

__all__ = ["PRESETS", "add", "overrides", "run"]

# What the files hold is all there is to wait for.
PRESETS: Final[Mapping[str, str]] = {"clock.lateness": "0s"}


def add(parser: argparse.ArgumentParser) -> None:
    """Which files, which rules, where the results go."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="files, also .gz; - is standard input")
    add_past(parser)
    add_catalogue(parser)
    add_only(parser)
    parser.add_argument("--decisions", metavar="FILE", help="decisions as JSON lines; - is standard output")
    parser.add_argument(
        "--messages", metavar="FILE", help="messages as JSON lines (default: standard output)"
    )
    parser.add_argument(
        "--journeys",
        metavar="FILE",
        help="what is kept of each person at the end as JSON lines, for `retarget explain` "
        "(default: FILE.journeys beside the decisions)",
    )
    parser.add_argument("--dead", metavar="FILE", help="unusable records as JSON lines; - is standard output")
    add_progress(parser)
    parser.set_defaults(settings=("rules.dir", "clock.lateness", "consent.assume", "quiet_hours.enabled"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Replay and say what came out. Raises BadInput."""
    from retarget.rules.vocabulary import VOCABULARY
    from streams.feeds import read_feeds
    from streams.files import read_files, sorted_by_time, with_catalogue
    from streams.kept import beside, kept_lines
    from streams.known_names import found_names
    from streams.lanes.bundle import bundle_of
    from streams.replaying import LANE, TOPIC, replay
    from streams.rulebook import load_rules, not_named, picked, rules_dir
    from streams.stores.memory import MemoryStore

    separate(args, ("decisions", "messages", "journeys", "dead"), (*args.files, args.mapping, args.rules))
    only, rules = wanted(args), load_rules([rules_dir(settings)], VOCABULARY, found_names(settings))
    if problems := not_named(only, {rule.name for rule in rules}):
        raise BadInput(problems)
    # Old data has its own time, whatever a worker's settings say.
    bundle = bundle_of(settings, picked(rules, only), [TOPIC], lanes=1)._replace(now_is_clock=True)
    events = read_files(args.files, args.dialect or "auto", args.mapping)
    require_sorted(args)
    if args.catalogue:
        listed = read_feeds(args.catalogue, settings.input.max_bytes)
        events = iter(with_catalogue(events, listed))
    elif not args.as_is:
        events = iter(sorted_by_time(events))
    store = MemoryStore()
    with ExitStack() as stack:
        sinks = _Sinks(stack, args)
        journeys = opened(stack, args.journeys or beside(args.decisions))
        with bar("events", None, wanted=args.progress) as done:
            counts = asyncio.run(replay(events, bundle, sinks, store=store, progress=done))
        if journeys is not None:
            journeys.writelines(kept_lines(store, LANE))
    _summary(counts)
    if not args.dead and any(key[0] == "dead" for key in counts):
        print("what is unusable, and why: --dead FILE, or --dead - for here", file=sys.stderr)
    _hint(args, sinks.decided)
    return 0


class _Sinks:
    """Where each output goes: messages to standard output unless any file was named."""

    def __init__(self, stack: ExitStack, args: argparse.Namespace) -> None:
        from streams import topics

        named = args.decisions or args.messages or args.dead or args.journeys
        self._decisions = topics.DECISIONS
        self._files = {
            topics.DECISIONS: opened(stack, args.decisions),
            topics.DEAD: opened(stack, args.dead),
        }
        self._messages = opened(stack, args.messages or (None if named else "-"))
        self.decided = b""  # of whom the last decision was

    def __call__(self, output: Output) -> None:
        """Write it down, if anybody wants it."""
        target = self._files.get(output.topic, self._messages)
        if output.topic == self._decisions:
            self.decided = output.key
        if target is not None:
            target.write(output.value + b"\n")


def _summary(counts: Counter[tuple[str, ...]]) -> None:
    decisions = {key[1:]: n for key, n in counts.items() if key[0] == "decision"}
    messages = {key[1:]: n for key, n in counts.items() if key[0] == "message"}
    unusable = sum(n for key, n in counts.items() if key[0] == "dead")
    print(
        f"{counts['read',]:,} records, {counts['applied',]:,} events and waits worked off, "
        f"{counts['late',]:,} late, {counts['repeat',]:,} repeated, {unusable:,} unusable",
        file=sys.stderr,
    )
    if counts["joined",]:
        doubles = sum(n for key, n in counts.items() if key[0] == "merge_double")
        print(
            f"{counts['joined',]:,} anonymous histories joined to known people, {doubles:,} messages doubled "
            f"before that",
            file=sys.stderr,
        )
    for (rule, channel, operation), n in sorted(messages.items()):
        print(f"  {n:>8,}  {rule} {operation} {channel}", file=sys.stderr)
    lacking = {key[1:]: n for key, n in counts.items() if key[0] == "lacking"}
    for (rule, reason), n in sorted(lacking.items()):
        what = "in another language" if reason == UNKNOWN_LOCALE else "without its code"
        print(f"  {n:>8,}  {rule} sent {what}: {reason}", file=sys.stderr)
    for (rule, outcome, reason), n in sorted(decisions.items()):
        if outcome != "sent":
            print(f"  {n:>8,}  {rule} {outcome}: {reason}", file=sys.stderr)
    remedy(decisions)


def _hint(args: argparse.Namespace, decided: bytes) -> None:
    """How to look into the files just written, at a person of whom something was decided."""
    files = {"--decisions": args.decisions, "--journeys": args.journeys}
    written = [word for option, name in files.items() if name not in (None, "-") for word in (option, name)]
    person = decided.decode(errors="replace")
    if written and person and person.isprintable() and not person.startswith("-"):
        command = shlex.join(["retarget", "explain", person, *written])
        print(f"who got what and why: {command}", file=sys.stderr)
