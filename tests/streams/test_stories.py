"""The stories of docs/stories: what a page shows is what the engine makes of its touchpoints."""

from __future__ import annotations

import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from tests.streams.commands.conftest import Retarget, retarget

__all__ = ["retarget"]

STORIES: Final = sorted((Path(__file__).resolve().parents[2] / "docs" / "stories").glob("*.md"))
FILE: Final = re.compile(r"^```json (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND: Final = re.compile(r"^\$ retarget (.*)$", re.MULTILINE)
ROW: Final = re.compile(r"^\| (\w{3} \d+ .*) \|$", re.MULTILINE)
ZONE: Final = ZoneInfo("Europe/Berlin")


def row_of(message: dict[str, Any]) -> str:
    """A message as the page tells it."""
    at = datetime.fromisoformat(message["decided_at"]).astimezone(ZONE)
    shown = ", ".join(product["product_id"] for product in message["products"]) or "-"
    when = f"{at:%a} {at.day} {at:%B, %H:%M}"
    return f"{when} | {message['operation']} {message['channel']} | `{message['rule']}` | {shown}"


@pytest.mark.parametrize("page", STORIES, ids=lambda page: page.stem)
def test_a_story_is_true(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retarget: Retarget
) -> None:
    """Every message of the table, in its order, and no other."""
    text = page.read_text(encoding="utf-8")
    for name, content in FILE.findall(text):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command in COMMAND.findall(text):
        assert retarget(*shlex.split(command)).code == 0
    messages = (tmp_path / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    assert [row_of(json.loads(line)) for line in messages] == ROW.findall(text)


def test_there_are_stories() -> None:
    """They are found."""
    assert STORIES
