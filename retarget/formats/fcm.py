"""Firebase Cloud Messaging, HTTP v1: a notification that the system shows, and data for the app.

A token does not say what it is of, Android, Apple or a browser: each is told the same in its own block.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retarget.formats import apns, push, web_push
from retarget.formats.devices import Device
from retarget.formats.push import Notice
from retarget.formats.request import Request
from retarget.messages import Message

MOST_BYTES: Final = 4096
_SHOWN: Final = ("title", "body")


def request_of(message: Message, device: Device, notice: Notice | None, *, now: int, project: str) -> Request:
    """`POST /v1/projects/PROJECT/messages:send` to one device. Raises Unsendable."""
    key, shown = push.collapse_key(message), message.operation == "send"
    android: dict[str, Any] = {
        "collapse_key": key,
        "priority": "HIGH" if message.purpose == "transactional" and shown else "NORMAL",
        "ttl": f"{push.seconds(message, now)}s",
    }
    apple: dict[str, Any] = {"headers": apns.headers_of(message, now)}
    browser: dict[str, Any] = {"headers": web_push.headers_of(message, now)}
    if shown:
        android["notification"] = {"tag": key}
        browser["notification"] = {"tag": key}
    else:
        apple["payload"] = {"aps": {"content-available": 1}}
    blocks = {"android": android, "apns": apple, "webpush": browser}

    def build(data: dict[str, str]) -> Request:
        rest = {name: text for name, text in data.items() if name not in _SHOWN}
        told: dict[str, Any] = {"token": device.token, "data": rest, **blocks}
        if shown:
            told["notification"] = {name: data[name] for name in _SHOWN if name in data}
        if shown and "image" in data:
            told["notification"]["image"] = data["image"]
            picture = {"fcm_options": {"image": data["image"]}, "payload": {"aps": apns.WITH_PICTURE}}
            told["apns"] = apple | picture
        return Request(path=f"/v1/projects/{project}/messages:send", body={"message": told})

    return push.fitted(push.data_of(message, notice), MOST_BYTES, build, size)


def size(request: Request) -> int:
    """What FCM counts: notification and data."""
    told = request.body["message"]
    return len(msgspec.json.encode([told["data"], told.get("notification")]))
