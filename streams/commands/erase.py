"""`retarget erase`: a person is forgotten, under all of their ids."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Final

from retarget.errors import LaneRefused, WrongUsage
from retarget.times import parse_duration
from streams.commands.ids import person_id
from streams.settings import Settings
from streams.topics import MERGE

if TYPE_CHECKING:
    from streams.images import Folder
    from streams.privacy.erasing import Erasure
    from streams.privacy.people import Person

_WITHIN: Final = "60s"


def add(parser: argparse.ArgumentParser) -> None:
    """Who, and how long is waited."""
    parser.add_argument(
        "persons", type=person_id, metavar="PERSON", nargs="+",
        help="any id of theirs: user_id or anonymous_id; what follows are more ids of the same person",
    )  # fmt: skip
    parser.add_argument(
        "--within", type=_duration, default=_WITHIN, metavar="DURATION",
        help="how long to wait until all lanes have applied it; with --scan how long to look at most "
        f"(default: {_WITHIN})",
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
    parser.add_argument(
        "--scan",
        action="store_true",
        help="erase nothing: look through store, snapshots and topics for these ids; exit code 1 when store "
        "or snapshots hold something of them, or topics what can be read beyond its retention",
    )
    parser.add_argument("--no-topics", action="store_true", help="with --scan: leave the topics out")
    parser.set_defaults(
        settings=(
            "app.id",
            "store.url",
            "kafka.partitions",
            "kafka.bootstrap",
            "snapshot.folder",
            "topics.inputs_kept",
            "privacy.keys",
        )
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Do it and say what is gone, or look; 1 when something is left.

    Raises BadInput, Unreachable, UnknownOutcome; that also when lanes take too long.
    """
    _require(args)
    if args.scan:
        from streams.commands.scan import scan

        return asyncio.run(scan(settings, args.persons, args.within, topics=not args.no_topics))
    within = 0 if args.no_wait else args.within
    erasure = asyncio.run(_erase(settings, args.persons, within, settle=args.snapshots))
    print(*_told(erasure), sep="\n")
    if erasure.whole:
        former = _with_snapshots(settings, erasure, renew=args.snapshots)
        print(*left_behind(settings, erasure.looked_for, former), sep="\n")
    return 0


def _require(args: argparse.Namespace) -> None:
    """Raises WrongUsage for options that do not go together: who means to look erases nobody by that."""
    problems: list[str] = []
    if args.scan:
        given = {"--snapshots": args.snapshots, "--no-wait": args.no_wait}
        said = "--scan erases nothing; leave one of them out"
        problems += [f"{name}: {said}" for name, is_given in given.items() if is_given]
    elif args.no_topics:
        problems.append("--no-topics: is for --scan, without which the person would be erased; add it")
    elif args.no_wait and args.snapshots:
        problems.append("--snapshots: is done when all lanes have applied it; leave out --no-wait")
    if problems:
        raise WrongUsage(problems)


def left_behind(settings: Settings, ids: Sequence[str], former: int | None) -> Iterator[str]:
    """What still holds these ids, how it goes, and what shows that it has gone.

    `former`: how many snapshots are from before; None: nobody knows of any.
    """
    from streams.privacy.limits import limits_of

    named = " ".join(ids)
    if former is None:
        yield "snapshot.folder is not set: whoever restores a copy of the store must erase them again"
    elif former:
        yield (
            f"{former} snapshots are from before and hold them; who comes back from one is erased. They go "
            f"as new ones are made (snapshot.keep={settings.snapshot.keep}), at once with: "
            f"retarget erase --snapshots {named}"
        )
    if limits_of(settings)[MERGE].most is None:
        yield (
            f"{MERGE} keeps for ever what lanes told each other of them: set snapshot.folder, and "
            f"snapshot.merge_kept to more than 0, then: retarget erase --snapshots {named}"
        )
    yield "topics keep what was told of them until their retention ends"
    yield f"what is left, and until when, exit code 0 where all of it may be: retarget erase --scan {named}"


def _duration(text: str) -> int:
    try:
        return max(parse_duration(text), 1)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def _erase(settings: Settings, names: list[str], within: int, *, settle: bool) -> Erasure:
    from streams.privacy.erasing import Eraser
    from streams.stores import open_store

    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        eraser = Eraser(settings, store, within)
        erasure = await eraser.erase(names[0], names[1:])
        if settle and erasure.whole:
            await eraser.settle()
        return erasure
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
    yield f"{person.name}: erased under {len(erasure.gone)} ids"
    yield from _gone(person)
    for name in (one for one in person.ids if one not in erasure.gone):
        yield f"  {name} is somebody else's by now, and stays theirs"


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


def _with_snapshots(settings: Settings, erasure: Erasure, *, renew: bool) -> int | None:
    """Note who was erased beside the snapshots; how many are from before, None without a folder."""
    from streams.images import copies_of
    from streams.images.erased import Entry

    folder = copies_of(settings)
    if folder is None:
        return None
    oldest = erasure.known - settings.snapshot.erased_kept
    folder.erased().add(erasure.gone, Entry(erasure.asked, erasure.known), oldest)
    if renew:
        _renew(settings, folder, erasure.looked_for)
        return 0
    return len(folder.all())


def _renew(settings: Settings, folder: Folder, ids: Sequence[str]) -> None:
    """Make a snapshot; when it holds nothing of these ids, remove those from before. Raises LaneRefused."""
    from streams.commands.snapshot import by_journal, cut_merge
    from streams.privacy.scanning import Scanner, left_of

    made: Path = asyncio.run(by_journal(settings, folder))
    print(f"made {made}")
    if left := left_of([*Scanner(ids).snapshot(made)]):
        raise LaneRefused(
            f"{made} holds {left[0].name} still ({left[0].what}); nothing is removed: once more"
        )
    for each in folder.tidy(1):
        print(f"removed {each}")
    asyncio.run(cut_merge(settings, folder))
