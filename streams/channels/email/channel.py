"""The channel `email`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from retarget.messages import Message
from streams.channels.addresses import Addresses
from streams.channels.email.links import Seal
from streams.channels.email.relay import Relay
from streams.channels.email.writing import Writer
from streams.channels.outcomes import Leave, Outcome, dead, freely
from streams.channels.templates import NotWritten, Templates
from streams.clocks import now_ms
from streams.settings import Settings

_ONCE_MORE: Final = 1


class EmailChannel:
    """A Channel by SMTP. A mail whose connection broke before the answer goes once more, and no oftener."""

    name = "email"
    batches = False
    recalls = False  # what a relay has taken is gone
    repeats: int | None = _ONCE_MORE
    destination = ""

    def __init__(self, settings: Settings, seal: Seal, now: Callable[[], int] = now_ms) -> None:
        """`now` dates the mails. Raises BadInput."""
        email = settings.email
        self._now, self.at_once = now, email.connections
        self._relay = Relay(settings)
        self._addresses = Addresses(settings.channel.addresses)
        templates = Templates(self.name, settings.channel.templates)
        self._writer = Writer(email.sender, email.reply_to, templates, seal)

    async def start(self) -> None:
        """See Channel."""
        await self._relay.start()

    async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> Sequence[Outcome]:
        """See Channel."""
        return await asyncio.gather(*(self._hand_over(one, leave) for one in messages))

    async def _hand_over(self, message: Message, leave: Leave) -> Outcome:
        found = await self._addresses.of(message, ("email",))
        if isinstance(found, Outcome):
            return found
        address = str(found["email"]).strip()
        try:
            mail = self._writer.write(message, address, self._now())
        except NotWritten as unwritten:
            return dead(unwritten.reason, unwritten.detail)
        return await self._relay.send(mail, self._writer.sender, address, leave)

    async def stop(self) -> None:
        """See Channel."""
        await self._relay.stop()
        await self._addresses.close()
