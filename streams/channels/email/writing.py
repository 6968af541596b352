"""A message as a mail: RFC 5322, plain text and HTML, one-click unsubscribe by RFC 8058."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final

from retarget.messages import Message
from streams.channels.email.links import Seal
from streams.channels.templates import NotWritten, Templates
from streams.channels.values import sender_of, values_of

# Python would fold a long link as if it were words, and no provider could read it any more.
_WIRE: Final = SMTP.clone(max_line_length=900)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME: Final = 100
# 64 characters before the @ and 255 behind it, by RFC 5321.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,255}$)"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class Writer:
    """Writes mails from one sender."""

    def __init__(self, sender: str, reply_to: str, templates: Templates, seal: Seal) -> None:
        """Raises ValueError for a sender that is no address."""
        self._name, self.sender = parseaddr(sender)
        if not _ADDRESS.fullmatch(self.sender):
            raise ValueError(sender)
        self._reply_to, self._templates, self._seal = reply_to, templates, seal

    def write(self, message: Message, address: str, now: int) -> bytes:
        """The mail to this address, at `now` (epoch ms). Raises NotWritten."""
        if not _ADDRESS.fullmatch(address) or ".." in address or address.startswith("."):
            raise NotWritten("bad_address", "the address is none that mail can be sent to")
        label, locale = message.template or "", message.locale
        link = self._seal.link(message)
        values = values_of(message, link)
        mail = EmailMessage(policy=SMTP)
        try:
            mail["From"] = self._from(message)
            mail["To"] = Address(display_name=_name(message), addr_spec=address)
            mail["Subject"] = self._templates.block(label, "subject", values, locale=locale)
            mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
            mail["Message-ID"] = f"<{message.message_id}@{self.sender.rpartition('@')[2]}>"
            if reply_to := self._answers_to(message):
                mail["Reply-To"] = reply_to
            if message.purpose != "transactional":
                mail["List-Unsubscribe"] = f"<{link}>"
                mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            mail.set_content(self._templates.text(label, values, locale=locale), cte="quoted-printable")
            mail.add_alternative(
                self._templates.html(label, values, locale=locale), subtype="html", cte="quoted-printable"
            )
        except (MessageError, ValueError) as error:
            raise NotWritten("bad_message", f"no mail can be made of it: {error}") from None
        return mail.as_bytes(policy=_WIRE)

    def _from(self, message: Message) -> Address:
        """The sender; a persona of the message's lends its name, never another address."""
        persona = sender_of(message.context)
        return Address(display_name=_line(persona["name"]) if persona else self._name, addr_spec=self.sender)

    def _answers_to(self, message: Message) -> str:
        persona = sender_of(message.context)
        own = str(persona["reply_to"] or "") if persona else ""
        return own if _ADDRESS.fullmatch(own) else self._reply_to


def _name(message: Message) -> str:
    salutation = message.context.get("salutation")
    if not isinstance(salutation, Mapping):
        return ""
    names = (str(salutation[key]) for key in ("first_name", "last_name") if salutation.get(key))
    return _line(" ".join(names))


def _line(text: object) -> str:
    """Text that stays within its header."""
    return _CONTROL.sub(" ", str(text))[:_LONGEST_NAME].strip()
