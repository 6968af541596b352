"""What earlier builds have stored goes on being read: bytes of their time, and what they meant."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import pytest

from retarget.catalogue import listing
from retarget.errors import LaneRefused
from retarget.journeys import wire
from retarget.lane import crossing
from retarget.personal import links
from streams.channels import state
from streams.channels.email.links import Seal
from streams.images import manifest, parts
from streams.kafka import journal
from streams.kafka.shelf import pointer_of
from streams.lanes import positions
from streams.links import tokens
from streams.ports import Record
from streams.sealing import records
from streams.sealing.keys import Wrapping

_SEALED_BY: Final = "of the fixtures, and of nothing else"
_FOLDER: Final = Path(__file__).resolve().parents[1] / "fixtures"
_JOURNEYS: Final = [
    json.loads(line) for line in (_FOLDER / "journeys-2.jsonl").read_text(encoding="utf-8").splitlines()
]
_RECORDS: Final = [
    json.loads(line) for line in (_FOLDER / "records-1.jsonl").read_text(encoding="utf-8").splitlines()
]


def a_manifest(data: bytes) -> manifest.Manifest:
    """That of a snapshot, as it is read from a folder."""
    with TemporaryDirectory() as folder:
        (Path(folder) / manifest.NAME).write_bytes(data)
        return manifest.read(Path(folder))


def a_link(token: bytes) -> links.Link | None:
    """What a message's own link of then leads to."""
    found = tokens.opened(token.decode(), [_SEALED_BY])
    return None if found is None else links.decode(found)


def a_key(kept: bytes) -> str | None:
    """What the key of a person of then makes of a word: it must be the same bytes for ever."""
    key = Wrapping([_SEALED_BY]).opened("ann", kept)
    return None if key is None else key.seal(b"told", "place").hex()


def a_sealed_record(value: bytes) -> Any:  # noqa: ANN401 - any record
    """What was sealed by that key."""
    key, sealed = Wrapping([_SEALED_BY], lambda size: bytes(range(size))), records.read(value)
    known = key.opened("ann", key.new("ann"))
    assert sealed is not None
    assert known is not None
    return msgspec.json.decode(records.opened(sealed, known) or b"null")


DECODERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "journal": lambda data: journal.decode(Record("journal", 0, 0, None, data)),
    "listing": listing.decode,
    "crossing": crossing.unpack,
    "manifest": a_manifest,
    "portion": parts.decode,
    "positions": positions.decode,
    "journey": wire.decode,
    "ledger": lambda data: state.decode(data, "here"),
    "pointer": pointer_of,
}
#: What is sealed, and so cannot get fields.
SEALED: Final[dict[str, Callable[[bytes], Any]]] = {
    "link": a_link,
    "leaver": lambda data: Seal(_SEALED_BY, "https://shop.example").read(data.decode()),
    "key": a_key,
    "sealed record": a_sealed_record,
}


def _positions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / "positions-1.json").read_text(encoding="utf-8"))
    return found


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
    stored = _positions()
    found = positions.decode(base64.b64decode(stored["meta"]))

    assert begins_with(json.loads(msgspec.json.encode(found)), stored["means"])


@pytest.mark.parametrize("stored", _RECORDS, ids=[f"{n}-{each['form']}" for n, each in enumerate(_RECORDS)])
def test_records_of_the_first_version_mean_what_they_meant(stored: dict[str, Any]) -> None:
    """The journal, snapshots, ledgers of channels, links in people's mailboxes ... of November 2026."""
    found = (DECODERS | SEALED)[stored["form"]](base64.b64decode(stored["stored"]))

    assert begins_with(json.loads(msgspec.json.encode(found)), stored["means"])


def of_a_later_build(form: str, data: bytes) -> bytes:
    """The bytes with a field at the end that this build does not know."""
    head, text = (data[:1], data[1:]) if form in ("journey", "listing") else (b"", data)
    if form in ("journal", "manifest", "pointer"):
        return msgspec.json.encode({**msgspec.json.decode(text), "later": 1})
    value = msgspec.msgpack.decode(text)
    return head + msgspec.msgpack.encode([*value, 1] if isinstance(value, list) else {**value, "later": 1})


@pytest.mark.parametrize("form", sorted(DECODERS))
def test_what_a_later_build_adds_is_passed_over(form: str) -> None:
    """So that a worker that is not restarted yet can take over a lane from one that is."""
    written = {one["form"]: one["stored"] for one in _RECORDS} | {"positions": _positions()["meta"]}
    journey = wire.encode(wire.decode(base64.b64decode(_JOURNEYS[0]["journey"])))
    data = journey if form == "journey" else base64.b64decode(written[form])

    assert of_a_later_build(form, data) != data
    assert DECODERS[form](of_a_later_build(form, data)) == DECODERS[form](data)


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_another_version_is_refused_by_name(version: int) -> None:
    """Never read by guess: the lane stands and names the version."""
    data = base64.b64decode(_JOURNEYS[0]["journey"])

    with pytest.raises(LaneRefused, match=rf"has version {version} but this build reads version 2"):
        wire.decode(bytes([version]) + data[1:])
