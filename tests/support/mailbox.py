"""A real SMTP server on this machine, which keeps what it is sent and does as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal, NamedTuple, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from streams.embedded.processes import free_port

Stage = Literal["connect", "mail", "rcpt", "data", "taken"]


class Arrived(NamedTuple):
    """One mail, with when it came, by time.monotonic()."""

    at: float
    mail: EmailMessage

    @property
    def message_id(self) -> str:
        """The id of the message that it was made of."""
        return str(self.mail["Message-ID"]).strip("<>").partition("@")[0]


class _Server(SMTP):
    """Asks its mailbox before it lets anybody begin with a mail."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """DATA, before the mail."""
        await cast("Mailbox", self.event_handler).answering()
        await super().smtp_DATA(arg)


class _Controller(Controller):
    """One of such servers."""

    def factory(self) -> SMTP:
        """The server of one connection."""
        return _Server(self.handler, **self.SMTP_kwargs)


class Mailbox:
    """A context manager with a port. `answers` gives an SMTP reply to a recipient instead of taking it.

    `stages` hears how far each mail has come; what it raises breaks the connection off. Nobody who would send
    a mail is answered while it `stalls`.
    """

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.answers: Callable[[str], str | None] = lambda _: None
        self.stages: Callable[[Stage], None] = lambda _: None
        self.stalls = False
        self._controller = _Controller(self, hostname="127.0.0.1", port=free_port())

    async def answering(self) -> None:
        """Wait while it stalls."""
        while self.stalls:  # noqa: ASYNC110 - a test in another thread ends it
            await asyncio.sleep(0.005)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    @property
    def ids(self) -> list[str]:
        """The message ids, in the order in which mails came."""
        return [one.message_id for one in self.arrived]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]
    ) -> str:
        """MAIL FROM."""
        envelope.mail_from = address
        self.stages("mail")
        await self.answering()
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]
    ) -> str:
        """RCPT TO."""
        self.stages("rcpt")
        await self.answering()
        answer = self.answers(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """The mail is here, and not yet answered."""
        try:
            self.stages("data")
        except ConnectionResetError:
            cast("Any", server).transport.abort()
            raise
        raw = cast("bytes", envelope.content)
        self.arrived.append(Arrived(time.monotonic(), message_from_bytes(raw, policy=default)))
        try:
            self.stages("taken")
        except ConnectionResetError:
            cast("Any", server).transport.abort()
            await asyncio.sleep(0)
            raise
        return "250 taken"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
