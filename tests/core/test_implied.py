"""What follows from the rest of a journey: found where it does, kept where it does not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from retarget.journeys import implied, wire
from retarget.journeys.model import Journey, Membership

_FOLDER: Final = Path(__file__).resolve().parents[1] / "fixtures"


def a_journey() -> Journey:
    """Somebody who looked at a great deal and was written to."""
    line = (_FOLDER / "columns-1.jsonl").read_text(encoding="utf-8").splitlines()[0]
    return wire.decode(base64.b64decode(json.loads(line)["journey"]))


def fields_of(journey: Journey) -> list[Any]:
    """As plain lists."""
    fields: list[Any] = msgspec.msgpack.decode(wire.encode(journey)[1:])
    return fields


def put_back(fields: list[Any]) -> list[Any]:
    """The fields after they were put back."""
    implied.put_back(fields)
    return fields


def test_nothing_is_stored_of_ids_that_the_engine_makes() -> None:
    """Of every message and audience of the rules that ship, and of all ids that were seen."""
    journey = a_journey()
    fields = fields_of(journey)
    assert len(journey.sends) > 1
    assert len(journey.audiences) > 1

    implied.leave_out(fields)

    said = msgspec.msgpack.encode(fields).decode("utf-8", "replace")
    assert not [one for one in journey.audiences if one.message_id in said]
    assert not [one for one in journey.sends if one.message_id in said or one.decision_id in said]
    assert journey.recent_marks not in said
    assert put_back(fields) == fields_of(journey)


@pytest.mark.parametrize(
    "name", ["message_id", "decision_id", "subject", "key", "channel", "step", "episode"]
)
def test_what_does_not_follow_is_kept(name: str) -> None:
    """As of a message that was decided for somebody else, or by another build."""
    journey = a_journey()
    other = 9 if name == "step" else "another"
    setattr(journey.sends[0], name, other)
    fields = fields_of(journey)

    implied.leave_out(fields)

    assert journey.sends[0].message_id in str(fields)
    assert put_back(fields) == fields_of(journey)


def test_marks_and_audiences_that_do_not_follow_are_kept() -> None:
    """Marks of other ids; whom a late step put into an audience, or nobody knows what."""
    journey = a_journey()
    journey.recent_marks = journey.recent_marks[1:]
    journey.audiences.append(Membership("list", "rule", "subject", "episode", 1, 0, "elsewhere"))
    fields = fields_of(journey)

    implied.leave_out(fields)

    assert "elsewhere" in str(fields)
    assert put_back(fields) == fields_of(journey)
