"""CPU seconds and memory of processes, as Linux counts them."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# Of /proc/PID/stat behind the name: state ppid ... utime stime ... rss.
_PARENT, _USER, _SYSTEM, _RSS = 1, 11, 12, 21


class _Process(NamedTuple):
    parent: int
    cpu: float
    rss: int


class Tree:
    """A process and all that it started. CPU of those that have ended stays counted as last seen."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.peak_rss = 0
        self._cpu: dict[int, float] = {}

    def sample(self) -> float:
        """User and system seconds up to now."""
        known = _processes()
        children = defaultdict(list)
        for pid, process in known.items():
            children[process.parent].append(pid)
        todo, rss = [self.root], 0
        while todo:
            pid = todo.pop()
            if pid in known:
                self._cpu[pid] = known[pid].cpu
                rss += known[pid].rss
            todo += children[pid]
        self.peak_rss = max(self.peak_rss, rss)
        return sum(self._cpu.values())


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            cpu = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK
            found[int(folder.name)] = _Process(int(fields[_PARENT]), cpu, int(fields[_RSS]) * _PAGE)
    return found


def main_thread_share(pid: int) -> tuple[float, float]:
    """CPU seconds of a process's main thread, and of all its other threads."""
    main = others = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            cpu = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK
            if int(task.name) == pid:
                main += cpu
            else:
                others += cpu
    return main, others


def child_named(*words: str) -> int | None:
    """The pid of a child of ours whose command line holds one of `words`."""
    own = os.getpid()
    for pid, process in _processes().items():
        with suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_text()
            if process.parent == own and any(word in command for word in words):
                return pid
    return None


def machine_cpu() -> float:
    """CPU seconds that this machine has worked, for whomever."""
    with Path("/proc/stat").open() as stat:
        user, nice, system, _, _, irq, soft = (int(field) for field in stat.readline().split()[1:8])
    return (user + nice + system + irq + soft) / _TICK


_TEXT: Final = json.dumps({"id": "e1", "items": [{"product_id": "p1", "price": 19.9}] * 4})


def calibration_ms() -> float:
    """CPU ms of a fixed piece of work: larger when the machine is slower than at other times."""
    started = time.process_time()
    kept: dict[int, list[float]] = {}
    for turn in range(1500):
        kept.setdefault(turn * 7919 % 977, []).append(json.loads(_TEXT)["items"][turn % 4]["price"])
    return (time.process_time() - started) * 1000


def machine_text() -> str:
    """Processor, cores and memory in a line."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30
    model = models[0] if models else "unknown processor"
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB"
