"""People in the store of an engine."""

from __future__ import annotations

from retarget.journeys import wire
from retarget.journeys.model import Consent, Journey
from streams.ports import Checkpoint
from streams.stores import open_store
from streams.topics import lane_of


def granted(person: str) -> Journey:
    """Somebody who has agreed to everything."""
    return Journey(person=person, recent_marks="x", consents={"*|*": Consent(granted=True, at=1)})


async def store_people(url: str, lanes: int, *journeys: Journey, app_id: str = "retarget") -> None:
    """Let the lanes know these people."""
    store = await open_store(url, app_id, lanes)
    try:
        for lane in range(lanes):
            written = [
                (one.person, wire.encode(one)) for one in journeys if lane_of(one.person, lanes) == lane
            ]
            before = (await store.image(lane)).sequence
            await store.checkpoint(
                lane, Checkpoint(expected=before, then=before + 1, meta=b"m", journeys=written)
            )
    finally:
        await store.close()
