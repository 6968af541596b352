"""What a replay keeps of people, as JSON lines: journeys as the store has them, and waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from retarget.errors import BadInput, Damaged, LaneRefused
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import format_time, parse_time
from streams.stores.memory import MemoryStore


class Kept(NamedTuple):
    """One person; `wait` is when the lane looks at them again, epoch ms, None for never."""

    journey: Journey
    wait: int | None


class _Line(msgspec.Struct):
    person: str
    wait: str | None
    journey: bytes  # in JSON base64


_BESIDE: Final = ".journeys"
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Line)


def beside(decisions: str | None) -> str | None:
    """Where a replay keeps journeys that writes its decisions to this file; None beside a pipe or device."""
    if not decisions or decisions == "-" or (Path(decisions).exists() and not Path(decisions).is_file()):
        return None
    return f"{decisions}{_BESIDE}"


def newest(folder: Path) -> str | None:
    """The file of decisions that a replay has written into this folder last, with journeys beside it."""
    written = [path for path in folder.glob(f"*{_BESIDE}") if path.with_suffix("").is_file()]
    return str(max(written, key=lambda path: path.stat().st_mtime).with_suffix("")) if written else None


def kept_lines(store: MemoryStore, lane: int) -> Iterator[bytes]:
    """A line for each person of that lane, in the order of their names."""
    for person, journey, wait in store.everyone(lane):
        yield _encoder.encode(_Line(person, None if wait is None else format_time(wait), journey)) + b"\n"


def find_kept(lines: Iterable[tuple[str, bytes]], person: str) -> Kept | None:
    """That person among (place, line), None if absent; BadInput names the place of a line that is none."""
    for place, line in lines:
        try:
            found = _decoder.decode(line)
            if found.person == person:
                return Kept(wire.decode(found.journey), parse_time(found.wait) if found.wait else None)
        except (ValueError, RecursionError, Damaged) as error:
            problem = f"{place}: is no journey; expected what `retarget replay --journeys` writes"
            raise BadInput([problem]) from error
        except LaneRefused as error:
            raise BadInput([f"{place}: {error}"]) from error
    return None
