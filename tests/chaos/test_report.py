"""docs/chaos.md says what the logs say."""

from __future__ import annotations

from pathlib import Path

from bench.chaos.records import RESULTS, Began, Ended, Happened, RunLog, read
from bench.chaos.report import BEGIN, END, PAGE, measured, runs


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
