"""The channel `push`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from py_vapid import Vapid02, VapidException
from pywebpush import WebPusher

from retarget.errors import BadInput, Unsendable
from retarget.formats import apns, fcm, web_push
from retarget.formats.devices import Device, devices_of, origin_of
from retarget.formats.push import Notice
from retarget.formats.request import Request
from retarget.messages import Message, stable_id
from streams.channels import bearers
from streams.channels.addresses import Addresses
from streams.channels.bearers import Bearer, NotIssued
from streams.channels.outcomes import HANDED, Leave, Outcome, dead, freely, later
from streams.channels.posting import Post
from streams.channels.templates import NotWritten, Templates
from streams.channels.values import in_their_words, values_of
from streams.clocks import now_ms
from streams.settings import Settings

_AT_ONCE: Final = 32
_TIMEOUT_S: Final = 15.0
# The device is not there any more: the app was removed, the subscription ended.
_GONE: Final = frozenset({404, 410})
_JSON: Final = {"Content-Type": "application/json"}
_SEALED: Final = {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
_CLAIM_S: Final = 12 * 60 * 60
# Before all others: that it went at all counts, and that it may have gone.
_ORDER: Final = ("handed", "doubt", "later", "dead")


class PushChannel:
    """A Channel by HTTP. A push in doubt does not go again: it could ring twice."""

    name = "push"
    at_once = _AT_ONCE
    batches = False
    recalls = True
    repeats: int | None = 0
    destination = ""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        self._post = Post(_TIMEOUT_S)
        self._addresses = Addresses(settings.channel.addresses)
        self._templates = Templates(self.name, settings.channel.templates)
        self._vapid = self._key(settings)
        self._fcm_url, self._apns_url = settings.push.fcm_url, settings.push.apns_url
        self._project = settings.push.fcm_project
        self._google, self._apple = self._bearers(settings)
        self._topic, self._hosts = settings.push.apns_topic, settings.push.hosts
        self._contact = settings.push.contact
        if not (self._fcm_url or self._apns_url or self._vapid):
            raise BadInput(["push: no provider; expected push.fcm_url, push.apns_url or push.vapid_key"])

    def _bearers(self, settings: Settings) -> tuple[Bearer, Bearer]:
        push = settings.push
        return (
            bearers.google("push.fcm", push.fcm_token, push.fcm_key_file, bearers.MESSAGING),
            bearers.apple("push.apns", push.apns_token, push.apns_key_file, push.apns_key_id, push.apns_team),
        )

    def _key(self, settings: Settings) -> Vapid02 | None:
        if not settings.push.vapid_key:
            return None
        try:
            key = Vapid02.from_string(settings.push.vapid_key)
        except (VapidException, ValueError, TypeError):
            said = "found a value that is not shown, expected a private P-256 key in base64url or DER"
            raise BadInput([f"push.vapid_key: {said}"]) from None
        try:
            key.sign(_claims(settings.push.contact, "https://push.example"))
        except VapidException:
            said = "expected mailto:ADDRESS, or https://HOST without a path"
            raise BadInput([f"push.contact: found {settings.push.contact!r}, {said}"]) from None
        return key

    async def start(self) -> None:
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._post.close()
        await self._addresses.close()

    async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> Sequence[Outcome]:
        """See Channel."""
        return await asyncio.gather(*(self._hand_over(in_their_words(one), _Once(leave)) for one in messages))

    async def _hand_over(self, message: Message, leave: Leave) -> Outcome:
        found = await self._addresses.of(message, ("push_tokens", "push_token"))
        if isinstance(found, Outcome):
            return found
        try:
            notice, devices = self._notice(message), devices_of(found)
        except (NotWritten, Unsendable) as unwritten:
            return _bounced(message, dead(unwritten.reason, unwritten.detail))
        outcomes = await asyncio.gather(*(self._to(device, message, notice, leave) for device in devices))
        best = min(outcomes, key=lambda one: _ORDER.index(one.kind))
        return HANDED if best.kind == "handed" else _bounced(message, best)

    def _notice(self, message: Message) -> Notice | None:
        if message.operation == "recall":
            return None
        values, label = values_of(message, None), message.template or ""
        title, body = (
            self._templates.block(label, block, values, locale=message.locale) for block in ("title", "body")
        )
        return Notice(title, body)

    async def _to(self, device: Device, message: Message, notice: Notice | None, leave: Leave) -> Outcome:
        once = {"Idempotency-Key": stable_id(message.message_id, device.token)}
        try:
            match device.platform:
                case "fcm" if self._fcm_url:
                    request = fcm.request_of(message, device, notice, now=now_ms(), project=self._project)
                    return await self._sent(self._fcm_url, request, {**_JSON, **once}, self._google, leave)
                case "apns" if self._apns_url:
                    request = apns.request_of(message, device, notice, now=now_ms(), topic=self._topic)
                    return await self._sent(self._apns_url, request, once, self._apple, leave)
                case "webpush" if self._vapid is not None:
                    request = web_push.request_of(message, device, notice, now=now_ms())
                    return await self._by_web(device, request, self._vapid, leave)
        except Unsendable as unsendable:
            return dead(unsendable.reason, unsendable.detail)
        return dead("no_address", f"the device is one of {device.platform}, for which nothing is set")

    async def _sent(
        self, base: str, request: Request, known: Mapping[str, str], bearer: Bearer, leave: Leave
    ) -> Outcome:
        try:
            shown = {"Authorization": f"Bearer {await bearer()}"}
        except NotIssued as missing:
            return later(str(missing))
        headers, url = {**request.headers, **shown, **known}, base.rstrip("/") + request.path
        return bearer.heard(await self._post(url, request.encoded(), headers, gone=_GONE, leave=leave))

    async def _by_web(self, device: Device, request: Request, vapid: Vapid02, leave: Leave) -> Outcome:
        origin = origin_of(device.token)
        if origin is None:
            return dead("bad_address", "its endpoint is no address")
        if not _is_of(origin.host, self._hosts):
            return dead("bad_address", f"push.hosts does not have {origin.host[:100]}")
        try:
            sealed = WebPusher({"endpoint": device.token, "keys": device.keys}).encode(request.encoded())
            signed = vapid.sign(_claims(self._contact, origin.text))
        except Exception as error:  # noqa: BLE001 - whatever the libraries say of keys that are none
            return dead("bad_address", f"its keys are of no use: {type(error).__name__}")
        headers = {**request.headers, **signed, **_SEALED}
        return await self._post(device.token, sealed["body"], headers, gone=_GONE, leave=leave)


def _claims(contact: str, origin: str) -> dict[str, object]:
    """What is signed for a push service (RFC 8292)."""
    return {"sub": contact, "aud": origin, "exp": now_ms() // 1_000 + _CLAIM_S}


class _Once:
    """A Leave of one message to several devices: the first that is ready asks, for all of them."""

    def __init__(self, leave: Leave) -> None:
        self._leave = leave
        self._asked: asyncio.Future[bool] | None = None

    async def __call__(self, count: int) -> bool:
        """See Leave."""
        if self._asked is None:
            self._asked = asyncio.ensure_future(self._leave(count))
        return await asyncio.shield(self._asked)


def _bounced(message: Message, outcome: Outcome) -> Outcome:
    """The engine hears of a person whose every device is gone."""
    if outcome.reason == "bad_address" and message.operation == "send":
        return dead("bad_address", outcome.detail, "push_bounce")
    return outcome


def _is_of(host: str, hosts: Sequence[str]) -> bool:
    """Whether the host is one of these, or below one: whoever writes events must not choose whom we ask."""
    return any(host == one or host.endswith(f".{one}") for one in hosts)
