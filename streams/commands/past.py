"""What the commands over the past share: which events, which rules, and what to do when nothing came out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from retarget.errors import WrongUsage
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.files import FileEvent

# What to do when every candidate of a run was stopped by the same gate.
_REMEDIES: Final[Mapping[str, str]] = {
    "no_consent": "data without consent events needs --assume-consent (consent.assume=granted)",
    "unreachable": "nobody has an address: see channels.external, or send identify events with traits",
    "cap": "the caps let nothing out: see caps.total",
    "stale": "everything is due too long before `now`: see delivery.max_delay and clock.now",
    "paused": "a kill switch is on: see `retarget resume`; or nobody buys: see guard.purchase_silence",
    "outbid": "all of it waits for the end of arbitration.window when the input ends",
    "quiet_hours": "all of it falls into the night: see quiet_hours.zone and quiet_hours.enabled",
}


def add_past(group: argparse._ActionsContainer) -> None:
    """The form and order of the events, the rules, and the settings that old data mostly needs."""
    group.add_argument("--dialect", help="the form of the files (default: recognised JSON)")
    group.add_argument("--mapping", metavar="FILE", help="for csv and json: which column is which field")
    group.add_argument("--rules", metavar="DIR", help="folder or file with rules (default: rules.dir)")
    group.add_argument("--lateness", metavar="DURATION", help="how long events are held (default: files 0s)")
    group.add_argument("--assume-consent", action="store_true", help="whoever never said anything agrees")
    group.add_argument("--as-is", action="store_true", help="in the order of the files; else sorted by time")


def add_catalogue(group: argparse._ActionsContainer) -> None:
    """The option `--catalogue`."""
    group.add_argument(
        "--catalogue",
        metavar="FILE",
        action="append",
        default=[],
        help="records of the catalogue, or a feed of products: prices, stock; put in by their time",
    )


def require_sorted(args: argparse.Namespace) -> None:
    """Raises WrongUsage when records of the catalogue are to be put in where nothing is in order of time."""
    if args.catalogue and args.as_is:
        raise WrongUsage(["--catalogue: its records are put in by time; leave out --as-is"])


def told_by_files(settings: Settings, args: argparse.Namespace, files: Sequence[str]) -> Iterator[FileEvent]:
    """The records of the catalogue and then those of the files: what is sorted by time keeps that order.

    Raises BadInput, also while they are read.
    """
    from streams.feeds import read_feeds
    from streams.files import read_files

    events = read_files(files, args.dialect or "auto", args.mapping)
    listed = read_feeds(args.catalogue, settings.input.max_bytes) if args.catalogue else ()
    return chain(listed, events)


def add_only(parser: argparse.ArgumentParser) -> None:
    """The option `--only`; `wanted` gives its names."""
    parser.add_argument("--only", metavar="RULE,…", help="only these rules")


def wanted(args: argparse.Namespace) -> tuple[str, ...]:
    """The rules named by `--only`; none: all."""
    return tuple(name.strip() for name in (args.only or "").split(",") if name.strip())


def file_options(args: argparse.Namespace) -> list[str]:
    """The options given that are about files."""
    given = {
        "--dialect": args.dialect, "--mapping": args.mapping, "--as-is": args.as_is,
        "--catalogue": args.catalogue,
    }  # fmt: skip
    return [name for name, value in given.items() if value]


def overrides(args: argparse.Namespace) -> Iterator[str]:
    """The options that are short for settings."""
    if args.rules:
        yield f"rules.dir={args.rules}"
    if args.lateness:
        yield f"clock.lateness={args.lateness}"
    if args.assume_consent:
        yield "consent.assume=granted"


def holding(settings: Settings, *, files: bool) -> Settings:
    """Files are sorted, so that nothing need be held, unless somebody says so; a topic is read as live."""
    if not files or settings.sources["clock.lateness"] != "default":
        return settings
    return replace(settings, clock=replace(settings.clock, lateness=0))


def remedy(decisions: Mapping[tuple[str, ...], int]) -> None:
    """When nothing at all came out, say which gate it was and what to set."""
    # `again` only follows an earlier candidate, which another gate stopped.
    reasons = {reason for (_, outcome, reason) in decisions if outcome != "sent"} - {"again"}
    if len(reasons) == 1 and not any(outcome == "sent" for (_, outcome, _) in decisions):
        (reason,) = reasons
        hint = _REMEDIES.get(reason, "")
        print(
            f"every candidate was stopped by the gate {reason}{': ' + hint if hint else ''}", file=sys.stderr
        )
