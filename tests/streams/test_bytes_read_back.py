"""What is read back from store and topics is what the engine wrote, or the lane says that it is not."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
import pytest

from retarget import catalogue
from retarget.errors import Damaged, Rejected
from retarget.journeys import wire
from retarget.lane.intake import Arrival, Intake
from retarget.times import LATEST
from streams.kafka import journal
from streams.lanes import positions
from streams.lanes.bundle import bundle_of
from streams.ports import Record
from streams.settings import load_settings
from streams.topics import FANNED
from tests.factories import NOON

DAMAGED = (b"\x02", b"\x02\xc1", b"\x02\x91\x01", b"\x02\x9a\xa1\xff", b"\x02" + b"\x91" * 2000)


@pytest.mark.parametrize("data", [*DAMAGED, b""], ids=range(len(DAMAGED) + 1))
def test_a_damaged_journey_is_refused_and_never_taken_for_another(data: bytes) -> None:
    """The sentence says that it is damaged, and what to do."""
    with pytest.raises(Damaged, match=r"stored journey is damaged .*[Rr]estore"):
        wire.decode(data)


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (catalogue.decode, b""),
        (catalogue.decode, b"\x01\xc1"),
        (positions.decode, b"\xc1"),
        (positions.decode, b"\x81\xa5clock\xa1x"),
    ],
)
def test_damaged_listings_and_positions_are_refused(decode: Callable[[bytes], object], data: bytes) -> None:
    """The same of what else the store keeps."""
    with pytest.raises(Damaged, match="is damaged"):
        decode(data)


def test_a_journal_record_that_is_not_utf8_is_refused() -> None:
    """The place is named."""
    with pytest.raises(Exception, match="no journal record"):
        journal.decode(Record("journal", 3, 1, None, b'{"sequence": 1, "digest": "\xff"}'))


def intake() -> Intake:
    """A live lane's."""
    settings = load_settings()
    return bundle_of(settings, [], settings.kafka.input_topics).intake(0)


def letter(arrival: Arrival) -> dict[str, object]:
    """The dead letter that an arrival is."""
    assert arrival.event is None
    assert arrival.dead is not None
    found: dict[str, object] = msgspec.json.decode(arrival.dead)
    return found


def test_what_a_stranger_writes_between_the_lanes_is_set_aside() -> None:
    """The lane goes on, and the bytes are kept with their place."""
    found = letter(intake().arrival(FANNED, 7, NOON, b"\xc1 no record"))
    assert (found["reason"], found["topic"], found["offset"]) == ("bad_field", FANNED, 7)
    assert base64.b64decode(str(found["raw"])) == b"\xc1 no record"
    with pytest.raises(Rejected, match="only workers may write"):
        catalogue.unpack(b"")


def event(time: int | None) -> bytes:
    """A view."""
    said = {"type": "view", "user_id": "u"} | ({} if time is None else {"time": time})
    return msgspec.json.encode(said)


def test_a_record_without_a_timestamp_tells_a_live_lane_no_time() -> None:
    """Nothing bounds what time its event may claim, and the clock never goes back."""
    assert letter(intake().arrival("touchpoints", 1, -1, event(LATEST)))["reason"] == "bad_time"
    assert intake().arrival("touchpoints", 1, NOON, event(LATEST)).tells == NOON


def test_a_record_from_after_all_times_is_set_aside() -> None:
    """Its timestamp is no moment that could be written."""
    found = letter(intake().arrival("touchpoints", 1, 2**62, event(None)))
    assert (found["reason"], found["time"]) == ("bad_time", None)
