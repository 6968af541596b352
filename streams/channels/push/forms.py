"""A push message as each service wants it: body and headers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from retarget.messages import Message
from streams.channels.push.devices import Device

_json: Final = msgspec.json.Encoder()
_DAY_S: Final = 24 * 60 * 60
_LONGEST_S: Final = 28 * _DAY_S  # FCM keeps nothing longer
_DEFAULT_S: Final = 3 * _DAY_S


class Shown(NamedTuple):
    """What the person sees; a recall shows nothing."""

    title: str
    body: str


def data_of(message: Message, shown: Shown | None) -> dict[str, str]:
    """What the app, or the page's service worker, gets: texts only, as FCM wants them.

    `tag` is the collapse key: a message of the same tag takes the place of the former one, unseen or shown.
    """
    known: dict[str, Any] = {
        "message_id": message.message_id,
        "operation": message.operation,
        "tag": collapse_key(message),
        "recall_of": message.recall_of,
        "url": message.purl or next((one["url"] for one in message.products if one.get("url")), None),
        "image": next((one["image_url"] for one in message.products if one.get("image_url")), None),
        "title": shown and shown.title,
        "body": shown and shown.body,
    }
    return {key: str(value) for key, value in known.items() if value}


def data_json(message: Message, shown: Shown | None) -> bytes:
    """The same as the body of a Web Push."""
    return _json.encode(data_of(message, shown))


def collapse_key(message: Message) -> str:
    """The same for a message and its recall, and for later steps about the same; 32 characters."""
    about = (message.rule, message.person, message.subject.kind, message.subject.id)
    return blake2b("\x1f".join(about).encode(), digest_size=16).hexdigest()


def seconds_left(expires: int | None, now: int) -> int:
    """How long a service keeps the message for a device that is off."""
    return _DEFAULT_S if expires is None else max(0, min((expires - now) // 1_000, _LONGEST_S))


def fcm(message: Message, device: Device, shown: Shown | None, ttl_s: int) -> bytes:
    """The body of FCM's `messages:send`."""
    android = {
        "ttl": f"{ttl_s}s",
        "collapse_key": collapse_key(message),
        "priority": "HIGH" if shown else "NORMAL",
    }
    sent: dict[str, Any] = {"token": device.token, "data": data_of(message, shown), "android": android}
    if shown is not None:
        sent["notification"] = {"title": shown.title, "body": shown.body}
        android["notification"] = {"tag": collapse_key(message)}  # type: ignore[assignment] # an object in texts
    return _json.encode({"message": sent})


def apns(message: Message, shown: Shown | None) -> bytes:
    """The body of a notification for Apple's devices."""
    aps: dict[str, Any] = {"content-available": 1}
    if shown is not None:
        aps = {"alert": {"title": shown.title, "body": shown.body}, "thread-id": collapse_key(message)}
    return _json.encode({"aps": aps, **data_of(message, shown)})


def apns_headers(message: Message, topic: str, shown: Shown | None, expires_s: int) -> Mapping[str, str]:
    """What APNs wants to be told; `expires_s` in epoch seconds."""
    return {
        "apns-id": str(uuid.UUID(bytes=blake2b(message.message_id.encode(), digest_size=16).digest())),
        "apns-collapse-id": collapse_key(message),
        "apns-topic": topic,
        "apns-push-type": "alert" if shown is not None else "background",
        "apns-priority": "10" if shown is not None else "5",
        "apns-expiration": str(expires_s),
    }


def web_headers(message: Message, shown: Shown | None, ttl_s: int) -> Mapping[str, str]:
    """What RFC 8030 asks for."""
    return {
        "TTL": str(ttl_s),
        "Topic": collapse_key(message),
        "Urgency": "normal" if shown is not None else "low",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
