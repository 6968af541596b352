"""`retarget explain`: a person's timeline, from the store and the decisions, and what could have been."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from retarget.errors import BadInput, Unreachable
from retarget.journeys.model import Journey
from retarget.rules.names import unknown
from streams.commands import what_if
from streams.commands.past import overrides
from streams.explaining import Entry, Said, of_person, plain, rules_in, summary, timeline
from streams.kept import beside, find_kept, newest
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.connection import KafkaAddress

__all__ = ["add", "overrides", "run"]


class _Known(NamedTuple):
    """What is known of a person."""

    journey: Journey | None
    wait: int | None
    decisions: Sequence[Said]
    side: str = ""  # of the canary under way, in words


_FILES: Final = "what `retarget replay --decisions FILE` wrote is read with --decisions FILE"


def add(parser: argparse.ArgumentParser) -> None:
    """Who, which rule, in which form."""
    parser.add_argument("person", metavar="PERSON", help="user_id, or anonymous_id while there is none")
    parser.add_argument("--rule", help="only this rule")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--decisions",
        metavar="FILE",
        help="the decisions that `retarget replay --decisions FILE` wrote, instead of store and Kafka",
    )
    parser.add_argument(
        "--journeys",
        metavar="FILE",
        help="the journeys that `retarget replay` wrote, for what is waiting "
        "(default: FILE.journeys beside the decisions, if it is there)",
    )
    what_if.add(parser)
    parser.set_defaults(
        settings=("kafka.bootstrap", "kafka.partitions", "store.url", "app.id", "rules.dir", "clock.lateness")
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print it. Raises BadInput when nothing is known of the person, Unreachable."""
    what_if.require(args)
    if args.what_if:
        return what_if.run(settings, args, _recorded(args) if args.decisions else None)
    known = _known(settings, args)
    journey, decisions = known.journey, known.decisions
    where, remedy = args.decisions or args.journeys, ""
    if not where:
        where = f"the store and the decisions of app.id {settings.app.id}"
        remedy = f"; {_FILES}"
    if journey is None and not decisions:
        raise BadInput([f"nothing is known of {args.person!r} in {where}; ids are compared exactly{remedy}"])
    seen = rules_in(journey, decisions)
    if args.rule and args.rule not in seen:
        raise BadInput([unknown(f"rule for {args.person}:", args.rule, seen)])
    _print(args, known)
    return 0


def _known(settings: Settings, args: argparse.Namespace) -> _Known:
    """What the files named tell, or store and Kafka, or what a replay has left in this folder."""
    if not (args.decisions or args.journeys):
        try:
            return _asked(settings, args.person)
        except Unreachable as error:
            args.decisions = newest(Path()) if settings.sources.get("store.url") == "default" else None
            if args.decisions is None:
                raise
            print(f"{error}\nshown instead: the replay in {args.decisions}", file=sys.stderr)
    args.journeys = args.journeys or _found_beside(args.decisions)
    return _filed(args)


def _recorded(args: argparse.Namespace) -> Callable[[Collection[str]], Sequence[Said]]:
    """The decisions of a file that are about these ids: nothing else is run again."""
    return lambda names: of_person(_written(args), set(names))


def _print(args: argparse.Namespace, known: _Known) -> None:
    journey, wait, decisions, side = known
    about = [*(summary(journey) if journey else ()), *([side] if side else ())]
    happened, waiting = timeline(journey, wait, decisions, args.rule)
    told = args.journeys or not args.decisions
    if args.json:
        print(json.dumps({
            "person": args.person,
            "known": about,
            "happened": [plain(entry) for entry in happened],
            "waiting": [plain(entry) for entry in waiting] if told else None,
            "decisions": [said for said in decisions if args.rule in (None, said["rule"])],
        }, ensure_ascii=False, indent=1))  # fmt: skip
        return
    print(args.person, *(f"  {line}" for line in about), sep="\n")
    _section("what happened", happened)
    if not told:
        print(
            "\nwhat is waiting: a file of decisions does not say; the journeys do, which `retarget replay` "
            "leaves beside it (--journeys FILE)"
        )
    else:
        _section("what is waiting", waiting)


def _section(title: str, entries: Sequence[Entry]) -> None:
    print(f"\n{title}{'' if entries else ': nothing'}")
    for entry in entries:
        print(f"  {plain(entry)['at']}  {entry.kind:<8}  {entry.text}")
        for detail in entry.details:
            print(f"      {detail}")


def _filed(args: argparse.Namespace) -> _Known:
    """What the files of a replay tell of the person."""
    kept = find_kept(_lines(args.journeys), args.person) if args.journeys else None
    names = {args.person, *(_names(kept.journey) if kept else ())}
    journey, wait = kept or (None, None)
    return _Known(journey, wait, of_person(_written(args), names))


def _written(args: argparse.Namespace) -> Iterator[Said]:
    """The decisions of the file, if one was named."""
    return (_decision(line, place) for place, line in (_lines(args.decisions) if args.decisions else ()))


def _found_beside(decisions: str | None) -> str | None:
    journeys = beside(decisions)
    return journeys if journeys and Path(journeys).is_file() else None


def _lines(path: str) -> Iterator[tuple[str, bytes]]:
    """Each line with its place."""
    try:
        with open(path, "rb") as lines:  # noqa: PTH123 - also /dev/stdin
            for number, line in enumerate(lines, 1):
                yield f"{path}:{number}", line
    except OSError as error:
        raise BadInput([f"{path}: cannot be read: {error.strerror}"]) from error


def _decision(line: str | bytes, place: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
        if {"person", "rule", "outcome", "due", "decided_at", "step", "subject"} <= said.keys():
            return dict(said)
    except (ValueError, AttributeError, RecursionError):
        pass
    raise BadInput([f"{place}: is no decision; expected what `retarget replay --decisions` writes"])


def _names(journey: Journey) -> set[str]:
    """The ids under which decisions about somebody may stand."""
    return {*filter(None, (journey.user_id, journey.anonymous_id))}


def _asked(settings: Settings, person: str) -> _Known:
    """What store and Kafka tell of the person."""
    try:
        return asyncio.run(_stored(settings, person))
    except Unreachable as error:
        error.add_note(_FILES)
        raise


async def _stored(settings: Settings, person: str) -> _Known:
    from retarget.journeys import wire
    from streams.kafka.address import address_of
    from streams.stores import open_store
    from streams.topics import partition_of

    lanes = settings.kafka.partitions
    lane = partition_of(person.encode(), lanes)
    store = await open_store(settings.store.url, settings.app.id, lanes)
    try:
        data, wait = await store.journey(lane, person), await store.wait_of(lane, person)
    finally:
        await store.close()
    journey = wire.decode(data) if data else None
    names = {person, *(_names(journey) if journey else ())}
    decisions = await _decisions(settings, address_of(settings), names)
    return _Known(journey, wait, decisions, await _side(settings, person))


async def _side(settings: Settings, person: str) -> str:
    """On which side of a canary the person is, in words; empty without one, or where nothing is published."""
    from streams.commands.rules import shelf_of
    from streams.lanes.publication import rollout_of, rules_of
    from streams.lanes.rollout import part
    from streams.lanes.shelved import content_of

    try:
        async with shelf_of(settings) as shelf:
            if shelf.published is None:
                return ""
            bundle = shelf.published.bundle
            content = content_of(shelf, bundle)
            rules, rollout = rules_of(bundle, content), rollout_of(bundle, content)
    except BadInput:
        return ""
    if not rollout.canary:
        return ""
    drawn = part(rules, rollout.canary, rollout.share)
    inside = drawn.has(person, content.settings["hold_out.salt"])
    said = "inside: the new rules decide" if inside else "outside: they are in shadow"
    return f"{drawn.name}, {drawn.share * 100:g} % of the people: {said}"


async def _decisions(settings: Settings, address: KafkaAddress, names: set[str]) -> Sequence[Said]:
    """The decisions about these ids. Raises BadInput where there are none of anybody."""
    from contextlib import aclosing

    from streams.kafka.inventory import partitions_of_topic
    from streams.privacy.topics import under
    from streams.sealing.reading import as_far_as_opened
    from streams.topics import DECISIONS

    partitions = await partitions_of_topic(address, DECISIONS)
    async with aclosing(under(address, {DECISIONS: partitions}, names)) as told:
        found = [seen async for seen in told]
    values = await as_far_as_opened(settings, [seen.value or b"" for seen in found])
    places = (f"{DECISIONS}[{seen.partition}] at {seen.offset}" for seen in found)
    return [_decision(value, place) for value, place in zip(values, places, strict=True)]
