"""The channels `sms`, `whatsapp`, `onsite` and `chat`: one request a message, to a service that takes it.

Whoever takes it knows it again by its `Idempotency-Key`, which is its `message_id`.
"""

from __future__ import annotations

import asyncio
import logging
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from retarget.errors import BadInput, Unsendable
from retarget.formats import chat, onsite, sms, whatsapp
from retarget.formats.request import Request
from retarget.formats.whatsapp import Template
from retarget.messages import Message
from streams.channels.addresses import Addresses
from streams.channels.outcomes import Leave, Outcome, dead, freely
from streams.channels.posting import Post, headers, require_url
from streams.channels.templates import NotWritten, Templates
from streams.channels.values import figures_of, in_their_words, values_of
from streams.clocks import now_ms
from streams.settings import Settings

log: Final = logging.getLogger("retarget.channel")

_AT_ONCE: Final = 8
_TIMEOUT_S: Final = 15.0
_ONCE_MORE: Final = 1


class Gateway(ABC):
    """A Channel by HTTP; what is posted is each channel's own. `kinds`: the addresses that it asks for."""

    name = ""
    at_once = _AT_ONCE
    batches = False
    recalls = True
    repeats: int | None = None
    destination = ""
    kinds: tuple[str, ...] = ()

    def __init__(self, settings: Settings, url: str, token: str) -> None:
        """Raises BadInput."""
        require_url(f"{self.name}.url", url)
        self._url, self._token = url.rstrip("/"), token
        self._post, self._addresses = Post(_TIMEOUT_S), Addresses(settings.channel.addresses)

    async def start(self) -> None:  # noqa: B027 - there is nothing to be done
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._post.close()
        await self._addresses.close()

    async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> Sequence[Outcome]:
        """See Channel."""
        return await asyncio.gather(*(self._hand_over(one, leave) for one in messages))

    async def _hand_over(self, message: Message, leave: Leave) -> Outcome:
        to = await self._addresses.of(message, self.kinds) if self.kinds else message.to
        if isinstance(to, Outcome):
            return to
        try:
            request = self._request(in_their_words(message), to)
        except (Unsendable, NotWritten) as unwritten:
            return dead(unwritten.reason, unwritten.detail)
        known = {**request.headers, **headers(self._token, message.message_id)}
        return await self._post(self._url + request.path, request.encoded(), known, leave=leave)

    @abstractmethod
    def _request(self, message: Message, to: Mapping[str, Any]) -> Request:
        """What is posted. Raises Unsendable, NotWritten."""


class SmsChannel(Gateway):
    """Short messages, from templates with the block `text`; one without an answer goes once more."""

    name = "sms"
    recalls = False
    repeats = _ONCE_MORE
    kinds = ("phone",)

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        super().__init__(settings, settings.sms.url, settings.sms.token)
        self._templates = Templates(self.name, settings.channel.templates)
        self._sender, self._stop = settings.sms.sender, settings.sms.stop
        if not self._stop:
            log.warning("sms.stop is not set: no marketing message leaves, each is a dead letter")

    def _request(self, message: Message, to: Mapping[str, Any]) -> Request:
        values, label = values_of(message, None), message.template or ""
        text = self._templates.block(label, "text", values, locale=message.locale)
        return sms.request_of(message, to, text, sender=self._sender, stop=self._stop)


class WhatsappChannel(Gateway):
    """Templates that WhatsApp has approved, and keeps itself; one without an answer goes once more."""

    name = "whatsapp"
    recalls = False
    repeats = _ONCE_MORE
    kinds = ("phone",)

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        super().__init__(settings, settings.whatsapp.url, settings.whatsapp.token)
        self._sender, self._approved = settings.whatsapp.sender, approved(settings.whatsapp.templates)
        if not self._sender:
            raise BadInput(["whatsapp.sender: is not set; write the id of the shop's number"])

    def _request(self, message: Message, to: Mapping[str, Any]) -> Request:
        template = self._approved.get(message.template or "")
        if template is None:
            raise NotWritten("no_template", f"whatsapp.templates has no {(message.template or '')[:64]!r}")
        return whatsapp.request_of(message, to, template, sender=self._sender, said=figures_of(message))


class OnsiteChannel(Gateway):
    """What the site keeps for the person's next page."""

    name = "onsite"

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        super().__init__(settings, settings.onsite.url, settings.onsite.token)
        self._placement = settings.onsite.placement

    def _request(self, message: Message, to: Mapping[str, Any]) -> Request:  # noqa: ARG002 - it knows who
        return onsite.request_of(message, now=now_ms(), placement=self._placement)


class ChatChannel(Gateway):
    """What an agent may offer, with the journey in sentences."""

    name = "chat"

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        super().__init__(settings, settings.chat.url, settings.chat.token)

    def _request(self, message: Message, to: Mapping[str, Any]) -> Request:  # noqa: ARG002 - it knows who
        return chat.request_of(message, now=now_ms())


GATEWAYS: Final[Mapping[str, Callable[[Settings], Gateway]]] = {
    one.name: one for one in (SmsChannel, WhatsappChannel, OnsiteChannel, ChatChannel)
}


def approved(path: str) -> Mapping[str, Template]:
    """WhatsApp's templates by the labels of rules. Raises BadInput."""
    if not path:
        raise BadInput(["whatsapp.templates: is not set; name a TOML file"])
    try:
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return msgspec.convert(told, dict[str, Template])
    except OSError as error:
        raise BadInput([f"whatsapp.templates: {path}: {error.strerror}"]) from error
    except (ValueError, msgspec.ValidationError) as error:
        raise BadInput([f"whatsapp.templates: {path}: {error}"]) from error
