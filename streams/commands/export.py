"""`retarget export`: all that is stored of a person, as JSON or for people."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING, Any

from retarget.errors import BadInput
from streams.commands.ids import person_id
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.privacy.people import Person


def add(parser: argparse.ArgumentParser) -> None:
    """Who, how much of it, in which form."""
    parser.add_argument(
        "person", type=person_id, metavar="PERSON", help="any id of theirs: user_id or anonymous_id"
    )
    parser.add_argument(
        "--topics",
        action="store_true",
        help="also what is still in the topics: their touchpoints, decisions about them, messages to them, "
        "dead letters, and what lanes told each other of them",
    )
    parser.add_argument("--text", action="store_true", help="for people, instead of one JSON object")
    parser.set_defaults(settings=("app.id", "store.url", "kafka.partitions", "kafka.bootstrap"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print it. Raises BadInput when nothing is stored of the person, Unreachable, UnknownOutcome."""
    told = asyncio.run(_told(settings, args.person, topics=args.topics))
    if args.text:
        import yaml

        print(yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=110), end="")
    else:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    return 0


async def _told(settings: Settings, name: str, *, topics: bool) -> dict[str, Any]:
    from streams.clocks import now_ms
    from streams.privacy.readable import person_as_plain
    from streams.privacy.records import records_of

    person = await found(settings, name)
    told = person_as_plain(person, now_ms(), settings.app.id)
    if topics:
        told["topics"] = await records_of(settings, person)
    if not person.kept and not any(told.get("topics", {}).values()):
        more = "" if topics else "; what was sent may still be in the topics: --topics"
        raise BadInput(
            [f"nothing is stored of {name!r} by app.id {settings.app.id}; ids are compared exactly{more}"]
        )
    return told


async def found(settings: Settings, name: str) -> Person:
    """What the store has of a person."""
    from streams.privacy.people import find
    from streams.stores import open_store

    lanes = settings.kafka.partitions
    store = await open_store(settings.store.url, settings.app.id, lanes)
    try:
        return await find(store, lanes, name)
    finally:
        await store.close()
