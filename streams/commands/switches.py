"""The kill switches, as `pause` and `resume` throw them: checked, logged, and told."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final, get_args

from retarget.engine.gates import EVERYTHING
from retarget.errors import BadInput, RetargetError
from retarget.rules.model import Channel
from retarget.rules.names import unknown
from retarget.times import format_time
from streams.settings import Settings

_log: Final = logging.getLogger("retarget.switches")

# From the name that was given and the pauses before to the switches to throw; None ends a pause.
Change = Callable[[str | None, Mapping[str, int]], Mapping[str, int | None]]


def add_switch(parser: argparse.ArgumentParser, without: str) -> None:
    """The name of a switch, and the list of those that are on."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", nargs="?", metavar="RULE or CHANNEL", help=f"what; none: {without}")
    which.add_argument("--list", action="store_true", help="only print what is paused, and since when")
    parser.set_defaults(settings=("store.url", "app.id", "kafka.partitions", "rules.dir", "rules.source"))


def throw(settings: Settings, args: argparse.Namespace, change: Change) -> int:
    """Do what `change` says and print what is paused now. Raises BadInput, Unreachable."""
    from streams.logs import configure_logs
    from streams.secrecy import hiding

    configure_logs(settings.log.format, settings.log.level, hidden=hiding(settings))
    now = asyncio.run(_throw(settings, args, change))
    for name, since in sorted(now.items()):
        what = "everything" if name == EVERYTHING else name
        print(f"{what} is paused since {format_time(since)}")
    if not now:
        print("nothing is paused")
    return 0


async def _throw(settings: Settings, args: argparse.Namespace, change: Change) -> dict[str, int]:
    from streams.stores import open_store

    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        before = await store.pauses()
        if args.list:
            return before
        await _require_known(args.name, settings, before)
        for name, since in change(args.name, before).items():
            await store.set_pause(name, since)
            told = {"switch": name, "by": who(), "app": settings.app.id}
            _log.warning("paused" if since is not None else "resumed", extra=told)
        return await store.pauses()
    finally:
        await store.close()


async def _require_known(name: str | None, settings: Settings, paused: Collection[str]) -> None:
    if name is None:
        return
    known = {EVERYTHING, *get_args(Channel), *paused}
    if name in known:  # a switch must work also while the rules are broken
        return
    names = await _published_names(settings) if settings.rules.source == "topic" else _rule_names(settings)
    if names is None:
        return
    known |= names
    if name not in known:
        raise BadInput([unknown("rule or channel", name, known)])


def _rule_names(settings: Settings) -> set[str]:
    from retarget.rules.vocabulary import VOCABULARY
    from streams.rulebook import load_rules, rules_dir

    return {rule.name for rule in load_rules([rules_dir(settings)], VOCABULARY)}


async def _published_names(settings: Settings) -> set[str] | None:
    """The rules that are published; None when Kafka does not tell: a switch must work then, too."""
    from streams.commands.rules import shelf_of
    from streams.lanes.shelved import content_of
    from streams.ports import UnknownOutcome

    try:
        async with shelf_of(settings) as shelf:
            if shelf.published is None:
                return set()
            return set(content_of(shelf, shelf.published.bundle).names)
    except (RetargetError, UnknownOutcome):
        return None


def who() -> str:
    """Whoever is at this terminal, for the log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
