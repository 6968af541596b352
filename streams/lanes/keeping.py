"""Keeping: what of a lane the store keeps after a batch, and how a lane begins from that."""

from __future__ import annotations

from msgspec.structs import replace

from retarget import catalogue
from retarget.journeys import wire
from retarget.lane.batch import Batch
from retarget.lane.lane import Lane
from streams.lanes import positions
from streams.lanes.positions import Positions
from streams.ports import Checkpoint


def positions_after(lane: Lane, batch: Batch, before: Positions, *, journal: int) -> Positions:
    """Where the lane stands after a batch, whose journal record lies before `journal`."""
    return Positions(
        incarnation=before.incarnation,
        clock=batch.clock,
        frontier=before.frontier | batch.frontier,
        held=lane.hold.ranges(),
        paced=dict(lane.paced),
        drawn=dict(lane.drawn),
        risen=dict(lane.risen),
        granted=dict(lane.granted),
        short=dict(lane.short),
        fanned=dict(lane.fanned),
        has_listings=lane.has_listings,
        spreads=list(lane.spreads),
        heard=dict(lane.heard),
        sent=lane.sent,
        crossed=dict(lane.crossed),
        journal=journal,
    )


def put_back(lane: Lane, kept: Positions) -> None:
    """Let a new lane stand where these positions say; its hold is read again by whoever has the input."""
    lane.clock = kept.clock
    lane.paced, lane.heard = dict(kept.paced), dict(kept.heard)
    lane.drawn = dict(kept.drawn)
    lane.risen, lane.granted, lane.short = dict(kept.risen), dict(kept.granted), dict(kept.short)
    lane.fanned, lane.has_listings = dict(kept.fanned), kept.has_listings
    lane.spreads = [replace(spread) for spread in kept.spreads]
    lane.sent, lane.crossed = kept.sent, dict(kept.crossed)


def checkpoint_of(batch: Batch, expected: int, after: Positions) -> Checkpoint:
    """Everything that a batch changes in the store, where the sequence must be `expected`."""
    return Checkpoint(
        expected=expected,
        meta=positions.encode(after),
        journeys=[(person, wire.encode(journey)) for person, journey in batch.changed.items()],
        forgotten=batch.forgotten,
        waits=[(person, due) for person, due in batch.waits.items() if due is not None],
        unwaited=[person for person, due in batch.waits.items() if due is None],
        listings=[(product, catalogue.encode(listing)) for product, listing in batch.listed.items()],
        following=_changed(batch, follows=True),
        unfollowing=_changed(batch, follows=False),
    )


def _changed(batch: Batch, *, follows: bool) -> list[tuple[str, str]]:
    return [
        (product, person)
        for product, persons in batch.following.items()
        for person, has_come in persons.items()
        if has_come is follows
    ]
