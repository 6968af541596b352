"""Inputs cut into parts, and the same input in one piece: what a backtest and a lane make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from retarget.decode import decode_canonical
from streams.backtest.history import told_of
from streams.backtest.parts import run_part
from streams.backtest.reading import Told
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import NEVER, Splitting
from streams.lanes.bundle import Bundle, bundle_of
from streams.ports import Output, Record
from streams.replaying import LISTED, TOPIC, work_through
from streams.settings import load_settings
from streams.topics import FANNED
from tests.core.shop import shipped


def a_bundle(*settings: str) -> Bundle:
    """The shipped rules for people who have agreed."""
    given = ("clock.now=event", "consent.assume=granted", *settings)
    return bundle_of(load_settings(None, {}, given), shipped(), [TOPIC])._replace(
        decoders={TOPIC: decode_canonical}
    )


class Pieces:
    """A Feed over records as they are."""

    def __init__(self, records: Sequence[Record], caught_up_at: int) -> None:
        self._records, self._end = list(records), caught_up_at

    async def start(self, frontier: dict[str, int]) -> None:
        """From the beginning."""

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:  # noqa: ARG002
        """The next records of one topic: those of several would be put into another order."""
        taken = list(takewhile(lambda r: r.topic == self._records[0].topic, self._records[:records]))
        self._records = self._records[len(taken) :]
        return taken

    def caught_up_at(self) -> int | None:
        """Where the clock ends."""
        return None if self._records or self._end < 0 else self._end


def in_one(records: Sequence[Record], bundle: Bundle, caught_up_at: int) -> list[Output]:
    """What one lane makes of the records."""
    found: list[Output] = []
    asyncio.run(work_through(Pieces(records, caught_up_at), bundle, found.append))
    return found


def in_parts(  # noqa: PLR0913 - how a backtest may be cut
    told: Sequence[Told],
    bundle: Bundle,
    parts: int,
    *,
    by_time: bool,
    ahead: int,
    at_least: int = -1,
    idle_after: int = NEVER,
    sharing: Sharing = Sharing.PERSON,
) -> list[Output]:
    """What the parts make of them, one after the other."""
    found: list[Output] = []
    with TemporaryDirectory() as folder:
        splitting = Splitting(
            Path(folder), lanes=1, parts=parts, by_time=by_time, idle_after=idle_after,
            is_nobody=bundle.policy.is_nobody, sharing=sharing,
        )  # fmt: skip
        for one in told:
            splitting.add(one)
        for part in splitting.close(ahead=ahead, at_least=at_least):
            run_part(part, bundle, found.append, lambda _: None)
    return found


def told_to_lane(records: Sequence[Record], bundle: Bundle) -> list[Told]:
    """What they tell, with the catalogue's in the topic that has them for every lane."""
    intake = bundle._replace(listed=bundle.listed._replace(topic=FANNED)).intake(0)
    live = [replace(record, topic=FANNED) if record.topic == LISTED else record for record in records]
    return [told_of(0, r, intake.arrival(r.topic, r.offset, r.timestamp, r.value)) for r in live]


def by_person(outputs: Sequence[Output]) -> dict[bytes, list[tuple[str, bytes]]]:
    """Each person's outputs in their order."""
    found: dict[bytes, list[tuple[str, bytes]]] = {}
    for output in outputs:
        found.setdefault(output.key, []).append((output.topic, output.value))
    return found
