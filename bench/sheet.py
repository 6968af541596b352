"""The sheet of a benchmark: its figures with what they were measured on, printed and kept as JSON.

Every program of `bench` ends with one, in `bench/results/` under the name of what it asks.
"""

from __future__ import annotations

import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.common_job.peers import ROOT
from bench.common_job.processes import calibration_ms, machine_text
from streams.embedded.store import store_binary
from tests.support.kafka.jars import VERSION

RESULTS: Final = ROOT / "bench" / "results"
_LIBRARIES: Final = ("faust-streaming", "aiokafka", "redis", "hiredis", "msgspec", "uvloop")


class Sheet(msgspec.Struct, kw_only=True):
    """Figures of one call. `data`: which events they are about; `calibration_ms`: the CPU of a fixed work."""

    question: str
    date: str
    machine: str
    versions: dict[str, str]
    data: str
    calibration_ms: float
    figures: Any


def of(question: str, data: str, figures: object) -> Sheet:
    """The sheet of figures that were taken just now, here."""
    return Sheet(
        question=question,
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        machine=machine_text(),
        versions=_versions(),
        data=data,
        calibration_ms=round(calibration_ms(), 2),
        figures=figures,
    )


def keep(sheet: Sheet) -> None:
    """Print what the figures were measured on, and write them."""
    write(sheet)
    print(f"\n{told(sheet)}")


def write(sheet: Sheet) -> None:
    """Leave it in `bench/results`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{sheet.question}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(sheet)) + b"\n")


def told(sheet: Sheet) -> str:
    """What the figures were measured on, as a Markdown list."""
    known = ", ".join(f"{name} {number}" for name, number in sheet.versions.items())
    work = f"a fixed piece of work took {sheet.calibration_ms:.1f} ms of CPU"
    return f"- {sheet.date}, {sheet.machine}; {work}\n- {known}\n- {sheet.data}"


def read(question: str) -> Sheet:
    """The sheet of an earlier call. Raises FileNotFoundError."""
    return msgspec.json.decode((RESULTS / f"{question}.json").read_bytes(), type=Sheet)


def _versions() -> dict[str, str]:
    """Of what was measured, and of what it runs on."""
    ours = {"retarget": _revision(), "python": platform.python_version()}
    servers = {"kafka": VERSION, "store": Path(store_binary()).name}
    return ours | servers | {name: version(name) for name in _LIBRARIES}


def _revision() -> str:
    """The commit that was measured, with a mark when files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or version("retarget")
