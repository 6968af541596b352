"""Chat: what the person is told, and what the agent who takes over should know, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from retarget.formats import reading
from retarget.formats.request import Request
from retarget.formats.variables import product_of
from retarget.messages import Message, Offer

_LISTED: Final = 5
_MANY: Final = 1_000_000
_COUNTED: Final = (
    ("viewed", "Has looked at {} in the last two weeks."),
    ("in_carts", "Has {} in the cart."),
    ("wished", "Has {} on the wish list."),
)
_ABOUT: Final = {
    "cart": "their cart",
    "checkout": "their checkout",
    "session": "this visit",
    "person": "the shop",
}


def request_of(message: Message, *, now: int) -> Request:
    """An offer of advice for the chat's service, which opens no window by itself. Raises Unsendable."""
    reading.only(message, "send", "recall")
    body: dict[str, Any] = {
        "message_id": message.message_id,
        "operation": message.operation,
        "recall_of": message.recall_of,
        "user_id": message.user_id,
        "anonymous_id": message.anonymous_id,
    }
    return Request(path="/handovers", body=body | _told(message, now))


def summary_of(message: Message) -> list[str]:
    """The journey in sentences, the most useful first; nothing that the message does not say."""
    told = [_about(message), _seen(message), _bought(message), _offered(message.offer), *_journey(message)]
    return [sentence for sentence in told if sentence]


def _told(message: Message, now: int) -> dict[str, Any]:
    if message.operation == "recall":
        return {}
    return {
        "ttl_s": reading.seconds_left(message, now),
        "interrupts": False,
        "offers_advice": True,
        "template": message.template,
        "locale": message.locale,
        "greeting": reading.greeting_of(message),
        "summary": summary_of(message),
        "products": [product_of(one) for one in message.products],
        "transcript": reading.line(message.context.get("transcript")),
        "why": message.why,
    }


def _about(message: Message) -> str:
    subject = message.subject
    named = _ABOUT.get(subject.kind) or f"{subject.kind} {reading.line(subject.id) or ''}".strip()
    return f"It is about {named}."


def _seen(message: Message) -> str:
    shown = [_product(product_of(one)) for one in message.products]
    named = [one for one in shown if one]
    more = len(named) - _LISTED
    listed = "; ".join(named[:_LISTED]) + (f"; and {more} more" if more > 0 else "")
    return f"Products: {listed}." if named else ""


def _product(known: dict[str, str]) -> str:
    price = " ".join(known[key] for key in ("price", "currency") if key in known)
    since = f" as of {known['price_as_of'][:10]}" if price and "price_as_of" in known else ""
    written = f", with “{known['personalisation']}”" if "personalisation" in known else ""
    return known.get("name", "") + written + (f" ({price}{since})" if price else "")


def _bought(message: Message) -> str:
    count = message.context.get("purchases")
    if count == 0 and not isinstance(count, bool):
        return "Has not bought anything yet."
    if not _is_count(count):
        return ""
    return "Has bought once." if count == 1 else f"Has bought {count} times."


def _offered(offer: Offer | None) -> str:
    return "" if offer is None else f"Has the code {offer.code}, good until {offer.expires_at}."


def _journey(message: Message) -> list[str]:
    context = message.context
    store, place = reading.line(context.get("store")), reading.part(context.get("location"))
    city = reading.line(place.get("city"))
    return [
        *_so_far(reading.part(context.get("journey"))),
        f"Was last in the store {store}." if store else "",
        f"Is in or near {city}." if city else "",
    ]


def _so_far(journey: Mapping[str, object]) -> list[str]:
    counts = [(journey.get(key), sentence) for key, sentence in _COUNTED]
    return [sentence.format(_products(n)) for n, sentence in counts if _is_count(n)]


def _products(count: int) -> str:
    return "1 product" if count == 1 else f"{count} products"


def _is_count(told: object) -> TypeGuard[int]:
    return isinstance(told, int) and not isinstance(told, bool) and 0 < told < _MANY
