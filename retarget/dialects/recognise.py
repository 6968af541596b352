"""Which dialect a record is in, judged by its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from retarget.decode import (
    KNOWN_KEYS,
    MAX_BYTES,
    decode_fast,
    decode_timed,
    from_mapping,
    parse_object,
    require_size,
)
from retarget.dialects import braze, cloudevents, criteo, ga4, meta, segment, snowplow
from retarget.dialects import strict as usual
from retarget.dialects.strict.shared import Reader, without
from retarget.errors import Rejected
from retarget.touchpoints import IMPERSONAL, Touchpoint


class Form(NamedTuple):
    """A dialect of JSON objects: whether one is in it, its touchpoint, and how its bytes become an object.

    `read` and `parse` raise Rejected. `strict` reads the bytes of what is as usual; None: not it.
    `told` are readers of the same that take nothing that might be in another form.
    """

    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[dict[str, Any]], Touchpoint]
    strict: Callable[[bytes], Touchpoint | None]
    told: tuple[Reader, ...]
    parse: Callable[[bytes], dict[str, Any]] = parse_object


# In this order: the first that fits is it.
_FORMS: Final[dict[str, Form]] = {
    "segment": Form(segment.is_segment, segment.from_record, usual.segment.read, usual.segment.told),
    "snowplow": Form(
        snowplow.is_snowplow, snowplow.from_record, usual.snowplow.read, usual.snowplow.told, snowplow.parse
    ),
    "ga4": Form(ga4.is_ga4, ga4.from_record, usual.ga4.read, usual.ga4.told),
    "meta": Form(meta.is_meta, meta.from_record, usual.meta.read, usual.meta.told),
    "criteo": Form(criteo.is_criteo, criteo.from_record, usual.criteo.read, usual.criteo.told),
    "braze": Form(braze.is_braze, braze.from_record, usual.braze.read, usual.braze.told),
}


class Recognition:
    """Decodes records of any dialect that can be told by their content, those of one topic or file.

    Which dialect one is in never depends on the others; only what is tried first does: what read the last
    record that began with the same field. Each of these readers takes only what is certainly in its dialect.
    Of one that begins as the record before it, no more is looked at.
    """

    def __init__(self) -> None:
        self._likely: dict[bytes, Reader] = {}
        self._last: tuple[bytes, Reader] = b"", _as_canonical

    def touchpoint_of(self, value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
        """The touchpoint of a record. Raises Rejected."""
        if len(value) > max_bytes:
            require_size(value, max_bytes)
        start, read = self._last
        if not start or not value.startswith(start):
            head = _head_of(value)
            read = self._likely.get(head, _as_canonical)
            self._last = head, read
        return read(value) or self._learned(value)

    def _learned(self, value: bytes) -> Touchpoint:
        touchpoint, usual_form = _looked_through(value)
        head = _head_of(value)
        if usual_form is not None and (len(self._likely) < _MOST_HEADS or head in self._likely):
            certain = next((read for read in usual_form.told if read(value) is not None), None)
            if certain is not None:
                self._likely[head] = certain
                self._last = head, certain
        return touchpoint


def _head_of(value: bytes) -> bytes:
    """The record up to the end of its first field's name; empty for one that is unusual."""
    end = value.find(b'"', _FIRST_NAME, _LONGEST_HEAD)
    return value[: end + 1] if end > 0 else b""


def _as_canonical(value: bytes) -> Touchpoint | None:
    touchpoint = decode_fast(value)
    if touchpoint is None:
        touchpoint = decode_timed(value)
        if touchpoint is None or not _has_no_sign(value):
            return None
    return touchpoint if touchpoint.type not in _SHARED else None


def _has_no_sign(value: bytes) -> bool:
    """Whether no field is there that another dialect is told by: a time that is text says nothing."""
    try:
        _no_sign(value)
    except ValueError:
        return False
    return True


def _looked_through(value: bytes) -> tuple[Touchpoint, Form | None]:
    """The same by all that is in the record, and the form it is in if it is as usual. Raises Rejected."""
    touchpoint = decode_fast(value)
    # A record of another dialect may pass for a canonical one only as `custom`, or as one about nobody.
    if touchpoint is not None and touchpoint.type not in _SHARED:
        return touchpoint, _OURS
    record = parse_object(value)
    form = _ENVELOPE if cloudevents.is_cloudevent(record) else _form_of(record)
    if form is not None:
        found = form.strict(value)
        return (found, form) if found is not None else (form.read(record), None)
    if touchpoint is not None:
        return touchpoint, None
    if KNOWN_KEYS.isdisjoint(record):
        raise Rejected("unknown_dialect", "no field of the canonical form or of another dialect is there")
    return from_mapping(record), _OURS


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
    _, read, strict, _, parse = form_named(name)

    def decode(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
        if len(value) > max_bytes:
            require_size(value, max_bytes)
        return strict(value) or read(parse(value))

    return decode


_SIGNS: Final = (
    "specversion", "collector_tstamp", "events", "event_name", "data", "event", "event_type", "messageId",
    "userId", "anonymousId", "external_id", "external_user_id", "user_alias", "braze_id",
    "attributes", "purchases",
)  # fmt: skip
_no_sign: Final = msgspec.json.Decoder(without(_SIGNS)).decode
_OURS: Final = Form(bool, from_mapping, decode_fast, (_as_canonical,))
# A record begins with a brace and the first field's name; a name is remembered when it is short.
_FIRST_NAME: Final = 2
_LONGEST_HEAD: Final = 40
_MOST_HEADS: Final = 64
_ENVELOPE: Final = Form(
    cloudevents.is_cloudevent, read_cloudevent, usual.cloudevents.read, usual.cloudevents.told
)
_ALL: Final = _FORMS | {"cloudevents": _ENVELOPE}
_SHARED: Final = IMPERSONAL | {"custom"}
RECOGNISED: Final = tuple(_ALL)
