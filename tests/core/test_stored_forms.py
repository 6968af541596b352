"""What earlier builds have stored goes on being read: bytes of their time, and what they meant."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from retarget.errors import LaneRefused
from retarget.journeys import wire
from streams.lanes import positions

_FOLDER: Final = Path(__file__).resolve().parents[1] / "fixtures"
_JOURNEYS: Final = [
    json.loads(line) for line in (_FOLDER / "journeys-2.jsonl").read_text(encoding="utf-8").splitlines()
]


def begins_with(now: Any, then: Any) -> bool:  # noqa: ANN401 - any plain value
    """Whether `now` says all that `then` said; records may have got fields at their end since."""
    if isinstance(then, list) and isinstance(now, list):
        return len(now) >= len(then) and all(map(begins_with, now, then))
    if isinstance(then, dict) and isinstance(now, dict):
        return then.keys() <= now.keys() and all(begins_with(now[key], then[key]) for key in then)
    return bool(now == then)


@pytest.mark.parametrize("stored", _JOURNEYS, ids=[each["person"] for each in _JOURNEYS])
def test_journeys_of_version_2_mean_what_they_meant(stored: dict[str, Any]) -> None:
    """Those of November 2026: every field of that time, and they can be stored again."""
    journey = wire.decode(base64.b64decode(stored["journey"]))

    assert begins_with(json.loads(msgspec.json.encode(journey)), stored["means"])
    assert wire.decode(wire.encode(journey)) == journey


def test_positions_of_version_1_mean_what_they_meant() -> None:
    """Those of November 2026."""
    stored = json.loads((_FOLDER / "positions-1.json").read_text(encoding="utf-8"))
    found = positions.decode(base64.b64decode(stored["meta"]))

    assert begins_with(json.loads(msgspec.json.encode(found)), stored["means"])


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_another_version_is_refused_by_name(version: int) -> None:
    """Never read by guess: the lane stands and names the version."""
    data = base64.b64decode(_JOURNEYS[0]["journey"])

    with pytest.raises(LaneRefused, match=rf"has version {version} but this build reads version 2"):
        wire.decode(bytes([version]) + data[1:])
