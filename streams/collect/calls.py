"""Segment's HTTP API: the calls in a request as touchpoints."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from retarget.decode import read_time
from retarget.dialects.segment import CALLS, from_record
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.collect.bodies import parsed
from streams.collect.refusals import Refusal

# A request is under way for so long at most when nothing is wrong.
_RIGHT_MS: Final = 1_000
# The last part of the path, as server libraries have it and as analytics.js does.
_SHORT: Final = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
CALL_OF: Final[Mapping[str, str]] = {**{call: call for call in CALLS}, **_SHORT}
BATCHES: Final = ("batch", "import", "b")


def call_of_body(call: str, body: dict[str, Any], now: int) -> Touchpoint:
    """The touchpoint of one call. Raises Rejected."""
    return from_record(_received({**body, "type": CALL_OF[call]}, body.get("sentAt"), now))


def calls_of_batch(body: dict[str, Any], now: int) -> Iterator[Touchpoint | Rejected]:
    """Each call of a batch, or why it cannot be used. Raises Refusal 400 when there is no batch in it."""
    batch = body.get("batch")
    if not isinstance(batch, list) or not batch:
        said = "it is missing" if batch is None else "it is no list with calls in it"
        raise Refusal(400, "batch", said, 'send {"batch": [{"type": "track", …}, …]}')
    return (_each(call, body, now) for call in batch)


def call_in_query(query: Mapping[str, str]) -> dict[str, Any]:
    """The call that a pixel carries: `data` is a JSON object in base64. Raises Refusal 400."""
    data = query.get("data", "")
    try:
        body = base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_") + "=" * (-len(data) % 4))
    except ValueError:
        body = b""
    if not body:
        remedy = "send ?data= with the call as JSON in base64"
        raise Refusal(400, "data", "it is missing or no base64", remedy)
    return parsed(body)


def _each(call: object, body: Mapping[str, Any], now: int) -> Touchpoint | Rejected:
    if not isinstance(call, dict):
        return Rejected("not_an_object", "the call is no object; write one in braces")
    shared = {key: body[key] for key in ("context", "integrations") if key in body and key not in call}
    try:
        return from_record(_received({**shared, **call}, call.get("sentAt", body.get("sentAt")), now))
    except Rejected as rejected:
        return rejected


def _received(call: dict[str, Any], sent: object, now: int) -> dict[str, Any]:
    """The call with the three times by which a wrong clock is put right; ours is the only one to trust.

    A clock that is right is left alone: what its requests were under way would change the order of events.
    """
    original = call.pop("timestamp", None)
    if call.get("originalTimestamp") is None:
        call["originalTimestamp"] = original
    if sent is not None and abs(now - read_time(sent, "sentAt")) < _RIGHT_MS:
        sent = None
    call["sentAt"], call["receivedAt"] = sent, now
    return call
