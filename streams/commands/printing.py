"""Records as lines for people: what matters of each kind, in one line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from retarget.times import format_time
from streams.kafka.looking import Seen
from streams.topics import DEAD, DECISIONS

_SHOWN: Final = 160


def as_json(seen: Seen) -> str:
    """The value as one JSON line; what is no JSON as `{"raw": ...}`."""
    try:
        return json.dumps(json.loads(seen.value or b""), ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps({"raw": _text(seen.value)}, ensure_ascii=False)


def as_line(seen: Seen) -> str:
    """Place and time, then what the record says."""
    place = f"{format_time(max(seen.timestamp, 0))}  {seen.partition}:{seen.offset:<7}"
    return f"{place}  {_said(seen)}"


def _said(seen: Seen) -> str:
    try:
        value = json.loads(seen.value or b"")
    except (ValueError, RecursionError):
        return f"not JSON: {_cut(_text(seen.value))}"
    if not isinstance(value, dict):
        return _cut(json.dumps(value, ensure_ascii=False))
    try:
        return _form(seen.topic, value)(value)
    except (KeyError, TypeError, ValueError):
        return _cut(json.dumps(value, ensure_ascii=False))


def _form(topic: str, value: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], str]:
    if topic == DECISIONS:
        return decision
    if topic == DEAD:
        return _dead
    if "operation" in value and "message_id" in value:
        return message
    return _touchpoint if "type" in value else _other


def decision(said: Mapping[str, Any]) -> str:
    """`sent email  abandoned_cart step 1  ann  cart c7  due …`."""
    outcome = said["outcome"] + (f" ({said['reason']})" if said.get("reason") else "")
    return _joined(
        outcome, "in shadow" if said.get("shadow") else "", said.get("operation"), said.get("channel"),
        f"{said['rule']} step {said['step']}",
        said["person"], _subject(said), f"due {said['due']}",
    )  # fmt: skip


def message(said: Mapping[str, Any]) -> str:
    """`send email  abandoned_cart step 1  ann  cart c7  why`."""
    return _joined(
        said["operation"], said["channel"], said.get("audience"), f"{said['rule']} step {said['step']}",
        said["person"], _subject(said), said.get("why"),
    )  # fmt: skip


def _subject(said: Mapping[str, Any]) -> str:
    subject = said["subject"]
    return "" if subject["id"] == said["person"] else f"{subject['kind']} {subject['id'] or '(default)'}"


def _dead(said: Mapping[str, Any]) -> str:
    raw = base64.b64decode(said["raw"])
    place = f"{said['topic']}[{said['partition']}] at {said['offset']}"
    return _joined(said["reason"], said["detail"], place, _cut(_text(raw)))


def _touchpoint(said: Mapping[str, Any]) -> str:
    items = said.get("items") or ()
    products = ", ".join(str(item.get("product_id")) for item in items)
    person = said.get("user_id") or said.get("anonymous_id")
    return _joined(_time(said.get("time")), said["type"], said.get("name"), person, products, said.get("id"))


def _other(said: Mapping[str, Any]) -> str:
    return _cut(json.dumps(said, ensure_ascii=False))


def _time(given: object) -> str:
    return format_time(given) if isinstance(given, int) else str(given or "")


def _joined(*parts: object) -> str:
    return "  ".join(str(part) for part in parts if part not in (None, ""))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "backslashreplace")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
