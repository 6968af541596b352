"""What a template can speak of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from retarget.formats import reading
from retarget.messages import Message, Offer
from streams.channels import regions
from streams.channels.languages import language_of, words

_PRODUCT: Final = (
    "product_id",
    "name",
    "price",
    "price_as_of",
    "url",
    "image_url",
    "quantity",
    "category",
    "currency",
)
# A name that is longer would be all that anybody sees of a subject.
_LONGEST: Final = 200
# Of the web, and in one piece.
_LINK: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]+")


def values_of(message: Message, unsubscribe: str | None) -> dict[str, Any]:
    """What a template can speak of."""
    context = message.context
    return {
        "salutation": greeting(context.get("salutation")),
        "products": [product_of(one) for one in message.products],
        "offer": message.offer,
        "purl": message.purl,
        "purchases": context.get("purchases", 0),
        "subject_id": reading.line(message.subject.id) or "",
        "store": reading.line(context.get("store")),
        "why": message.why,
        "step": message.step,
        "context": context,
        "sender": sender_of(context),
        "unsubscribe": unsubscribe,
        "purpose": message.purpose,
        "ordinal": context.get("purchase_ordinal", 0),
        "language": spoken(message),
        "locale": message.locale,
        "timezone": message.timezone,
    }


def spoken(message: Message) -> str:
    """The language of the greeting; where that does not say, of the person."""
    salutation = message.context.get("salutation")
    said = salutation.get("language") if isinstance(salutation, Mapping) else None
    return language_of(said or message.locale)


def in_their_words(message: Message) -> Message:
    """The message with its reason in the language of its greeting, where there are words for it."""
    why = words(spoken(message)).get(message.why, message.why)
    return msgspec.structs.replace(message, why=why)


def figures_of(message: Message) -> dict[str, str]:
    """Variables that are amounts or times, as they are written where the message goes."""
    locale = regions.locale_of(spoken(message), message.locale)

    def price(amount: object) -> str:
        return regions.price(amount, None, locale) if isinstance(amount, int | float) else ""

    def moment(told: object) -> str:
        return regions.moment(told, locale, message.timezone) if isinstance(told, str) else ""

    offer = message.offer or Offer(kind="percent", code="", expires_at="")
    found = {
        "expires_at": moment(message.expires_at),
        "code_expires_at": moment(offer.expires_at),
        "percent": "" if offer.percent is None else regions.number(offer.percent, locale),
        "amount": price(offer.amount),
        "minimum_basket": price(offer.minimum_basket),
    }
    for place, product in enumerate(message.products, 1):
        since = product.get("price_as_of")
        day = regions.day(since, locale, message.timezone) if isinstance(since, str) else ""
        found |= {f"product_{place}_price": price(product.get("price")), f"product_{place}_price_as_of": day}
    return {name: text for name, text in found.items() if text}


def sender_of(context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Who of the shop writes, with all that can be asked for; None where nobody is named."""
    given = context.get("sender")
    if not isinstance(given, Mapping) or not given.get("name"):
        return None
    return {key: given.get(key) for key in ("id", "name", "role", "photo", "signature", "reply_to")}


def product_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """A product of which every field can be asked for, its texts each on one line.

    Links that are none of the web's are left out, and prices that nobody would pay.
    """
    known = {key: found.get(key) for key in _PRODUCT} | dict(found)
    for key in ("url", "image_url"):
        if not _LINK.fullmatch(str(known[key] or "")):
            known[key] = None
    if isinstance(known["price"], int | float) and known["price"] < 0:
        known["price"] = None
    if isinstance(known["quantity"], float) and known["quantity"].is_integer():
        known["quantity"] = int(known["quantity"])
    name = reading.line(known["name"]) or reading.line(known["product_id"]) or ""
    written = _written(found.get("personalisation"))
    return known | {"name": _cut(name), "personalisation": written}


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"


def _written(told: object) -> dict[str, str]:
    """What the person has had written upon it, by name; empty where nothing is."""
    lines = {str(name): reading.line(text) for name, text in reading.part(told).items()}
    return {name: text for name, text in lines.items() if text}


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
