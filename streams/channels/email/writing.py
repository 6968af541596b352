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
from typing import Any, Final

from retarget.messages import Message
from streams.channels.email.links import Seal
from streams.channels.templates import NotWritten, Templates

# Python would fold a long link as if it were words, and no provider could read it any more.
_WIRE: Final = SMTP.clone(max_line_length=900)
_PRODUCT: Final = ("product_id", "name", "price", "price_as_of", "url", "image_url", "quantity", "category")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME: Final = 100
# 64 characters before the @ and 255 behind it, by RFC 5321.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,255}$)"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class Writer:
    """Writes mails from one sender."""

    def __init__(self, sender: str, reply_to: str, templates: Templates, seal: Seal | None) -> None:
        """Raises ValueError for a sender that is no address. Without a `seal` there is no unsubscribe."""
        self._name, self.sender = parseaddr(sender)
        if not _ADDRESS.fullmatch(self.sender):
            raise ValueError(sender)
        self._reply_to, self._templates, self._seal = reply_to, templates, seal

    def write(self, message: Message, address: str, now: int) -> bytes:
        """The mail to this address, at `now` (epoch ms). Raises NotWritten."""
        if not _ADDRESS.fullmatch(address) or ".." in address or address.startswith("."):
            raise NotWritten("bad_address", "the address is none that mail can be sent to")
        label, locale = message.template or "", message.locale
        link = self._seal.link(message) if self._seal else None
        values = values_of(message, link)
        mail = EmailMessage(policy=SMTP)
        try:
            mail["From"] = self._from(message)
            mail["To"] = Address(display_name=_name(message), addr_spec=address)
            mail["Subject"] = self._templates.block(label, "subject", values, locale=locale)
            mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
            mail["Message-ID"] = f"<{message.message_id}@{self.sender.rpartition('@')[2]}>"
            if self._reply_to:
                mail["Reply-To"] = self._reply_to
            if link is not None and message.purpose != "transactional":
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
        persona = message.context.get("sender")
        given = persona.get("name") if isinstance(persona, Mapping) else None
        return Address(display_name=_line(given) if given else self._name, addr_spec=self.sender)


def values_of(message: Message, unsubscribe: str | None) -> dict[str, Any]:
    """What a template can speak of."""
    context = message.context
    return {
        "salutation": greeting(context.get("salutation")),
        "products": [product_of(one) for one in message.products],
        "offer": message.offer,
        "purl": message.purl,
        "purchases": context.get("purchases", 0),
        "subject_id": message.subject.id,
        "why": message.why,
        "step": message.step,
        "context": context,
        "sender": context.get("sender"),
        "unsubscribe": unsubscribe,
        "purpose": message.purpose,
        "currency": context.get("currency"),
    }


def product_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """A product of which every field can be asked for; links that are none of the web's are left out."""
    known = {key: found.get(key) for key in _PRODUCT} | dict(found)
    for key in ("url", "image_url"):
        if not str(known[key] or "").startswith(("https://", "http://")):
            known[key] = None
    return known | {"name": known["name"] or known["product_id"]}


def greeting(salutation: object) -> str:
    """How the person is greeted: as the message says, else by the first name, else neutrally."""
    if isinstance(salutation, str) and salutation:
        return salutation
    if isinstance(salutation, Mapping):
        for key in ("text", "line"):
            if salutation.get(key):
                return str(salutation[key])
        if salutation.get("first_name"):
            return f"Hello {salutation['first_name']},"
    return "Hello,"


def _name(message: Message) -> str:
    salutation = message.context.get("salutation")
    if not isinstance(salutation, Mapping):
        return ""
    names = (str(salutation[key]) for key in ("first_name", "last_name") if salutation.get(key))
    return _line(" ".join(names))


def _line(text: object) -> str:
    """Text that stays within its header."""
    return _CONTROL.sub(" ", str(text))[:_LONGEST_NAME].strip()
