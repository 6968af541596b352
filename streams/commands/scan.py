"""`retarget erase --scan`: what is left of somebody, looked for everywhere, within a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from retarget.times import format_duration, format_time
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.images import Folder
    from streams.privacy.limits import Verdict
    from streams.privacy.scanning import Find, Scanner

# The exit code when something is found that should not be there, or not everything was looked at.
FOUND: Final = 1


async def scan(settings: Settings, names: list[str], within: int, *, topics: bool) -> int:
    """Say what is left of these ids, in at most `within` ms; the exit code.

    Raises BadInput, LaneRefused, Unreachable, UnknownOutcome.
    """
    from streams.images import copies_of
    from streams.privacy.scanning import Scanner

    begun = time.monotonic()
    until = begun + within / 1000
    scanner, folder = Scanner(names, until), copies_of(settings)
    clean = await _store(settings, scanner, until)
    clean &= await _snapshots(scanner, folder)
    if topics:
        clean &= await _topics(settings, names, until)
    print(f"looked for {time.monotonic() - begun:.1f} s, of {format_duration(within)}")
    return 0 if clean else FOUND


async def _store(settings: Settings, scanner: Scanner, until: float) -> bool:
    from streams.stores import open_store

    where = f"store, {settings.kafka.partitions} lanes"
    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        async with asyncio.timeout(until - time.monotonic()):
            return _left(await scanner.store(store, settings.kafka.partitions), where)
    except TimeoutError:
        return _not_whole(where)
    finally:
        await store.close()


async def _snapshots(scanner: Scanner, folder: Folder | None) -> bool:
    if folder is None:
        print("snapshots: snapshot.folder is not set; copies elsewhere are not looked at")
        return True
    where = f"{len(folder.everything())} snapshots"
    try:
        return _left(await asyncio.to_thread(scanner.snapshots, folder), where)
    except TimeoutError:
        return _not_whole(where)


def _not_whole(where: str) -> bool:
    print(f"{where}: not looked through in time; give more with --within")
    return False


def _left(found: Sequence[Find], where: str) -> bool:
    """Say what was found in one place, or that nothing was; whether it was nothing."""
    from streams.privacy.scanning import left_of

    marks = {one.name for one in found if one.is_mark}
    rest = left_of(found)
    others = {one.name for one in found if one.leads_on and one not in rest}
    stays = f"; of {len(marks)} ids that they were erased" if marks else ""
    stays += f"; {len(others)} ids are somebody else's device by now" if others else ""
    print(f"{where}: {f'{len(rest)} finds' if rest else 'nothing'}{stays}")
    print("".join(f"  {one.place}: {one.name}: {one.what}\n" for one in rest), end="")
    return not rest


async def _topics(settings: Settings, names: list[str], until: float) -> bool:
    """Say what the topics hold and until when; whether all of it may be there, and all was read."""
    from streams.clocks import now_ms
    from streams.kafka.address import address_of
    from streams.privacy.limits import by_topic, judge
    from streams.privacy.sweeping import sweep
    from streams.sealing.reading import opening_of

    limits = by_topic(settings)
    swept = await sweep(address_of(settings), [*limits], names, until)
    async with opening_of(settings) as opening:
        found = [
            await judge(topic, swept.found[topic], limit, swept.retention.get(topic), now_ms(), opening)
            for topic, limit in limits.items()
            if topic in swept.found
        ]
    wrong = sum(len(one.wrong) for one in found) + len(swept.unread)
    print(f"topics: {f'records in {len(found)}' if found else 'nothing'}, {_verdict(wrong)}")
    for one in found:
        print(*_told(one), sep="\n")
    print(
        "".join(f"  not read in time: {place}; give more with --within\n" for place in swept.unread), end=""
    )
    return not wrong


def _verdict(wrong: int) -> str:
    return f"{wrong} finds" if wrong else "no find"


def _told(one: Verdict) -> Iterator[str]:
    from streams.topics import KEYS

    said = [f"  {one.topic}: {one.records} from {format_time(one.first)} to {format_time(one.last)}"]
    if one.topic == KEYS:
        said.append(f"{one.records - one.sealed} with a key, until compacted (a day), others without")
    elif one.sealed:
        said.append(f"{one.sealed} of them sealed by a key that is gone")
    if one.until is not None and not one.wrong:
        said.append(f"to be read until {format_time(one.until)} at the latest ({one.setting})")
    yield ", ".join(said)
    yield from (f"    {line}" for line in one.wrong)
