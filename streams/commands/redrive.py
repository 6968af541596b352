"""`retarget redrive`: dead letters once more, after what was wrong has been mended."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Final, get_args

from retarget.errors import RejectReason
from retarget.times import parse_time
from streams.clocks import now_ms
from streams.settings import Settings
from streams.topics import CHANNELS

# The exit code when chosen letters still cannot be sent.
LEFT: Final = 1


def add(parser: argparse.ArgumentParser) -> None:
    """Which letters, and what for."""
    parser.add_argument(
        "--channel",
        choices=CHANNELS,
        help="what this channel's service could not send; else what the engine set aside",
    )
    parser.add_argument(
        "--reason", action="append", default=[], help="only with this reason; may be repeated"
    )
    parser.add_argument("--rule", action="append", default=[], help="only about this rule; may be repeated")
    parser.add_argument(
        "--topic", action="append", default=[], help="only what stood in this topic; may be repeated"
    )
    parser.add_argument(
        "--from", dest="since", type=moment, default=0, metavar="TIME", help="only from this time on"
    )
    parser.add_argument(
        "--to", dest="until", type=moment, default=2**62, metavar="TIME", help="only before this time"
    )
    parser.add_argument(
        "--as-new", action="store_true",
        help="events that a rule failed on: count them once more, under a new id",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="tell what would be sent, and send nothing")
    parser.set_defaults(
        settings=(
            "kafka.bootstrap", "kafka.emit", "kafka.input_topics", "input.dialect", "kafka.partitions",
            "app.id", "store.url", "consent.assume",
        )
    )  # fmt: skip


def moment(text: str) -> int:
    """Epoch milliseconds of RFC 3339 text. Raises ArgumentTypeError."""
    try:
        return parse_time(text.upper())
    except (ValueError, OverflowError):
        said = f"found {text!r}, expected a time such as 2026-03-01T10:00:00Z"
        raise argparse.ArgumentTypeError(said) from None


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Send them and say how many; 1 when chosen ones are left.

    Raises BadInput, Unreachable, UnknownOutcome, LaneRefused.
    """
    from retarget.errors import BadInput
    from streams.redriving import Choice, redrive

    known = get_args(RejectReason)
    if not args.channel and (unknown := [name for name in args.reason if name not in known]):
        raise BadInput([f"--reason: {unknown[0]!r} is none; write one of {', '.join(known)}"])
    choice = Choice(
        reasons=frozenset(args.reason),
        rules=frozenset(args.rule),
        topics=frozenset(args.topic),
        since=args.since,
        until=args.until,
    )
    told = asyncio.run(
        redrive(
            settings, choice, channel=args.channel or "", now=now_ms(), as_new=args.as_new, dry=args.dry_run
        )
    )
    print(*told.left, sep="\n", end="\n" if told.left else "", file=sys.stderr)
    would = "would be sent" if args.dry_run else "sent"
    why = ", ".join(f"{number:,} {reason}" for reason, number in sorted(told.refused.items()))
    of_them = f", of them {why}" if why else ""
    print(f"{told.sent:,} {would} again, {told.before:,} had been before, {len(told.left):,} left{of_them}")
    return LEFT if told.left else 0
