"""What a snapshot says of itself, as JSON beside its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from retarget.errors import BadInput, LaneRefused
from retarget.journeys import wire

SCHEMA: Final = 1
NAME: Final = "manifest.json"


class LaneEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One lane: at which sequence it was copied, and the file that holds it."""

    lane: int
    sequence: int
    journal: int  # the offset of the journal at which a replay goes on
    meta: bytes  # positions, as the store keeps them; in JSON base64
    pauses: dict[str, int]  # kill switches in force: rule or channel -> since, epoch ms
    people: int
    waits: int
    file: str
    size: int  # of the file, bytes
    digest: str  # blake2b of the file, 32 hex digits


class Manifest(msgspec.Struct, kw_only=True, frozen=True):
    """A whole snapshot."""

    app: str
    partitions: int
    at: str  # when it was begun, RFC 3339
    lanes: list[LaneEntry]
    retarget: str  # the version that wrote it
    journeys: int = wire.VERSION
    schema: int = SCHEMA


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Manifest)


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON for people and programs."""
    return msgspec.json.format(_encoder.encode(manifest), indent=2) + b"\n"


def read(folder: Path) -> Manifest:
    """The manifest of a snapshot. Raises BadInput for none, LaneRefused for one of a newer build."""
    path = folder / NAME
    try:
        found = _decoder.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInput([f"{path}: is no manifest of a snapshot ({error})"]) from error
    if found.schema > SCHEMA or found.journeys > wire.VERSION:
        raise LaneRefused(
            f"{path}: retarget {found.retarget} wrote it in a newer form than this build reads; deploy that "
            f"version, or move the snapshot away"
        )
    return found
