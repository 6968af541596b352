"""The channel `push`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from py_vapid import Vapid02, VapidException
from pywebpush import WebPusher

from retarget.decode import read_time
from retarget.errors import BadInput
from retarget.messages import Message
from streams.channels.addresses import Addresses
from streams.channels.outcomes import HANDED, Outcome, dead
from streams.channels.posting import Post
from streams.channels.push import forms
from streams.channels.push.devices import Device, devices_of
from streams.channels.push.forms import Shown
from streams.channels.templates import NotWritten, Templates
from streams.channels.values import values_of
from streams.clocks import now_ms
from streams.listening import is_loopback
from streams.settings import Settings

_AT_ONCE: Final = 32
_TIMEOUT_S: Final = 15.0
# The device is not there any more: the app was removed, the subscription ended.
_GONE: Final = frozenset({404, 410})
_CLAIM_S: Final = 12 * 60 * 60
# Before all others: that it went at all counts, and that it may have gone.
_ORDER: Final = ("handed", "doubt", "later", "dead")


class PushChannel:
    """A Channel by HTTP. A push in doubt goes again: with its tag it takes the place of itself."""

    name = "push"
    at_once = _AT_ONCE
    batches = False
    recalls = True
    repeats: int | None = None

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        self._post = Post(_TIMEOUT_S)
        self._addresses = Addresses(settings.channel.addresses)
        self._templates = Templates(self.name, settings.channel.templates)
        self._vapid = self._key(settings)
        self._targets = {
            "fcm": settings.push.fcm_url, "apns": settings.push.apns_url, "webpush": settings.push.vapid_key
        }  # fmt: skip
        self._fcm_token, self._apns_token = settings.push.fcm_token, settings.push.apns_token
        self._topic, self._hosts = settings.push.apns_topic, settings.push.hosts
        self._contact = settings.push.contact

    def _key(self, settings: Settings) -> Vapid02 | None:
        if not settings.push.vapid_key:
            return None
        try:
            return Vapid02.from_string(settings.push.vapid_key)
        except (VapidException, ValueError, TypeError):
            said = "found a value that is not shown, expected a private P-256 key in base64url or DER"
            raise BadInput([f"push.vapid_key: {said}"]) from None

    async def start(self) -> None:
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._post.close()
        await self._addresses.close()

    async def hand_over(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """See Channel."""
        return await asyncio.gather(*map(self._hand_over, messages))

    async def _hand_over(self, message: Message) -> Outcome:
        found = await self._addresses.of(message, ("push_tokens", "push_token"))
        if isinstance(found, Outcome):
            return found
        devices = devices_of(found)
        if not devices:
            return dead(
                "bad_address", "there is no token or subscription in it that can be used", "push_bounce"
            )
        try:
            shown = self._shown(message)
        except NotWritten as unwritten:
            return dead(unwritten.reason, unwritten.detail)
        outcomes = await asyncio.gather(*(self._to(device, message, shown) for device in devices))
        best = min(outcomes, key=lambda one: _ORDER.index(one.kind))
        if best.reason == "bad_address" and message.operation == "send":
            return dead("bad_address", best.detail, "push_bounce")
        return HANDED if best.kind == "handed" else best

    def _shown(self, message: Message) -> Shown | None:
        if message.operation == "recall":
            return None
        values, label = values_of(message, None), message.template or ""
        title, body = (
            self._templates.block(label, block, values, locale=message.locale) for block in ("title", "body")
        )
        return Shown(title, body)

    async def _to(self, device: Device, message: Message, shown: Shown | None) -> Outcome:
        now = now_ms()
        expires = read_time(message.expires_at) if message.expires_at else None
        ttl_s = forms.seconds_left(expires, now)
        if not self._targets[device.kind]:
            return dead("no_address", f"the device is one of {device.kind}, for which nothing is set")
        once = {"Idempotency-Key": f"{message.message_id}-{device.token[-16:]}"}
        if device.kind == "fcm":
            headers = {
                "Authorization": f"Bearer {self._fcm_token}",
                "Content-Type": "application/json",
                **once,
            }
            body = forms.fcm(message, device, shown, ttl_s)
            return await self._post(self._targets["fcm"], body, headers, gone=_GONE)
        if device.kind == "apns":
            told = forms.apns_headers(message, self._topic, shown, now // 1_000 + ttl_s)
            headers = {"Authorization": f"bearer {self._apns_token}", **told, **once}
            url = f"{self._targets['apns'].rstrip('/')}/3/device/{device.token}"
            return await self._post(url, forms.apns(message, shown), headers, gone=_GONE)
        return await self._by_web(device, message, shown, ttl_s)

    async def _by_web(self, device: Device, message: Message, shown: Shown | None, ttl_s: int) -> Outcome:
        parts = urlsplit(device.token)
        host = parts.hostname or ""
        if not _is_of(host, self._hosts) or (parts.scheme != "https" and not is_loopback(host)):
            return dead("bad_address", f"push.hosts does not have {host[:100]}, or it is not asked by https")
        try:
            encrypted: Mapping[str, Any] = WebPusher({"endpoint": device.token, "keys": device.keys}).encode(
                forms.data_json(message, shown), "aes128gcm"
            )
        except Exception as error:  # noqa: BLE001 - whatever the libraries say of keys that are none
            return dead("bad_address", f"its keys are of no use: {type(error).__name__}")
        assert self._vapid is not None
        until = now_ms() // 1_000 + _CLAIM_S
        claims = {"sub": self._contact, "aud": f"{parts.scheme}://{parts.netloc}", "exp": until}
        headers = {**self._vapid.sign(claims), **forms.web_headers(message, shown, ttl_s)}
        return await self._post(device.token, encrypted["body"], headers, gone=_GONE)


def _is_of(host: str, hosts: Sequence[str]) -> bool:
    """Whether the host is one of these, or below one: whoever writes events must not choose whom we ask."""
    return any(host == one or host.endswith(f".{one}") for one in hosts)
