"""CloudEvents in binary mode on Kafka: the attributes in the headers of a record, the data in its value.

As the Kafka protocol binding of CloudEvents 1.0 has it: a header `ce_NAME` for each attribute, in UTF-8, and
`content-type` for the kind of data. What comes of it is the same event in structured form.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

Headers = Sequence[tuple[str, bytes]]
_PREFIX: Final = "ce_"
_SIGN: Final = "ce_specversion"
_KIND: Final = "content-type"
_STRUCTURED: Final = "application/cloudevents"
_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


def attributes_of(headers: Headers) -> Headers:
    """The headers of an event in binary mode; of any other record none."""
    return tuple(headers) if any(name == _SIGN for name, _ in headers) else ()


def structured(attributes: Headers, value: bytes) -> bytes:
    """The event as JSON. Data that is no JSON goes in base64, for the decoder to refuse."""
    event: dict[str, Any] = {}
    kind = ""
    for name, given in attributes:
        text = (given or b"").decode(errors="replace")
        if name.startswith(_PREFIX):
            event[name.removeprefix(_PREFIX)] = text
        elif name.lower() == _KIND:
            kind = text
    if kind.startswith(_STRUCTURED):
        return value
    if kind:
        event["datacontenttype"] = kind
    event.pop("data", None)
    event.pop("data_base64", None)
    if value:
        event |= _data(kind, value)
    return msgspec.json.encode(event)


def is_json(kind: str) -> bool:
    """Whether a content type says JSON; nothing said is JSON."""
    plain = kind.partition(";")[0].strip().lower()
    return plain in ("", "application/json", "text/json") or plain.endswith("+json")


def _data(kind: str, value: bytes) -> dict[str, Any]:
    if is_json(kind):
        try:
            return {"data": _json(value)}
        except (ValueError, RecursionError):
            pass
    return {"data_base64": base64.b64encode(value).decode()}
