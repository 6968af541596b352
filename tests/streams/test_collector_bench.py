"""The bench of the collector: which figures keep their bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import collector, sheet
from bench.collector import QUESTION, pin, verdicts
from tests.support.encoders import ENCODERS


def figures(rate: int, times: float, *, pinned: bool = True) -> dict[str, object]:
    """What was measured, with one dialect; by the clock it is never the same as by CPU."""
    decode = {"canonical": {"times_numbers": 9.0}, "segment": {"times_numbers": times}}
    rates = ("events_per_second", "events_per_cpu_second")
    by_clock, by_cpu = rates if pinned else reversed(rates)
    return {"collector": {by_clock: rate, by_cpu: 1}, "pinned": pinned, "decode": decode}


@pytest.mark.parametrize(
    ("rate", "times", "kept"),
    [
        (5_000, 3.0, [True, True]),
        (4_999, 3.0, [False, True]),
        (5_000, 3.01, [True, False]),
    ],
)
def test_a_figure_beyond_its_bound_is_told(rate: int, times: float, kept: list[bool]) -> None:
    """Each with its line; the canonical form is what the others are measured by."""
    assert [one for _, one in verdicts(figures(rate, times))] == kept


@pytest.mark.parametrize(("rate", "kept"), [(5_000, True), (4_999, False)])
def test_where_no_process_can_be_kept_to_a_core_cpu_seconds_count(rate: int, kept: bool) -> None:  # noqa: FBT001
    """And the line says so."""
    line, found = verdicts(figures(rate, 1.0, pinned=False))[0]
    assert found == kept
    assert "of CPU" in line


def test_the_kept_figures_have_every_line_and_its_verdict() -> None:
    """Those of the last run: the collector on one core, each dialect, set and told by its content."""
    found = sheet.read(QUESTION).figures
    kept = {line.partition(":")[0]: is_kept for line, is_kept in verdicts(found)}
    assert found["pinned"]
    assert kept["collector"]
    assert all(kept.values())
    assert {f"auto, {name} alone" for name in ENCODERS} | ENCODERS.keys() | {"collector"} == kept.keys()


@pytest.mark.parametrize(("rate", "status"), [(5_000, 0), (4_999, 1)])
def test_the_exit_status_is_the_verdict(rate: int, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that is not kept is not only printed."""
    found = figures(rate, 1.0)
    monkeypatch.setattr(sys, "argv", ["collector"])
    monkeypatch.setattr(collector, "entrance", lambda *_: dict(found))
    monkeypatch.setattr(collector, "decoding", lambda *_: found["decode"])
    monkeypatch.setattr(sheet, "keep", lambda *_: None)
    assert collector.main() == status


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no process to a core")
def test_a_process_is_kept_to_one_core_with_all_its_threads() -> None:
    """Also with the threads that it starts later."""
    more = "import threading, time; [threading.Thread(target=time.sleep, args=(60,)).start() for _ in 'ab']"
    source = f"{more}; print(flush=True); input(); {more}; print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert pin(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        threads = [int(one.name) for one in Path(f"/proc/{process.pid}/task").iterdir()]
        cores = {frozenset(os.sched_getaffinity(thread)) for thread in threads}
        process.kill()
    assert len(threads) == 5
    assert [len(one) for one in cores] == [1]
