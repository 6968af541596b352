"""Which dialect a record is in, judged by its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from retarget.decode import KNOWN_KEYS, MAX_BYTES, decode_fast, from_mapping, parse_object, require_size
from retarget.dialects import braze, cloudevents, criteo, ga4, meta, segment, snowplow
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint


class Form(NamedTuple):
    """A dialect of JSON objects: whether one is in it, and its touchpoint (raises Rejected)."""

    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[dict[str, Any]], Touchpoint]


# In this order: the first that fits is it.
_FORMS: Final[dict[str, Form]] = {
    "segment": Form(segment.is_segment, segment.from_record),
    "snowplow": Form(snowplow.is_snowplow, snowplow.from_record),
    "ga4": Form(ga4.is_ga4, ga4.from_record),
    "meta": Form(meta.is_meta, meta.from_record),
    "criteo": Form(criteo.is_criteo, criteo.from_record),
    "braze": Form(braze.is_braze, braze.from_record),
}


def decode_auto(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
    """The touchpoint of a record in any dialect that can be told by its content. Raises Rejected."""
    if len(value) > max_bytes:
        require_size(value, max_bytes)
    touchpoint = decode_fast(value)
    # A record of another dialect may pass for a canonical one only as `custom`.
    if touchpoint is not None and touchpoint.type != "custom":
        return touchpoint
    record = parse_object(value)
    if cloudevents.is_cloudevent(record):
        return read_cloudevent(record)
    found = recognised(record)
    if found is not None:
        return found
    if touchpoint is not None:
        return touchpoint
    if KNOWN_KEYS.isdisjoint(record):
        raise Rejected("unknown_dialect", "no field of the canonical form or of another dialect is there")
    return from_mapping(record)


def recognised(record: dict[str, Any]) -> Touchpoint | None:
    """The touchpoint of a record of a dialect that has no envelope; None: of none. Raises Rejected."""
    for form in _FORMS.values():
        if form.fits(record):
            return form.read(record)
    return None


def read_cloudevent(record: dict[str, Any]) -> Touchpoint:
    """The touchpoint of a CloudEvent, whatever dialect its data is in. Raises Rejected."""
    return cloudevents.from_event(record, recognised)


def decoder_of(name: str) -> Callable[..., Touchpoint]:
    """What decodes the records of one such dialect. Raises KeyError."""
    if name == "snowplow":
        return snowplow.decode_snowplow
    read = read_cloudevent if name == "cloudevents" else _FORMS[name].read

    def decode(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
        require_size(value, max_bytes)
        return read(parse_object(value))

    return decode


RECOGNISED: Final = (*_FORMS, "cloudevents")
