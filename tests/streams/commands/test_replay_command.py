"""`retarget replay`: what its files say counts, whatever is set; what is unusable is told as it stood."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.streams.commands.conftest import Retarget

_CONSENT: Final = "--assume-consent"
_ORDER: Final = {
    "type": "track", "event": "Order Completed", "userId": "u9", "timestamp": "2026-03-01T12:00:00Z",
    "properties": {"order_id": "o1", "total": 9, "products": [{"product_id": "p1", "price": 9}]},
}  # fmt: skip


def letters(out: str) -> list[tuple[str, bytes, str]]:
    """Reason, bytes and detail of each dead letter."""
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    return [(one["reason"], base64.b64decode(one["raw"]), one["detail"]) for one in found]


@pytest.mark.parametrize("given", [("--set", "clock.now=wall"), ("--config", "config/reference.toml")])
def test_old_data_has_its_own_time(given: tuple[str, str], retarget: Retarget, tmp_path: Path) -> None:
    """A worker's settings, which say that now is now, make it neither late nor undecidable."""
    events = [
        {"type": "checkout", "user_id": "u1", "time": "2026-03-01T10:00:00Z"},
        {"type": "heartbeat", "time": "2026-03-01T12:00:00Z"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, events)))
    options = (_CONSENT, *given, "--only", "abandoned_checkout", "--messages", "-")
    answer = retarget("replay", tmp_path / "in.jsonl", *options)
    assert "0 unusable" in answer.err
    assert [json.loads(line)["decided_at"][:16] for line in answer.out.splitlines()] == ["2026-03-01T11:00"]


def test_what_a_loader_refuses_keeps_its_reason_line_and_bytes(retarget: Retarget, tmp_path: Path) -> None:
    """A row of a table is no JSON, and nobody tries to read it as such."""
    rows = ["1,2,3,buy,1511544060", "1,2,3,pv,abc", ",2,3,pv,1511544070"]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    out = retarget("replay", tmp_path / "rows.csv", "--dialect", "taobao", "--dead", "-").out
    assert [(reason, raw.decode()) for reason, raw, _ in letters(out)] == [
        ("bad_time", rows[1]),
        ("no_person", rows[2]),
    ]
    assert [detail.partition(":")[0] for _, _, detail in letters(out)] == [
        "rows.csv, line 2",
        "rows.csv, line 3",
    ]


@pytest.mark.parametrize(("dialect", "reason"), [("canonical", "no_person"), ("ga4", "unknown_dialect")])
def test_a_dialect_that_is_set_is_the_only_one(
    dialect: str, reason: str, retarget: Retarget, tmp_path: Path
) -> None:
    """What is in another one is a dead letter, not recognised after all."""
    (tmp_path / "in.jsonl").write_text(json.dumps(_ORDER))
    out = retarget("replay", tmp_path / "in.jsonl", "--dialect", dialect, "--dead", "-").out
    assert [one[0] for one in letters(out)] == [reason]


def test_a_dialect_for_topics_says_nothing_of_files(retarget: Retarget, tmp_path: Path) -> None:
    """The setting is about what a worker reads."""
    (tmp_path / "in.jsonl").write_text(json.dumps({"type": "purchase", "user_id": "u1", "time": 5}))
    options = ("--set", "input.dialect=ga4", _CONSENT, "--only", "first_purchase", "--decisions", "-")
    assert len(retarget("replay", tmp_path / "in.jsonl", *options).out.splitlines()) == 1


def test_bytes_without_a_time_are_told_as_they_stood(retarget: Retarget, tmp_path: Path) -> None:
    """Neither with an id of ours nor in another order."""
    line = '{"user_id": "u1",   "type": "view"}'
    (tmp_path / "in.jsonl").write_text(line)
    out = retarget("replay", tmp_path / "in.jsonl", "--dead", "-").out
    assert [(reason, raw.decode()) for reason, raw, _ in letters(out)] == [("bad_time", line)]


@pytest.mark.parametrize(
    "argv",
    [
        ("backtest",),
        ("backtest", "FILE", "--topic", "x"),
        ("replay", "FILE", "--as-is", "--catalogue", "FILE"),
        ("replay", "FILE", "--messages", "m", "--decisions", "m"),
        ("explain", "u1", "--what-if", "no x", "--decisions", "FILE"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    argv: tuple[str, ...], retarget: Retarget, tmp_path: Path
) -> None:
    """Not a problem in the input, nor a budget that is exceeded."""
    (tmp_path / "in.jsonl").write_text("{}")
    named = [str(tmp_path / "in.jsonl") if word == "FILE" else word for word in argv]
    assert retarget(*named).code == 2
