"""The devices of a message, as `to` has them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

Kind = Literal["fcm", "apns", "webpush"]
_KINDS: Final[Mapping[str, Kind]] = {
    "fcm": "fcm", "android": "fcm", "apns": "apns", "ios": "apns", "webpush": "webpush", "web": "webpush",
}  # fmt: skip
_MOST: Final = 20
_POINT: Final = 65  # of an uncompressed P-256 key
_AUTH: Final = 16


class Device(msgspec.Struct, frozen=True):
    """Where a push message goes: a token, or for Web Push an endpoint with the browser's keys."""

    kind: Kind
    token: str
    keys: dict[str, str] = {}


def devices_of(to: Mapping[str, Any]) -> list[Device]:
    """Each device once: text is a token of FCM; an object has `platform`, `token`, or is a subscription."""
    given = to.get("push_tokens") or to.get("push_token") or ()
    several = given if isinstance(given, list) else [given]
    found = {(one.kind, one.token): one for one in _read(several)}
    return list(found.values())[:_MOST]


def _read(several: list[Any]) -> Iterator[Device]:
    for one in several:
        if isinstance(one, str) and one:
            yield Device("fcm", one)
        elif isinstance(one, Mapping):
            found = _subscription(one) if "endpoint" in one else _token(one)
            if found is not None:
                yield found


def _token(given: Mapping[str, Any]) -> Device | None:
    kind, token = _KINDS.get(str(given.get("platform", "fcm")).lower()), given.get("token")
    return Device(kind, token) if kind and isinstance(token, str) and token else None


def _subscription(given: Mapping[str, Any]) -> Device | None:
    endpoint, keys = given.get("endpoint"), given.get("keys")
    if not isinstance(endpoint, str) or not isinstance(keys, Mapping):
        return None
    texts = {name: str(keys.get(name, "")) for name in ("p256dh", "auth")}
    fits = _size(texts["p256dh"]) == _POINT and _size(texts["auth"]) == _AUTH
    return Device("webpush", endpoint, texts) if fits else None


def _size(text: str) -> int:
    try:
        return len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return -1
