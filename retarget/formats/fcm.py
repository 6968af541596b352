"""Firebase Cloud Messaging, HTTP v1: data messages, which the app shows."""

from __future__ import annotations

from typing import Final

import msgspec

from retarget.formats import push
from retarget.formats.devices import Device
from retarget.formats.push import Notice
from retarget.formats.request import Request
from retarget.messages import Message

MOST_BYTES: Final = 4096


def request_of(message: Message, device: Device, notice: Notice | None, *, now: int, project: str) -> Request:
    """`POST /v1/projects/PROJECT/messages:send` to one device. Raises Unsendable."""
    android = {
        "collapse_key": push.collapse_key(message),
        "priority": "HIGH"
        if message.purpose == "transactional" and message.operation == "send"
        else "NORMAL",
        "ttl": f"{push.seconds(message, now)}s",
    }

    def build(data: dict[str, str]) -> Request:
        body = {"message": {"token": device.token, "data": data, "android": android}}
        return Request(path=f"/v1/projects/{project}/messages:send", body=body)

    return push.fitted(push.data_of(message, notice), MOST_BYTES, build, _size)


def _size(request: Request) -> int:
    return len(msgspec.json.encode(request.body["message"]["data"]))
