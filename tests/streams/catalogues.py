"""Made-up catalogues: records beside a history, and what tells of prices and stock among its events."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from retarget.catalogue import Fanned, pack, read_record
from retarget.times import DAY, HOUR, MINUTE
from streams.files import FileEvent
from streams.ports import Record
from streams.replaying import LISTED

Event = dict[str, Any]
_MAX_BYTES: Final = 10_000
_AFTER: Final = st.sampled_from([0, 0, 1, -1, MINUTE, HOUR, DAY, -DAY, 40 * DAY])
_PRODUCTS: Final = st.sampled_from(["p1", "p1", "p1", "p2", "p5"])
_TELLS: Final = st.fixed_dictionaries(
    {},
    optional={
        "price": st.sampled_from([0, 5, 20, 50]),
        "stock": st.sampled_from([0, 1, 3, 9]),
        "margin": st.sampled_from([0.5, 2]),
        "name": st.just("as the catalogue has it"),
    },
)


@st.composite
def catalogues(draw: st.DrawFn, events: list[Event], most: int = 12) -> list[Event]:
    """Records of the catalogue around the times of the events."""
    times = [event["time"] for event in events]
    return [
        {"product_id": draw(_PRODUCTS), "time": max(draw(st.sampled_from(times)) + draw(_AFTER), 0)} | said
        for said in draw(st.lists(_TELLS.filter(bool), max_size=most if times else 0))
    ]


@st.composite
def with_changes(draw: st.DrawFn, events: list[Event]) -> list[Event]:
    """The events with changes of price and stock among them, each behind one of about the same time."""
    found = list(events)
    for number in range(draw(st.integers(0, 5)) if events else 0):
        place = draw(st.integers(0, len(found) - 1))
        kind, amount = draw(st.sampled_from([("price_change", "price"), ("stock_change", "quantity")]))
        item = {"product_id": draw(_PRODUCTS), amount: draw(st.sampled_from([0, 3, 5, 20]))}
        time = max(found[place]["time"] + draw(st.sampled_from([0, 0, 1, MINUTE])), 0)
        found.insert(place + 1, {"type": kind, "id": f"c{number}", "time": time, "items": [item]})
    return found


@st.composite
def with_catalogue_records(draw: st.DrawFn, records: list[Record], events: list[Event]) -> list[Record]:
    """A lane's records with those of a catalogue anywhere between them, in its order, the last ones twice."""
    stamped = []
    for number, said in enumerate(draw(catalogues(events))):
        timestamp = said.pop("time") if draw(st.booleans()) else said["time"] + HOUR
        stamped.append((timestamp, pack(Fanned(number % 3, number, None, msgspec.json.encode(said)))))
    stamped += stamped[draw(st.integers(0, len(stamped))) :]
    places = sorted(draw(st.integers(0, len(records))) for _ in stamped)
    listed = [Record(LISTED, n, timestamp, None, value) for n, (timestamp, value) in enumerate(stamped)]
    found: list[Record] = []
    for place, record in enumerate([*records, None]):
        found += [one for one, at in zip(listed, places, strict=True) if at == place]
        found += [record] if record is not None else []
    return found


def in_a_catalogue(records: list[Event]) -> list[FileEvent]:
    """The records as the lines of a catalogue's file."""
    lines = [msgspec.json.encode(record) for record in records]
    return [
        FileEvent("listed", n, read_record(raw, None, _MAX_BYTES), raw, listed=True)
        for n, raw in enumerate(lines, start=1)
    ]
