"""Dialects: the forms in which touchpoints arrive, each mapped to the canonical one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from retarget.decode import MAX_BYTES, decode_canonical
from retarget.dialects import jd, otto, rees46, retailrocket, taobao
from retarget.dialects.model import Dialect, LineReader, RecordDecoder, Rows
from retarget.dialects.recognise import RECOGNISED, Recognition, decoder_of
from retarget.errors import BadInput
from retarget.touchpoints import Touchpoint

__all__ = [
    "DIALECTS",
    "WITH_HEADERS",
    "Dialect",
    "LineReader",
    "RecordDecoder",
    "Rows",
    "decoder_for",
    "dialect_named",
]

_ALL: Final = (
    Dialect(name="auto", kind="record", sentence="JSON records of any dialect, told by their content"),
    Dialect(name="canonical", kind="record", sentence="JSON records in retarget's own form"),
    Dialect(name="segment", kind="record", sentence="calls of Segment, RudderStack or Jitsu as JSON records"),
    Dialect(
        name="ga4", kind="record", sentence="Google Analytics 4: Measurement Protocol, or rows of its export"
    ),
    Dialect(name="snowplow", kind="record", sentence="Snowplow's enriched events, JSON or tab-separated"),
    Dialect(name="meta", kind="record", sentence="events of Meta's Conversions API"),
    Dialect(name="braze", kind="record", sentence="Braze's events, attributes and purchases, and Currents"),
    Dialect(name="criteo", kind="record", sentence="calls of Criteo's OneTag"),
    Dialect(name="cloudevents", kind="record", sentence="CloudEvents, in structured form as JSON records"),
    Dialect(name="taobao", kind="file", sentence="rows of Taobao's UserBehavior.csv", rows=taobao.ROWS),
    Dialect(name="rees46", kind="file", sentence="rows of the REES46 stores' files", rows=rees46.ROWS),
    Dialect(
        name="retailrocket", kind="file", sentence="rows of RetailRocket's events.csv", rows=retailrocket.ROWS
    ),
    Dialect(name="jd", kind="file", sentence="rows of the JD.com actions", rows=jd.ROWS),
    Dialect(name="otto", kind="file", sentence="the OTTO sessions, one JSON object each", line=otto.read),
    Dialect(name="csv", kind="file", sentence="rows of any delimited file, read by a mapping file"),
    Dialect(name="json", kind="file", sentence="a shop's own JSON, an object a line, read by a mapping file"),
)
DIALECTS: Final[Mapping[str, Dialect]] = {dialect.name: dialect for dialect in _ALL}

_DECODERS: Final[Mapping[str, Callable[..., Touchpoint]]] = {
    "canonical": decode_canonical,
    **{name: decoder_of(name) for name in RECOGNISED},
}


# With these a topic may have CloudEvents in binary mode, with attributes in the headers.
WITH_HEADERS: Final = frozenset({"auto", "cloudevents"})


def dialect_named(name: str) -> Dialect:
    """The dialect of that name. Raises BadInput that lists the names."""
    if name not in DIALECTS:
        raise BadInput([f"dialect {name!r} is unknown; write one of {', '.join(DIALECTS)}"])
    return DIALECTS[name]


def decoder_for(name: str, max_bytes: int = MAX_BYTES) -> RecordDecoder:
    """What decodes the records of a dialect of kind `record` or raises Rejected. Raises BadInput."""
    if name != "auto" and name not in _DECODERS:
        dialect_named(name)
        raise BadInput([f"dialect {name!r} is for files; topics carry one of auto, {', '.join(_DECODERS)}"])
    decode = Recognition().touchpoint_of if name == "auto" else _DECODERS[name]
    return decode if max_bytes == MAX_BYTES else partial(decode, max_bytes=max_bytes)
