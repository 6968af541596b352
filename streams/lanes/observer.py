"""What a lane tells while it works; a worker turns it into metrics, logs and health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Stage = Literal["gather", "load", "step", "commit", "checkpoint"]
Cause = Literal["start", "rebalance", "fenced", "unknown_outcome", "store_changed"]


class Observer:
    """Hears everything and does nothing."""

    def claiming(self, cause: Cause, detail: str) -> None:
        """A claim begins."""

    def gets_on(self, done: str) -> None:
        """A part of a claim is done: of the journal read, of a copy brought back, or a batch repeated."""

    def claimed(self, seconds: float, replayed: int) -> None:
        """A claim is done, after so many replayed batches."""

    def restored(self, sequence: int, source: str) -> None:
        """The store had lost the lane; it has come back, as it was at this sequence."""

    def mismatch(self, sequence: int) -> None:
        """A replayed batch came to other outputs than the journal says."""

    def takes_up(self, bundle: str) -> None:
        """From the next batch on another bundle decides."""

    def waiting(self, service: str, detail: str) -> None:
        """A service does not answer; the lane waits for it."""

    def answered(self, service: str) -> None:
        """The service answers."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """A batch has spent this long in one stage."""

    def batch(self, records: int, counts: Mapping[tuple[str, ...], int], lateness: list[int]) -> None:
        """A batch is in the store. `lateness`: of each wait decided, ms."""

    def state(self, clock: int, held: int, waits: int, frontier: Mapping[str, int]) -> None:
        """Where the lane stands now."""

    def silent(self, *, guarded: bool) -> None:
        """Whether guarded rules pause, for want of purchases."""

    def codes(self, left: Mapping[str, int]) -> None:
        """How many codes of each pool the lane still has to give."""

    def refused(self, why: str) -> None:
        """The lane stands still for good."""
