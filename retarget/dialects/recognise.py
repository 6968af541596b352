"""Which dialect a record is in, judged by its content."""

from __future__ import annotations

from typing import Final

from retarget.decode import KNOWN_KEYS, MAX_BYTES, decode_fast, from_mapping, parse_object, require_size
from retarget.dialects import segment
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

_SIGNS_OF_SEGMENT: Final = frozenset({"messageId", "event", "userId", "anonymousId"})


def decode_auto(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
    """The touchpoint of a record in any dialect that can be told by its content. Raises Rejected."""
    if len(value) > max_bytes:
        require_size(value, max_bytes)
    touchpoint = decode_fast(value)
    # A Segment record may pass for a canonical one only as `custom`: it has no person that we would see.
    if touchpoint is not None and (touchpoint.type != "custom" or touchpoint.name not in segment.CALLS):
        return touchpoint
    record = parse_object(value)
    if is_segment(record):
        return segment.from_record(record)
    if KNOWN_KEYS.isdisjoint(record):
        raise Rejected("unknown_dialect", "no field of the canonical form or of another dialect is there")
    return from_mapping(record)


def is_segment(record: dict[str, object]) -> bool:
    """Whether a JSON object is a call of Segment's specification."""
    call = record.get("type")
    return isinstance(call, str) and call in segment.CALLS and not _SIGNS_OF_SEGMENT.isdisjoint(record)
