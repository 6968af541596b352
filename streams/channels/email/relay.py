"""The relay: connections by SMTP that are kept open, and what its answers mean."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Final

import aiosmtplib
from aiosmtplib import errors as theirs

from retarget.errors import BadInput, Unreachable
from streams.channels.outcomes import NOT_YET, Leave, Outcome, dead, freely, later
from streams.kafka.address import tls_context
from streams.settings import Settings

_DELIVERED: Final = Outcome(kind="handed", feedback=("email_delivered",))
_PERMANENT: Final = 500
# Of enhanced codes (RFC 3463) those about the mailbox: the address is no good, whatever is sent to it.
_MAILBOX: Final = ("5.1.", "5.2.1")
_NO_MAILBOX: Final = frozenset({550, 551, 553})
_LONGEST: Final = 300
_GO_ON: Final = 354
_TAKEN: Final = 250
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


class Relay:
    """Hands mails over, `connections` at a time."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput for a file of authorities that cannot be read."""
        self._settings, email = settings, settings.email
        self._tls = self._context()
        self._idle: list[aiosmtplib.SMTP] = []
        self._room = asyncio.Semaphore(email.connections)

    def _context(self) -> ssl.SSLContext | None:
        if self._settings.email.security == "none":
            return None
        try:
            return tls_context(self._settings.email.ca_file)
        except BadInput as bad:
            raise BadInput([bad.problems[0].replace("kafka.ca_file", "email.ca_file")]) from None

    async def start(self) -> None:
        """Look whether the relay lets us in. Raises Unreachable, BadInput."""
        try:
            self._idle.append(await self._connected())
        except theirs.SMTPAuthenticationError as error:
            said = f"the relay at {self._place} does not let that user in: {_said(error)}"
            raise BadInput([f"email.user: {said}"]) from error
        except (theirs.SMTPException, OSError) as error:
            raise Unreachable("the relay", self._place, "email.host", _said(error)) from error

    async def send(self, mail: bytes, sender: str, address: str, leave: Leave = freely) -> Outcome:
        """Hand over one mail; never raises for what a relay or a connection does.

        `leave` is asked when the relay waits for the mail, and nothing else is left to wait for.
        """
        async with self._room:
            try:
                connection = await self._begun(sender)
            except theirs.SMTPSenderRefused as error:
                return _refused(error, f"the sender {sender} is refused")
            except (theirs.SMTPException, OSError, RuntimeError) as error:
                return later(f"the relay at {self._place}: {_said(error)}")
            try:
                return await self._handed(connection, mail, address, leave)
            finally:
                if connection.is_connected:
                    self._idle.append(connection)

    async def _handed(self, connection: aiosmtplib.SMTP, raw: bytes, address: str, leave: Leave) -> Outcome:
        if refused := await self._refusal(connection, address):
            return refused
        if not await leave(1):
            connection.close()  # the only way out of DATA that takes no mail along
            return NOT_YET
        try:
            await _write(connection, raw)
        except theirs.SMTPDataError as error:
            await _reset(connection)
            return _refused(error, "the mail is refused")
        except (theirs.SMTPException, OSError, RuntimeError) as error:
            connection.close()
            return Outcome(kind="doubt", detail=f"the connection broke before the answer: {_said(error)}")
        return _DELIVERED

    async def _refusal(self, connection: aiosmtplib.SMTP, address: str) -> Outcome | None:
        """What came of the address and DATA; None when the relay waits for the mail."""
        try:
            await connection.rcpt(address)
            await _expect(_GO_ON, connection, b"DATA")
        except theirs.SMTPRecipientRefused as error:
            await _reset(connection)
            return _refused(error, "the address is refused")
        except theirs.SMTPDataError as error:
            await _reset(connection)
            return _refused(error, "the mail is refused")
        except (theirs.SMTPException, OSError, RuntimeError) as error:
            connection.close()  # no relay takes a mail of which it has not seen the end
            return later(f"the relay at {self._place}: {_said(error)}")
        return None

    async def stop(self) -> None:
        """Take leave of the relay."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_quit(one) for one in idle))

    async def _begun(self, sender: str) -> aiosmtplib.SMTP:
        """A connection that has taken the sender: one that was kept, if the relay has kept it too."""
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.mail(sender)
            except (theirs.SMTPServerDisconnected, theirs.SMTPTimeoutError, OSError, RuntimeError):
                connection.close()
            except theirs.SMTPSenderRefused as error:
                connection.close()
                if error.code >= _PERMANENT:
                    raise
            else:
                return connection
        connection = await self._connected()
        try:
            await connection.mail(sender)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connected(self) -> aiosmtplib.SMTP:
        email = self._settings.email
        connection = aiosmtplib.SMTP(
            hostname=email.host, port=email.port, timeout=email.timeout / 1e3,
            use_tls=email.security == "tls", start_tls=email.security == "starttls", tls_context=self._tls,
        )  # fmt: skip
        await connection.connect()
        try:
            if email.user:
                await connection.login(email.user, email.password)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def _place(self) -> str:
        return f"{self._settings.email.host}:{self._settings.email.port}"


def _refused(error: theirs.SMTPResponseException, what: str) -> Outcome:
    said = f"{what}: {_said(error)}"
    if error.code < _PERMANENT:
        return later(said)
    text = error.message
    # Only what is said of the mailbox is a bounce; a mail may be refused for what is in it.
    of_address = isinstance(error, theirs.SMTPRecipientRefused) and (
        text.startswith(_MAILBOX) or (error.code in _NO_MAILBOX and not text.startswith("5."))
    )
    return dead("bad_address", said, "email_bounce") if of_address else dead("refused", said)


def _said(error: BaseException) -> str:
    code = getattr(error, "code", None)
    text = f"{code} {getattr(error, 'message', '')}" if code else str(error) or type(error).__name__
    return " ".join(text.split())[:_LONGEST]


async def _expect(code: int, connection: aiosmtplib.SMTP, line: bytes) -> None:
    """Say a line of DATA's. Raises SMTPDataError for another answer, and what a connection raises."""
    answer = await connection.execute_command(line)
    if answer.code != code:
        raise theirs.SMTPDataError(answer.code, answer.message)


async def _write(connection: aiosmtplib.SMTP, raw: bytes) -> None:
    """The mail itself, as RFC 5321 (4.5.2) has it, and its end."""
    if connection.protocol is None:
        raise theirs.SMTPServerDisconnected("the connection is gone")
    lines = _DOT.sub(b"..", _LINE_END.sub(b"\r\n", raw))
    connection.protocol.write(lines if lines.endswith(b"\r\n") else lines + b"\r\n")
    await _expect(_TAKEN, connection, b".")


async def _reset(connection: aiosmtplib.SMTP) -> None:
    try:
        await connection.rset()
    except (theirs.SMTPException, OSError, RuntimeError):
        connection.close()


async def _quit(connection: aiosmtplib.SMTP) -> None:
    try:
        async with asyncio.timeout(2):
            await connection.quit()
    except (theirs.SMTPException, OSError, RuntimeError, TimeoutError):
        connection.close()
