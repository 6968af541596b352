"""Whether a worker that lives through a long run grows: its resident memory and its open file descriptors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.chaos.records import Happened, Weight
from tests.e2e.harness import WorkerProcess

#: The first quarter of the run is for warming up; the last may be above the second by so much.
GROWTH: Final = 0.10
_QUARTERS: Final = 4
_MIB: Final = 1024


class Soaked(NamedTuple):
    """One measure of the spared worker: the median of each quarter of the run, and the most."""

    what: str
    quarters: Sequence[float]
    most: float

    @property
    def growth(self) -> float:
        """By which share the last quarter is above the second; below 0: it shrank."""
        return self.quarters[-1] / self.quarters[1] - 1

    @property
    def flat(self) -> bool:
        """Whether that is within the bound."""
        return self.growth <= GROWTH

    def __str__(self) -> str:
        """All of it in a line."""
        quarters = ", ".join(f"{quarter:g}" for quarter in self.quarters)
        judged = "flat" if self.flat else "GROWING"
        return f"{self.what}: {quarters} by quarter, {self.most:g} at most; {self.growth:+.1%}: {judged}"


def weigh(workers: Iterable[WorkerProcess]) -> list[Weight]:
    """What each holds now, where the machine has a /proc; else nothing."""
    if not Path("/proc/self/fd").exists():
        return []
    return [_weight(worker.name, worker.pid) for worker in workers if worker.pid is not None]


def soaked(spared: str, faults: Sequence[Happened]) -> list[Soaked]:
    """Memory and files of the spared worker. Raises ValueError when it was not one process all the time."""
    samples = [(fault.at_s, each) for fault in faults for each in fault.workers if each.name == spared]
    pids = {each.pid for _, each in samples}
    if len(pids) != 1 or len(samples) < len(faults):
        raise ValueError(
            f"{spared} was {len(pids)} processes, seen after {len(samples)} of {len(faults)} faults"
        )
    return [
        _measure("resident memory, MiB", samples, lambda each: each.memory_mib),
        _measure("open file descriptors", samples, lambda each: each.files),
    ]


def _measure(what: str, samples: Sequence[tuple[float, Weight]], of: Callable[[Weight], float]) -> Soaked:
    length = samples[-1][0] / _QUARTERS
    quarters: list[list[float]] = [[] for _ in range(_QUARTERS)]
    for at_s, each in samples:
        quarters[min(int(at_s / length), _QUARTERS - 1)].append(of(each))
    if not all(quarters):
        raise ValueError("too few faults: a quarter of the run has none")
    return Soaked(what, [median(quarter) for quarter in quarters], max(of(each) for _, each in samples))


def _weight(name: str, pid: int) -> Weight:
    here = Path(f"/proc/{pid}")
    lines = (here / "status").read_text(encoding="ascii", errors="replace").splitlines()
    (resident,) = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    return Weight(name, pid, round(resident / _MIB, 1), len(list((here / "fd").iterdir())))
