"""A trial: an input read and split, worked through, and what came out as a report."""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from retarget.errors import BadInput
from streams.backtest.parts import Progress
from streams.backtest.pool import PARTS, OnTrial, backtest
from streams.backtest.reading import NO_TIME, of_files
from streams.backtest.report import Report, Speed
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import Part, Splitting, Together
from streams.files import FileEvent

# A bar moves once for so many records.
TOLD_EVERY: Final = 1_000

Bar = Callable[[str, int | None], AbstractContextManager[Progress]]


class Source(Protocol):
    """Where the touchpoints come from."""

    name: str

    def split(
        self, folder: Path, parts: int, is_nobody: Callable[[str], bool], bar: Bar, sharing: Sharing
    ) -> tuple[list[Part | Together], Splitting]:
        """Read all of it and split it, into about so many parts where people share nothing."""


class Files:
    """Events of files: one lane, sorted by time unless `as_is`."""

    def __init__(self, name: str, events: Iterator[FileEvent], lateness: int, *, as_is: bool) -> None:
        self.name = name
        self._events, self._lateness, self._as_is = events, lateness, as_is

    def split(
        self, folder: Path, parts: int, is_nobody: Callable[[str], bool], bar: Bar, sharing: Sharing
    ) -> tuple[list[Part | Together], Splitting]:
        """Read the files. Raises BadInput for what is wrong with one."""
        splitting = Splitting(
            folder, lanes=1, parts=parts, by_time=not self._as_is, is_nobody=is_nobody, sharing=sharing
        )
        with bar("records read", None) as done:
            for told in of_files(self._events):
                splitting.add(told)
                if splitting.read % TOLD_EVERY == 0:
                    done(TOLD_EVERY)
        # At the end of the input the clock is set to the last event.
        return splitting.close(ahead=self._lateness, at_least=NO_TIME), splitting


def run_trial(on_trial: OnTrial, source: Source, *, jobs: int, bar: Bar) -> Report:
    """Try rules on the source. Raises BadInput for input, changed rules, a disk that is full."""
    plan, shared = on_trial.plan, on_trial.shared
    with tempfile.TemporaryDirectory(prefix="retarget-backtest-") as name, _room(name):
        started = time.monotonic()
        sharing = max(shared.values(), default=Sharing.PERSON)
        parts, splitting = source.split(Path(name), PARTS, on_trial.rules.policy.is_nobody, bar, sharing)
        on_trial = on_trial.over(splitting.lanes)
        records = sum(part.entries for part in parts) * (1 if plan.against is None else 2)
        read = time.monotonic()
        with bar("records worked off", records) as done:
            outcome = backtest(on_trial, parts, Path(name), jobs=jobs, progress=done)
        speed = Speed(reading_s=read - started, working_s=time.monotonic() - read, jobs=jobs, events=records)
    return Report(
        source=source.name,
        rules=str(plan.rules),
        against=None if plan.against is None else str(plan.against),
        records=splitting.records,
        unusable=dict(splitting.unusable),
        shared=sorted(shared),
        outcome=outcome,
        speed=speed,
    )


@contextmanager
def _room(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        remedy = "a backtest needs about twice the room of its input; TMPDIR names another place"
        raise BadInput([f"{folder}: no space left; {remedy}"]) from error
