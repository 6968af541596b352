"""Messages as they stand in their topics, and the formatter of each provider by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from retarget.formats import apns, chat, fcm, google, letters, meta, onsite, sms, web_push, whatsapp
from retarget.formats.devices import devices_of
from retarget.formats.letters import Campaign
from retarget.formats.push import Notice
from retarget.formats.request import Request
from retarget.formats.whatsapp import Template
from retarget.messages import Message
from tests.factories import NOON

GOLDEN: Final = Path(__file__).parent / "golden"
P256DH: Final = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
AUTH: Final = "BTBZMqHH6r4Tts7J_aSIgg"
NOTICE: Final = Notice("Your cart is waiting", "Two items are still in it.")

Given = Mapping[str, Any]
Formatter = Callable[[Message, Given], Any]


def a_message(channel: str = "push", **fields: Any) -> Message:  # noqa: ANN401 - any field of a message
    """A marketing message about a cart, due at noon and good for a day."""
    known: dict[str, Any] = {
        "message_id": "0f" * 16,
        "decision_id": "0d" * 16,
        "operation": "send",
        "channel": channel,
        "rule": "abandoned_cart",
        "rule_version": "1",
        "step": 1,
        "person": "u1",
        "user_id": "u1",
        "subject": {"kind": "cart", "id": "k1"},
        "template": "abandoned-cart",
        "purpose": "marketing",
        "legal_basis": "consent",
        "due": "2024-03-01T12:00:00.000Z",
        "decided_at": "2024-03-01T12:00:00.000Z",
        "expires_at": "2024-03-02T12:00:00.000Z",
        "priority": 70,
        "why": "You left something in your cart.",
    }
    return msgspec.convert(known | fields, Message)


def golden(provider: str) -> list[str]:
    """The names of a provider's files."""
    return sorted(path.stem for path in GOLDEN.glob(f"{provider}-*.json"))


def formatted(name: str) -> tuple[Any, Any]:
    """What the file says must come out, and what does."""
    case = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    message = msgspec.convert(case["message"], Message)
    return case["out"], msgspec.to_builtins(FORMATTERS[name.partition("-")[0]](message, case["given"]))


def _push(module: Any) -> Formatter:  # noqa: ANN401 - one of three modules
    def formatter(message: Message, given: Given) -> list[Request]:
        terms = {key: value for key, value in given.items() if key != "notice"}
        notice = Notice(*given["notice"]) if given.get("notice") else None
        return [
            module.request_of(message, device, notice, **terms)
            for device in devices_of(message.to)
            if device.platform == module.__name__.rpartition(".")[2].replace("_", "")
        ]

    return formatter


def _meta(message: Message, given: Given) -> list[Request]:
    return list(meta.requests_of([meta.row_of(message, message.to)], message.operation, given["list_id"]))


def _google(message: Message, given: Given) -> list[Request]:
    members = [google.member_of(message, message.to)]
    return list(google.requests_of(members, message.operation, given["destination"]))


def _whatsapp(message: Message, given: Given) -> Request:
    template = msgspec.convert(given["template"], Template)
    return whatsapp.request_of(message, message.to, template, sender=given["sender"])


def _letters(message: Message, given: Given) -> dict[str, str]:
    campaign = msgspec.convert(given["campaign"], Campaign)
    return letters.record_of(message, message.to, campaign, print_by=given["print_by"])


FORMATTERS: Final[Mapping[str, Formatter]] = {
    "fcm": _push(fcm),
    "apns": _push(apns),
    "webpush": _push(web_push),
    "meta": _meta,
    "google": _google,
    "sms": lambda message, given: sms.request_of(message, message.to, **given),
    "whatsapp": _whatsapp,
    "letters": _letters,
    "onsite": lambda message, given: onsite.request_of(message, **given),
    "chat": lambda message, given: chat.request_of(message, **given),
}
# What the shop's own service answers; the people of the cases have told next to nothing.
LOOKED_UP: Final[dict[str, Any]] = {
    "email": "ann@example.com",
    "phone": "+49 170 1234567",
    "address": {"street": "Hauptstr. 5", "postal_code": "10115", "city": "Berlin", "country": "DE"},
    "push_tokens": [
        "t1", {"platform": "ios", "token": "ab" * 32},
        {"endpoint": "https://push.example/1", "keys": {"p256dh": P256DH, "auth": AUTH}},
    ],
}  # fmt: skip
# What each formatter needs beside the message.
TERMS: Final[Mapping[str, Given]] = {
    "fcm": {"now": NOON, "project": "shop", "notice": [*NOTICE]},
    "apns": {"now": NOON, "topic": "example.shop.app", "notice": [*NOTICE]},
    "webpush": {"now": NOON, "notice": [*NOTICE]},
    "meta": {"list_id": "1234567890"},
    "google": {
        "destination": {
            "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": "1234567890"},
            "productDestinationId": "9876543210",
        }
    },
    "sms": {
        "text": "Your cart is waiting: https://go.shop.example/p/x",
        "sender": "SHOP",
        "stop": "STOP to 12345",
    },
    "whatsapp": {
        "template": {
            "name": "abandoned_cart",
            "languages": ["en", "de"],
            "variables": ["salutation", "link"],
        },
        "sender": "106540352242922",
    },
    "letters": {
        "campaign": {"name": "brochure", "variables": ["salutation"]},
        "print_by": NOON + 6 * 3_600_000,
    },
    "onsite": {"now": NOON, "placement": "list-top"},
    "chat": {"now": NOON},
}
