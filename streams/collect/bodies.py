"""Bodies of requests: in bounds, unpacked, of a kind that is read here."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from retarget.decode import parse_object
from retarget.errors import Rejected
from streams.collect.refusals import Refusal, of_event

# Browsers send JSON as text/plain, which needs no preflight; sendBeacon and old clients name no type at all.
# RudderStack's library for Node calls JSON that it has packed a form.
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = frozenset({"", "application/json", "text/plain", "application/octet-stream", _FORM})
_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Room:
    """How many bytes of requests may be in memory at a time, whatever becomes of them."""

    def __init__(self, most: int) -> None:
        self._most, self.taken = most, 0

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Keep so much while inside. Raises Refusal 429 when it is not there; one request always may."""
        if self.taken and self.taken + size > self._most:
            said = "too much is waiting for Kafka"
            raise Refusal(429, "request", said, "send it again later, as Retry-After says", retry_after=1)
        self.taken += size
        try:
            yield
        finally:
            self.taken -= size


def expected_size(request: web.Request, most: int) -> int:
    """How many bytes the body may take once it is unpacked. Raises Refusal 413 for one that says too many."""
    length = request.content_length
    if length is not None and length > most:
        raise too_long(most)
    return most if length is None or request.headers.get("Content-Encoding") else length


async def read_body(request: web.Request, most: int, patience_s: float) -> bytes:
    """The whole body, unpacked. Raises Refusal 400, 408, 413 or 415."""
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity", *_WINDOWS):
        said = f"Content-Encoding is {coding[:40]!r}"
        raise Refusal(415, "Content-Encoding", said, "send gzip, deflate or none")
    try:
        async with asyncio.timeout(patience_s):
            raw = await _read(request, most)
    except TimeoutError:
        raise Refusal(408, "body", "it did not arrive in time", "send it again") from None
    return unpacked(raw, coding, most) if coding in _WINDOWS else raw


def require_json(request: web.Request) -> None:
    """Raise Refusal 415 for a body that says it is something else than JSON."""
    kind = kind_of(request.headers)
    if kind not in _JSON:
        raise Refusal(415, "Content-Type", f"it is {kind[:60]!r}", "send application/json")


def kind_of(headers: Mapping[str, str]) -> str:
    """The media type of a body, without parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object. Raises Refusal 400."""
    try:
        return parse_object(body)
    except Rejected as rejected:
        raise of_event(rejected, "body") from None


def too_long(most: int) -> Refusal:
    """The refusal of a body that is too long."""
    said = f"it is longer than {most:,} bytes, unpacked"
    return Refusal(413, "body", said, "send fewer events at a time, or raise collect.max_body")


async def _read(request: web.Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > most:
            raise too_long(most)
    return bytes(body)


def unpacked(raw: bytes, coding: str, most: int) -> bytes:
    """What `gzip` or `deflate` has packed. Raises Refusal 400 or 413; no more than `most` is unpacked."""
    unpacker = zlib.decompressobj(_WINDOWS[coding])
    try:
        body = unpacker.decompress(raw, most + 1)
    except zlib.error:
        body = None
    if body is not None and len(body) > most:
        raise too_long(most)
    if body is None or not unpacker.eof:
        raise Refusal(400, "body", "its compression is damaged or cut off", "compress it again, as gzip")
    return body
