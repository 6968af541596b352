"""The devices that a person can be reached on, as apps and browsers registered them."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeGuard

import msgspec

from retarget.errors import Unsendable
from retarget.journeys import tokens

Platform = Literal["fcm", "apns", "webpush"]
PLATFORMS: Final[Mapping[str, Platform]] = {
    "android": "fcm", "fcm": "fcm", "ios": "apns", "apns": "apns", "web": "webpush", "webpush": "webpush",
}  # fmt: skip
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "fcm": re.compile(r"[A-Za-z0-9_:%.-]{1,1024}"),
    "apns": re.compile(r"(?:[0-9A-Fa-f]{2}){8,100}"),
    "webpush": re.compile(r"https?://[\x21-\x7e]{1,1500}"),
}
# Stricter than URLs are: what one reader takes for a host, and another for a user or a path, is none.
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_ENDPOINT: Final = re.compile(
    rf"(https?)://(?=[^:/?]{{1,253}}(?:[:/?]|$))({_LABEL}(?:\.{_LABEL})*)(?::([0-9]{{1,5}}))?(?:[/?].*)?"
)
_PORTS: Final = range(1, 65_536)
_USUAL: Final = {"https": 443, "http": 80}
_OURSELVES: Final = ("127.0.0.1", "localhost")
_MOST: Final = 20
_BASE64: Final = re.compile(r"[A-Za-z0-9_+/-]*={0,2}")
# An uncompressed point of P-256, and the secret that goes with it.
_POINT, _SECRET = 65, 16


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One registration; of a browser `token` is its endpoint, and the body is sealed by its two keys."""

    platform: Platform
    token: str
    p256dh: str = ""
    auth: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """A browser's keys, as its subscription has them."""
        return {"p256dh": self.p256dh, "auth": self.auth}


class Origin(NamedTuple):
    """Where an endpoint is: a host in small letters, and all that is told of it to who signs for it."""

    host: str
    text: str


def origin_of(endpoint: str) -> Origin | None:
    """Of a browser's endpoint; None for what is none. Without TLS it is one on this machine alone."""
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        return None
    scheme, host = found[1], found[2].lower()
    port = int(found[3] or _USUAL[scheme])
    if port not in _PORTS or (scheme == "http" and host not in _OURSELVES):
        return None
    return Origin(host, f"{scheme}://{host}" + (f":{port}" if port != _USUAL[scheme] else ""))


def devices_of(to: Mapping[str, object]) -> list[Device]:
    """Those of `push_tokens` and `push_token` that can be used, each once, 20 at most.

    A token is a text, or an object with `token` and `platform`; a browser's is its subscription: `endpoint`
    and `keys`. One that is no good keeps the message from no other. Raises Unsendable when none is left.
    """
    told = [one for trait in tokens.TRAITS for one in tokens.several(to.get(trait))]
    if not told:
        raise Unsendable("no_address", "there is no device to push to")
    found = dict.fromkeys(filter(_is_one, map(_device, told)))
    if not found:
        raise Unsendable("bad_address", "no token is one of FCM, APNs or a browser's subscription")
    return list(found)[:_MOST]


def _device(told: object) -> Device | None:
    if isinstance(told, str):
        return _known("webpush" if told.startswith("https://") else "fcm", told)
    if not isinstance(told, Mapping):
        return None
    keys = told.get("keys")
    if "endpoint" in told:
        keys = keys if isinstance(keys, Mapping) else {}
        return _known("webpush", told["endpoint"], keys.get("p256dh"), keys.get("auth"))
    named = told.get("platform", "fcm")
    return _known(PLATFORMS.get(named.lower()) if isinstance(named, str) else None, told.get("token"))


def _known(platform: Platform | None, token: object, p256dh: object = "", auth: object = "") -> Device | None:
    if platform is None or not isinstance(token, str) or not _FORMS[platform].fullmatch(token):
        return None
    if platform != "webpush":
        return Device(platform=platform, token=token)
    if origin_of(token) is None or not (_is_key(p256dh, _POINT) and _is_key(auth, _SECRET)):
        return None
    return Device(platform=platform, token=token, p256dh=p256dh, auth=auth)


def _is_key(told: object, size: int) -> TypeGuard[str]:
    if not isinstance(told, str) or not _BASE64.fullmatch(told):
        return False
    try:
        return len(urlsafe_b64decode(told.rstrip("=") + "=" * (-len(told.rstrip("=")) % 4))) == size
    except ValueError:
        return False


def _is_one(found: Device | None) -> TypeGuard[Device]:
    return found is not None
