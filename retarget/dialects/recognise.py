"""Which dialect a record is in, judged by its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from retarget.decode import KNOWN_KEYS, MAX_BYTES, decode_fast, from_mapping, parse_object, require_size
from retarget.dialects import braze, cloudevents, criteo, ga4, meta, segment, snowplow
from retarget.dialects import strict as usual
from retarget.errors import Rejected
from retarget.touchpoints import IMPERSONAL, Touchpoint


class Form(NamedTuple):
    """A dialect of JSON objects: whether one is in it, its touchpoint, and how its bytes become an object.

    `read` and `parse` raise Rejected. `strict` reads the bytes of what is as usual; None: not it.
    """

    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[dict[str, Any]], Touchpoint]
    strict: Callable[[bytes], Touchpoint | None]
    parse: Callable[[bytes], dict[str, Any]] = parse_object


# In this order: the first that fits is it.
_FORMS: Final[dict[str, Form]] = {
    "segment": Form(segment.is_segment, segment.from_record, usual.segment.read),
    "snowplow": Form(snowplow.is_snowplow, snowplow.from_record, usual.snowplow.read, snowplow.parse),
    "ga4": Form(ga4.is_ga4, ga4.from_record, usual.ga4.read),
    "meta": Form(meta.is_meta, meta.from_record, usual.meta.read),
    "criteo": Form(criteo.is_criteo, criteo.from_record, usual.criteo.read),
    "braze": Form(braze.is_braze, braze.from_record, usual.braze.read),
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
    form = _ENVELOPE if cloudevents.is_cloudevent(record) else _form_of(record)
    if form is not None:
        return form.strict(value) or form.read(record)
    if touchpoint is not None:
        return touchpoint
    if KNOWN_KEYS.isdisjoint(record):
        raise Rejected("unknown_dialect", "no field of the canonical form or of another dialect is there")
    return from_mapping(record)


def recognised(record: dict[str, Any]) -> Touchpoint | None:
    """The touchpoint of a record of a dialect that has no envelope; None: of none. Raises Rejected."""
    form = _form_of(record)
    return None if form is None else form.read(record)


def _form_of(record: Mapping[str, Any]) -> Form | None:
    return next((form for form in _FORMS.values() if form.fits(record)), None)


def read_cloudevent(record: dict[str, Any]) -> Touchpoint:
    """The touchpoint of a CloudEvent, whatever dialect its data is in. Raises Rejected."""
    return cloudevents.from_event(record, recognised)


def form_named(name: str) -> Form:
    """The form of one of RECOGNISED. Raises KeyError."""
    return _ALL[name]


def decoder_of(name: str) -> Callable[..., Touchpoint]:
    """What decodes the records of one such dialect. Raises KeyError."""
    _, read, strict, parse = form_named(name)

    def decode(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
        if len(value) > max_bytes:
            require_size(value, max_bytes)
        return strict(value) or read(parse(value))

    return decode


_ENVELOPE: Final = Form(cloudevents.is_cloudevent, read_cloudevent, usual.cloudevents.read)
_ALL: Final = _FORMS | {"cloudevents": _ENVELOPE}
_SHARED: Final = IMPERSONAL | {"custom"}
RECOGNISED: Final = tuple(_ALL)
