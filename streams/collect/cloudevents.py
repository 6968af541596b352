"""CloudEvents by HTTP: binary, structured and batched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from retarget.decode import parse_object
from retarget.dialects.recognise import read_cloudevent
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.collect.bodies import kind_of
from streams.collect.refusals import Refusal

# Our fields have their own names in the data.
NAMES: Final[Mapping[str, str]] = {}
_PREFIX: Final = "ce-"
_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"


def is_batch(headers: Mapping[str, str]) -> bool:
    """Whether the body is a list of CloudEvents."""
    return kind_of(headers) == _BATCH


def event_of(headers: Mapping[str, str], body: bytes) -> Touchpoint:
    """The touchpoint of a binary or structured request. Raises Rejected, Refusal 415."""
    kind = kind_of(headers)
    if kind == _STRUCTURED:
        return read_cloudevent(parse_object(body))
    attributes: dict[str, Any] = {
        name.lower()[len(_PREFIX) :]: unquote(value)
        for name, value in headers.items()
        if name.lower().startswith(_PREFIX)
    }
    if "specversion" not in attributes:
        said = f"it is {kind[:60]!r} and there is no header ce-specversion"
        raise Refusal(
            415, "Content-Type", said, f"send {_STRUCTURED}, {_BATCH}, or headers ce-… beside the data"
        )
    if body and kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise Refusal(415, "Content-Type", f"it is {kind[:60]!r}", "send data as application/json")
    data = parse_object(body) if body else {}
    return read_cloudevent({**attributes, "data": data})


def events_of_batch(body: bytes) -> tuple[list[Touchpoint | Rejected], list[Any]]:
    """Each event of a batch, or why it cannot be used; and what was sent. Raises Refusal 400."""
    try:
        sent = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "body", f"it is not JSON: {error}", "send a list of CloudEvents") from None
    if not isinstance(sent, list) or not sent:
        raise Refusal(400, "body", "it is no list with events in it", "send a list of CloudEvents")
    return [_each(one) for one in sent], sent


def as_sent(raw: object) -> bytes:
    """The JSON of an event that cannot be used, for the dead letters."""
    return msgspec.json.encode(raw)


def _each(one: object) -> Touchpoint | Rejected:
    if not isinstance(one, dict):
        return Rejected("not_an_object", "the event is no object; write one in braces")
    try:
        return read_cloudevent(one)
    except Rejected as rejected:
        return rejected
