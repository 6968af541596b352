"""docs/topics.md names the topics, fields and words that the code has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, get_args

import pytest

from retarget.engine import gates
from retarget.errors import RejectReason
from retarget.messages import Operation, Outcome
from streams import topics
from streams.kafka import headers
from streams.schemas import schemas

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs/topics.md").read_text(encoding="utf-8")
SECTIONS: Final = {
    "Touchpoint": "touchpoint",
    "Message": "message",
    "Decision": "decision",
    "Dead letter": "dead",
    "What a channel could not send": "dead_channel",
    "Catalogue record": "catalogue",
    "Journal record": "journal",
}


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> dict[str, str]:
    """The names in the first cell of each row -> the row."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            found.update(dict.fromkeys(re.findall(r"`([^`]+)`", line.split(" | ")[0]), line))
    return found


@pytest.mark.parametrize("title", SECTIONS)
def test_every_field_has_a_row(title: str) -> None:
    """The fields of the schema, in both directions."""
    assert rows(section(title)).keys() == schemas()[f"{SECTIONS[title]}.v1.json"]["properties"].keys()


def test_every_topic_has_a_row() -> None:
    """A topic that `retarget topics` creates is explained."""
    specs = {spec.name for spec in topics.topic_specs([topics.TOUCHPOINTS], 1)}
    channels = {topics.dead_channel_topic(channel) for channel in topics.CHANNELS}
    known = set(re.findall(r"`([a-z.<>_]+)`", PAGE.split("\n## ")[0]))

    assert specs - channels - known == set()
    assert "retarget.dead.<channel>" in known


def test_the_words_are_those_of_the_code() -> None:
    """Headers, gates in their order, outcomes, operations, reasons of dead letters."""
    shown = rows(section("Headers, and how to drop repeats"))

    assert list(shown) == [headers.LANE, headers.INCARNATION, headers.SEQUENCE, headers.INDEX]
    assert " ".join(f"`{name}`" for name in gates.NAMES) in rows(section("Decision"))["reason"]
    assert " ".join(f"`{name}`" for name in get_args(RejectReason)) in rows(section("Dead letter"))["reason"]
    for word in get_args(Outcome):
        assert f"`{word}`" in rows(section("Decision"))["outcome"]
    for word in get_args(Operation):
        assert f"`{word}`" in rows(section("Message"))["operation"]
