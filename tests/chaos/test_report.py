"""docs/chaos.md says what the logs say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from bench.chaos.bounds import MOST_S, late
from bench.chaos.faults import KINDS
from bench.chaos.records import RESULTS, Began, Ended, Happened, RunLog, read
from bench.chaos.report import BEGIN, END, PAGE, measured, runs
from streams.transport import ReadSettings

SESSION_S: Final = ReadSettings(worker_id="one").session_timeout_ms / 1000


def test_the_page_is_made_of_the_logs() -> None:
    """Run `python -m bench.chaos.report` after adding a log."""
    text = PAGE.read_text(encoding="utf-8")
    between = text.split(BEGIN)[1].split(END)[0].strip()
    assert between == "\n".join(measured(list(runs(sorted(RESULTS.glob("*.jsonl"))))))


def test_no_kept_run_found_a_difference_or_broke_off() -> None:
    """A log with a difference belongs to a bug that is not mended yet."""
    for run in runs(sorted(RESULTS.glob("*.jsonl"))):
        assert run.ended is not None, run.name
        assert run.ended.differences == [], run.name


def kept() -> list[Happened]:
    """The faults of all kept logs."""
    return [fault for run in runs(sorted(RESULTS.glob("*.jsonl"))) for fault in run.faults]


def test_the_kept_logs_have_enough_of_every_fault() -> None:
    """200 faults, each kind at least 8 times."""
    times = Counter(fault.kind for fault in kept())
    assert sum(times.values()) >= 200
    assert {kind: times[kind] for kind in KINDS if times[kind] < 8} == {}
    assert set(times) <= set(KINDS)


def test_after_no_kept_fault_a_lane_was_longer_away_than_allowed() -> None:
    """The session timeout and 2 s after SIGKILL, 3 s after a clean stop."""
    assert (MOST_S["worker_kill"], MOST_S["worker_stop"]) == (SESSION_S + 2, 3)
    assert late(kept()) == []


def test_all_bounds_are_kept() -> None:
    """Of every bound that the page judges."""
    judged = [line for line in measured(list(runs(sorted(RESULTS.glob("*.jsonl"))))) if line.startswith("- ")]
    assert len(judged) > 4
    assert [line for line in judged if ": kept (" not in line] == []


def a_fault(kind: str, recovered_s: float) -> Happened:
    """A fault after which lanes were away for so long."""
    return Happened(
        number=4, kind=kind, hit="one", at_s=1, took_s=0, recovered_s=recovered_s, lanes_s=[0.1], noted=[]
    )


@pytest.mark.parametrize(
    ("kind", "recovered_s", "told"),
    [
        ("worker_kill", 17.0, []),
        (
            "worker_kill",
            17.1,
            ["fault 4, worker_kill of one: back after 17.1 s, allowed are 17"],
        ),
        ("worker_stop", 3.0, []),
        ("worker_stop", 3.1, ["fault 4, worker_stop of one: back after 3.1 s, allowed are 3"]),
        ("store_flush", 50.0, []),
    ],
)
def test_a_lane_that_is_away_too_long_is_named(kind: str, recovered_s: float, told: list[str]) -> None:
    """Where a bound is stated it holds for every single fault, and a run ends with 1."""
    assert late([a_fault("worker_stop", 1), a_fault(kind, recovered_s)]) == told


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Line by line."""
    began = Began(seed=1, minutes=1, layout="pair", rate=1, date="2026-01-01", commit="x", versions={})
    fault = Happened(
        number=1, kind="worker_kill", hit="one", at_s=1, took_s=0, recovered_s=15, lanes_s=[15], noted=[]
    )
    ended = Ended(events=1, outputs=1, faults=1, lasted_s=2, differences=["one missing"])
    log = RunLog(tmp_path / "run.jsonl")
    for line in (began, fault, ended):
        log.add(line)
    assert read(log.path) == [began, fault, ended]
    text = "\n".join(measured(list(runs([log.path]))))
    assert "**1 differences**" in text
    assert "`worker_kill` at most 17 s: kept (15.0 s, 1 times)" in text
    assert "200 faults, each kind 8 times: **not yet** (1; " in text
