"""Lines of the OTTO sessions: one JSON object is a whole session, its events in the order of time."""

from __future__ import annotations

from typing import Any, Final

from retarget.decode import from_mapping, parse_object
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

TYPES: Final = {"clicks": "view", "carts": "add", "orders": "purchase"}


def read(line: bytes, line_id: str) -> list[Touchpoint]:
    """The events of one session, with the ids `<line_id>:<number from 1>`. Raises Rejected for the line."""
    record = parse_object(line)
    session, events = record.get("session"), record.get("events")
    if not isinstance(events, list):
        raise Rejected("bad_field", "events must be a list of objects with aid, ts and type")
    return [_event(one, session, f"{line_id}:{number}") for number, one in enumerate(events, start=1)]


def _event(event: object, session: object, event_id: str) -> Touchpoint:
    if not isinstance(event, dict):
        raise Rejected("bad_field", "events must be a list of objects with aid, ts and type")
    kind: Any = event.get("type")
    return from_mapping(
        {
            "id": event_id,
            "type": TYPES.get(kind, kind) if isinstance(kind, str) else kind,
            "time": event.get("ts"),
            "user_id": session,
            "session_id": session,
            "items": [{"product_id": event.get("aid")}],
        }
    )
