"""Apple Push Notification service: alerts, and recalls as background notifications."""

from __future__ import annotations

from typing import Any, Final

from retarget.formats import push
from retarget.formats.devices import Device
from retarget.formats.push import Notice
from retarget.formats.request import Request
from retarget.messages import Message, stable_id

MOST_BYTES: Final = 4096
# Lets the app's extension fetch the picture before the notification is shown.
WITH_PICTURE: Final = {"mutable-content": 1}
# At once; with regard to the device's power, which is the only one that background notifications may have.
_AT_ONCE, _SPARING = "10", "5"


def request_of(message: Message, device: Device, notice: Notice | None, *, now: int, topic: str) -> Request:
    """`POST /3/device/TOKEN` for the app `topic`. Raises Unsendable."""
    alert = message.operation == "send"
    known = {"apns-topic": topic, "apns-id": _uuid(stable_id(message.message_id, device.token))}
    headers = headers_of(message, now) | known

    def build(data: dict[str, str]) -> Request:
        return Request(path=f"/3/device/{device.token}", headers=headers, body=_payload(data, alert=alert))

    return push.fitted(push.data_of(message, notice), MOST_BYTES, build, _size)


def headers_of(message: Message, now: int) -> dict[str, str]:
    """What is said of every message, whoever says it to APNs. Raises Unsendable."""
    left, alert = push.seconds(message, now), message.operation == "send"
    return {
        "apns-push-type": "alert" if alert else "background",
        "apns-priority": _AT_ONCE if alert and message.purpose == "transactional" else _SPARING,
        "apns-expiration": str(now // 1000 + left if left else 0),
        "apns-collapse-id": push.collapse_key(message),
    }


def _payload(data: dict[str, str], *, alert: bool) -> dict[str, Any]:
    if not alert:
        return {"aps": {"content-available": 1}, **data}
    shown = {key: data[key] for key in ("title", "body") if key in data}
    rest = {key: value for key, value in data.items() if key not in shown}
    picture = WITH_PICTURE if "image" in data else {}
    return {"aps": {"alert": shown, "thread-id": data["tag"], **picture}, **rest}


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _size(request: Request) -> int:
    return len(request.encoded())
