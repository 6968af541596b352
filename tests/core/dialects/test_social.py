"""Posts, comments and likes: the page's events by the page's rule."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import yaml

from retarget.decode import encode_touchpoint
from retarget.dialects import decoder_for
from tests.core.shop import Shop, a_rule

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "dialects.md"


def test_a_rule_tells_a_comment_from_a_like() -> None:
    """By the name of the event; the example of the page does what is said there."""
    section = PAGE.read_text(encoding="utf-8").partition("## Posts, comments and likes")[2]
    events, rule = re.findall(r"```(?:json|yaml)\n(.*?)```", section, re.DOTALL)[:2]
    shop = Shop([a_rule(**yaml.safe_load(rule))])
    read = [decoder_for("auto")(line.encode()) for line in events.splitlines()]
    assert [(one.type, one.name, one.channel) for one in read] == [
        ("social", "comment", "forum"), ("social", "like", "forum"), ("custom", "Comment", "forum"),
    ]  # fmt: skip
    shop.read(*(json.loads(encode_touchpoint(one)) for one in read))
    assert [decision["evidence"] for decision in shop.final()] == [["s1"], ["s3"]]
    assert [message["channel"] for message in shop.sent()] == ["service", "service"]
