"""`retarget erase`: a person is forgotten, under all of their ids."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Final

from retarget.times import parse_duration
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.images import Folder
    from streams.privacy.erasing import Erasure
    from streams.privacy.people import Person

_WITHIN: Final = "60s"


def add(parser: argparse.ArgumentParser) -> None:
    """Who, and how long is waited."""
    parser.add_argument(
        "persons", metavar="PERSON", nargs="+",
        help="any id of theirs: user_id or anonymous_id; what follows are more ids of the same person",
    )  # fmt: skip
    parser.add_argument(
        "--within", type=_duration, default=_WITHIN, metavar="DURATION",
        help=f"how long to wait until all lanes have applied it (default: {_WITHIN})",
    )  # fmt: skip
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="only send the event; other ids and snapshots are left to the next time",
    )
    parser.add_argument(
        "--snapshots",
        action="store_true",
        help="then make a new snapshot and remove those from before, which hold the person still",
    )
    parser.set_defaults(
        settings=("app.id", "store.url", "kafka.partitions", "kafka.bootstrap", "snapshot.folder")
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Do it and say what is gone. Raises BadInput, Unreachable; UnknownOutcome when lanes take too long."""
    erasure = asyncio.run(_erase(settings, args.persons, 0 if args.no_wait else args.within))
    print(*_told(erasure), sep="\n")
    if erasure.whole:
        _with_snapshots(settings, erasure, renew=args.snapshots)
        print(f"look for yourself: retarget erase --scan {' '.join(erasure.before.ids)}")
    return 0


def _duration(text: str) -> int:
    try:
        return max(parse_duration(text), 1)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def _erase(settings: Settings, names: list[str], within: int) -> Erasure:
    from streams.privacy.erasing import Eraser
    from streams.stores import open_store

    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        return await Eraser(settings, store, within).erase(names[0], names[1:])
    finally:
        await store.close()


def _told(erasure: Erasure) -> Iterator[str]:
    """What was stored and is gone, by id."""
    person = erasure.before
    if not erasure.whole:
        yield f"{person.name}: {erasure.sent} erase event sent, not waited for"
        return
    if not erasure.sent:
        yield f"{person.name}: nothing was stored but that they had been erased"
        return
    yield f"{person.name}: erased under {len(person.ids)} ids"
    yield from _gone(person)


def _gone(person: Person) -> Iterator[str]:
    for one in person.kept:
        j = one.journey
        if one.is_mark:
            said = "had been erased"
        elif j.moved:
            said = "led to them"
        else:
            parts: dict[str, Sized] = {
                "products": j.products, "carts": j.carts, "orders": j.orders, "traits": j.traits,
                "consents": j.consents, "sends": j.sends, "deferred messages": j.deferred,
                "audiences": j.audiences, "offers": j.offers, "open episodes": j.episodes,
            }  # fmt: skip
            said = ", ".join(f"{len(part)} {name}" for name, part in parts.items() if part) or "empty"
        wait = "" if one.wait is None else ", a wait"
        yield f"  {one.name} in lane {one.lane}: {said}{wait}"


def _with_snapshots(settings: Settings, erasure: Erasure, *, renew: bool) -> None:
    """Note who was erased beside the snapshots, and say which of them are from before."""
    from streams.images import copies_of

    folder = copies_of(settings)
    if folder is None:
        print("snapshot.folder is not set: whoever restores a copy of the store must erase them again")
        return
    folder.erased().add(erasure.before.ids, erasure.at, erasure.at - settings.snapshot.erased_kept)
    if renew:
        _renew(settings, folder)
    if not renew and (former := folder.all()):
        print(
            f"{len(former)} snapshots are from before and hold them; who comes back from one is erased. "
            f"They go as new ones are made (snapshot.keep={settings.snapshot.keep}), at once with --snapshots"
        )


def _renew(settings: Settings, folder: Folder) -> None:
    from streams.commands.snapshot import by_journal

    made: Path = asyncio.run(by_journal(settings, folder))
    print(f"made {made}", *(f"removed {each}" for each in folder.tidy(1)), sep="\n")
