"""CloudEvents: an envelope of attributes around data, which is canonical or in any other dialect."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

from retarget.decode import from_mapping, parse_object, read_id, read_time
from retarget.dialects.binary import is_json
from retarget.dialects.names import remembered
from retarget.errors import Rejected
from retarget.touchpoints import LONGEST_ID, TYPES, Touchpoint

Read = Callable[[dict[str, Any]], Touchpoint | None]
_VERSION: Final = re.compile(r"v?\d+")
# Names of extension attributes have no underscores.
_EXTENSIONS: Final = {
    "userid": "user_id",
    "anonymousid": "anonymous_id",
    "sessionid": "session_id",
    "deviceid": "device_id",
}


def is_cloudevent(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a CloudEvent in structured form."""
    return "specversion" in record and "source" in record and "type" in record


def from_event(event: Mapping[str, Any], read: Read) -> Touchpoint:
    """The touchpoint of a CloudEvent; `read` knows the other dialects. Raises Rejected."""
    for name in ("specversion", "id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise Rejected(
                "bad_field", f"{name} is missing; a CloudEvent has specversion, id, source and type"
            )
    if not event["specversion"].startswith("1."):
        raise Rejected("unknown_dialect", f"specversion is {event['specversion'][:20]!r}; write 1.0")
    data = _data(event)
    found = read(data)
    if found is None:
        found = from_mapping(_canonical(event, data))
    found.id = found.id or id_of(event["source"], event["id"])
    if found.time < 0 and event.get("time") is not None:
        found.time = read_time(event["time"])
    found.trace = found.trace or (
        event.get("traceparent") if isinstance(event.get("traceparent"), str) else None
    )
    return found


@remembered
def type_of(given: str) -> tuple[str, str | None]:
    """Our type, and the producer's name where it is another: `com.shop.add.v1` is `add`."""
    parts = given.split(".")
    while len(parts) > 1 and _VERSION.fullmatch(parts[-1]):
        parts.pop()
    last = parts[-1].lower()
    if last in TYPES:
        return last, (None if last == given else given)
    return "custom", given


def _canonical(event: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    kind, name = type_of(event["type"])
    extensions = {ours: event[key] for key, ours in _EXTENSIONS.items() if event.get(key) is not None}
    return {
        **extensions,
        "type": kind,
        "name": name,
        **{key: value for key, value in data.items() if value is not None},
    }


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    if data is None and event.get("data_base64") is not None:
        kind = event.get("datacontenttype")
        if isinstance(kind, str) and not is_json(kind):
            raise Rejected("bad_field", f"datacontenttype is {kind[:60]!r}; send data as application/json")
        try:
            data = parse_object(base64.b64decode(str(event["data_base64"]), validate=True))
        except ValueError:
            raise Rejected("bad_field", "data_base64 is no base64; write the JSON object in data") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Rejected("bad_field", "data is no object; write the touchpoint as a JSON object")
    return data


def id_of(source: str, own: str) -> str:
    """Ids are unique within their source only."""
    joined = f"{source}#{own}"
    if len(joined) > LONGEST_ID:
        joined = blake2b(joined.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return read_id(joined, "id") or joined
