"""What a run leaves behind: one JSON line for the run's parts, one for each fault, one for the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

RESULTS: Final = Path(__file__).resolve().parents[1] / "results" / "chaos"


class Began(msgspec.Struct, kw_only=True, tag="began"):
    """The circumstances. `layout`: pair or cluster; `rate` in events a second; `spared`: no fault ends it."""

    seed: int
    minutes: float
    layout: str
    rate: float
    date: str
    commit: str
    versions: dict[str, str]
    spared: str = ""
    emit: str = "transactional"
    clock: str = "events"  # what moves lanes: events alone, or the wall clock as well


class Weight(msgspec.Struct, frozen=True, array_like=True):
    """What a worker process holds at a moment: resident memory in MiB, open file descriptors."""

    name: str
    pid: int
    memory_mib: float
    files: int


class Happened(msgspec.Struct, kw_only=True, tag="fault"):
    """One fault: `at_s` s into the run, over `took_s` later; each lane was back `lanes_s` after that.

    `workers`: what each of them held when all was as before.
    """

    number: int
    kind: str
    hit: str
    at_s: float
    took_s: float
    recovered_s: float
    lanes_s: list[float]
    noted: list[str]
    workers: list[Weight] = []


class Ended(msgspec.Struct, kw_only=True, tag="verdict"):
    """The end: what was compared, and every difference; none is the wanted verdict.

    `repeats`: records that consumers drop by their headers, where there are no transactions; `by_wall`:
    batches with outputs that the wall clock alone brought about; `stored`: what was compared in the store.
    """

    events: int
    outputs: int
    faults: int
    lasted_s: float
    differences: list[str]
    repeats: int = 0
    by_wall: int = 0
    stored: int = 0


Line = Began | Happened | Ended


class RunLog:
    """A file that takes the lines as they come."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        path.write_bytes(b"")

    def add(self, line: Line) -> None:
        """One more line."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def read(path: Path) -> list[Line]:
    """The lines of one run. Raises msgspec.ValidationError."""
    decoder = msgspec.json.Decoder(Line)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]
