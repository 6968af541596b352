"""A message as a mail: RFC 5322, plain text and HTML, one-click unsubscribe by RFC 8058."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from retarget.errors import BadInput
from retarget.messages import Message
from streams.channels.email import headers
from streams.channels.email.headers import Mailbox
from streams.channels.email.links import Seal
from streams.channels.templates import NotWritten, Templates
from streams.channels.values import sender_of, values_of

# Its own headers are short, and each stays in one line.
_WIRE: Final = SMTP.clone(max_line_length=900)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME: Final = 100


class Writer:
    """Writes mails from one sender."""

    def __init__(self, sender: str, reply_to: str, templates: Templates, seal: Seal) -> None:
        """Raises BadInput for a sender, or somebody to answer to, who is no address."""
        self._name, self.sender = _told("email.sender", sender)[0]
        self._answers = _told("email.reply_to", reply_to) if reply_to else []
        self._templates, self._seal = templates, seal

    def write(self, message: Message, address: str, now: int) -> bytes:
        """The mail to this address, at `now` (epoch ms). Raises NotWritten."""
        if not headers.is_address(address):
            raise NotWritten("bad_address", "the address is none that mail can be sent to")
        label, locale = message.template or "", message.locale
        mail = EmailMessage(policy=SMTP)
        try:
            # What needs no consent goes on after one is taken back: a button there would do nothing.
            link = self._seal.link(message) if message.purpose == "marketing" else ""
            values = values_of(message, link)
            subject = self._templates.block(label, "subject", values, locale=locale)
            head = "".join(self._head(message, address, subject, now))
            if link:
                head += headers.of_link("List-Unsubscribe", link)
                head += headers.whole("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
            mail.set_content(self._templates.text(label, values, locale=locale), cte="quoted-printable")
            mail.add_alternative(
                self._templates.html(label, values, locale=locale), subtype="html", cte="quoted-printable"
            )
            return head.encode("ascii") + mail.as_bytes(policy=_WIRE)
        except (MessageError, ValueError) as error:
            raise NotWritten("bad_message", f"no mail can be made of it: {error}") from None

    def _head(self, message: Message, address: str, subject: str, now: int) -> Iterator[str]:
        yield headers.of_mailboxes("From", [self._from(message)])
        yield headers.of_mailboxes("To", [Mailbox(_name(message), address)])
        yield headers.of_text("Subject", subject)
        yield headers.whole("Date", format_datetime(datetime.fromtimestamp(now / 1000, UTC)))
        yield headers.whole("Message-ID", f"<{message.message_id}@{self.sender.rpartition('@')[2]}>")
        if reply_to := self._answers_to(message):
            yield headers.of_mailboxes("Reply-To", reply_to)

    def _from(self, message: Message) -> Mailbox:
        """The sender; a persona of the message's lends its name, never another address."""
        persona = sender_of(message.context)
        return Mailbox(_line(persona["name"] if persona else self._name), self.sender)

    def _answers_to(self, message: Message) -> Sequence[Mailbox]:
        persona = sender_of(message.context)
        own = str(persona["reply_to"] or "") if persona else ""
        return [Mailbox("", own)] if headers.is_address(own) else self._answers


def _told(setting: str, text: str) -> list[Mailbox]:
    found = headers.mailboxes_in(text)
    if not found:
        raise BadInput([f"{setting}: found {text!r}, expected such as Shop <news@shop.example>"])
    return found


def _name(message: Message) -> str:
    salutation = message.context.get("salutation")
    if not isinstance(salutation, Mapping):
        return ""
    names = (str(salutation[key]) for key in ("first_name", "last_name") if salutation.get(key))
    return _line(" ".join(names))


def _line(text: object) -> str:
    """Text that stays within its header."""
    return " ".join(_CONTROL.sub(" ", str(text))[:_LONGEST_NAME].split())
