"""Web Push (RFC 8030): the body is what a service worker gets, to be sealed by RFC 8291 before it leaves."""

from __future__ import annotations

from typing import Final

from retarget.formats import push
from retarget.formats.devices import Device
from retarget.formats.push import Notice
from retarget.formats.request import Request
from retarget.messages import Message

# Of the 4,096 bytes that every push service takes, aes128gcm needs 86 for its header, 16 for its tag and 1.
MOST_BYTES: Final = 4096 - 86 - 16 - 1
_URGENCY: Final = {"transactional": "high", "service": "normal", "marketing": "low"}


def request_of(message: Message, device: Device, notice: Notice | None, *, now: int) -> Request:
    """`POST` to the browser's endpoint. Raises Unsendable."""
    headers = headers_of(message, now)

    def build(data: dict[str, str]) -> Request:
        return Request(path=device.token, headers=headers, body={**data})

    return push.fitted(push.data_of(message, notice), MOST_BYTES, build, _size)


def headers_of(message: Message, now: int) -> dict[str, str]:
    """What is said of every message, whoever says it to the browser's service. Raises Unsendable."""
    urgency = _URGENCY.get(message.purpose, "normal") if message.operation == "send" else "normal"
    return {"TTL": str(push.seconds(message, now)), "Topic": push.collapse_key(message), "Urgency": urgency}


def _size(request: Request) -> int:
    return len(request.encoded())
