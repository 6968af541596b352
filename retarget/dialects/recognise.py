"""Which dialect a record is in, judged by its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from retarget.decode import KNOWN_KEYS, MAX_BYTES, decode_fast, from_mapping, parse_object, require_size
from retarget.dialects import braze, cloudevents, criteo, ga4, meta, segment, snowplow
from retarget.errors import Rejected
from retarget.touchpoints import IMPERSONAL, Touchpoint


class Form(NamedTuple):
    """A dialect of JSON objects: whether one is in it, its touchpoint, and how its bytes become an object.

    `read` and `parse` raise Rejected.
    """

    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[dict[str, Any]], Touchpoint]
    parse: Callable[[bytes], dict[str, Any]] = parse_object


# In this order: the first that fits is it.
_FORMS: Final[dict[str, Form]] = {
    "segment": Form(segment.is_segment, segment.from_record),
    "snowplow": Form(snowplow.is_snowplow, snowplow.from_record, snowplow.parse),
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
    # A record of another dialect may pass for a canonical one only as `custom`, or as one about nobody.
    if touchpoint is not None and touchpoint.type not in _SHARED:
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
    form = _ALL[name]

    def decode(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
        if len(value) > max_bytes:
            require_size(value, max_bytes)
        return form.read(form.parse(value))

    return decode


_ALL: Final = _FORMS | {"cloudevents": Form(cloudevents.is_cloudevent, read_cloudevent)}
_SHARED: Final = IMPERSONAL | {"custom"}
RECOGNISED: Final = tuple(_ALL)
