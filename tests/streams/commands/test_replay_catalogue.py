"""`retarget replay --catalogue`: rows that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.streams.commands.conftest import Retarget


@pytest.mark.parametrize(
    ("name", "feed", "said"),
    [
        ("feed.csv", "id,price,time\np1,9,2026-03-01T09:00:00Z\np2,much,2026-03-01T09:00:00Z\n",
         [("bad_field", "feed.csv, line 3: price is 'much'")]),
        ("feed.csv", 'id,price,time\np1,9,2026-03-01T09:00:00Z\np2,"9,2026\n',
         [("bad_field", "feed.csv, line 3: the row cannot be read")]),
        ("feed.jsonl",
         '{"product_id": "p", "price": -1, "time": 1}\nnothing\n{"product_id": "p", "price": 1}',
         [("bad_field", "feed.jsonl, line 1: price is -1"), ("not_json", "feed.jsonl, line 2: "),
          ("bad_time", "feed.jsonl, line 3: ")]),
    ],
)  # fmt: skip
def test_a_row_that_is_refused_keeps_its_line_and_reason(
    name: str, feed: str, said: list[tuple[str, str]], retarget: Retarget, tmp_path: Path
) -> None:
    """Whatever the form, also where nothing of the row could be made a record; the rest is loaded."""
    (tmp_path / name).write_text(feed)
    view = {"type": "view", "user_id": "ann", "time": 5, "items": [{"product_id": "p1"}]}
    (tmp_path / "in.jsonl").write_text(json.dumps(view))
    answer = retarget("replay", tmp_path / "in.jsonl", "--catalogue", tmp_path / name, "--dead", "-")
    letters = [json.loads(line) for line in answer.out.splitlines()]
    assert [letter["reason"] for letter in letters] == [reason for reason, _ in said]
    for letter, (_, detail) in zip(letters, said, strict=True):
        assert letter["detail"].startswith(detail)
