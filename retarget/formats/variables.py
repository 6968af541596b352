"""What a message says as flat texts: for templates that others keep, such as WhatsApp's or a printer's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.messages import Message, Offer

_OF_PRODUCT: Final = (
    "product_id",
    "name",
    "price",
    "currency",
    "price_as_of",
    "quantity",
    "url",
    "image_url",
)
_OF_NAMES: Final = ("courtesy", "title", "first_name", "last_name")
_CENTS: Final = "{:.2f}"
_NONE: Final[Mapping[str, str]] = {}


def variables_of(message: Message) -> dict[str, str]:
    """Every variable that the message can fill; products count from 1: `product_1_name`."""
    found: dict[str, object] = {
        "salutation": reading.greeting_of(message),
        "link": reading.link_of(message),
        "purl": reading.link(message.purl),
        "why": message.why,
        "purchases": message.context.get("purchases"),
        "expires_at": message.expires_at,
        "sender": reading.part(message.context.get("sender")).get("name"),
        "store": message.context.get("store"),
    }
    names = reading.names_of(message)
    found |= {name: names.get(name) for name in _OF_NAMES}
    found |= _of_offer(message.offer)
    for number, product in enumerate(message.products, 1):
        found |= {f"product_{number}_{key}": value for key, value in product_of(product).items()}
    return _texts(found)


def chosen(message: Message, names: Iterable[str], said: Mapping[str, str] = _NONE) -> dict[str, str]:
    """Those that a template asks for, in its order; in the words of `said`, where that has them.

    Raises Unsendable with the first that is missing.
    """
    known = variables_of(message)
    known |= {name: said[name] for name in known.keys() & said.keys()}
    found = {}
    for name in names:
        if name not in known:
            raise Unsendable("missing_variable", f"the message has no {name}")
        found[name] = known[name]
    return found


def product_of(product: Mapping[str, object]) -> dict[str, str]:
    """What is known of a product; without a name its id stands for it."""
    found = {key: product.get(key) for key in _OF_PRODUCT}
    found["name"] = reading.line(found["name"]) or found["product_id"]
    found["price"] = _money(found["price"])
    found["personalisation"] = ", ".join(_written(product.get("personalisation")))
    found["url"], found["image_url"] = reading.link(found["url"]), reading.link(found["image_url"])
    return _texts(found)


def _written(told: object) -> list[str]:
    """What the person has had written upon it."""
    return [text for one in reading.part(told).values() if (text := reading.line(one)) is not None]


def _texts(found: Mapping[str, object]) -> dict[str, str]:
    return {key: told for key, value in found.items() if (told := reading.line(value)) is not None}


def _of_offer(offer: Offer | None) -> Mapping[str, object]:
    if offer is None:
        return {}
    return {
        "code": offer.code,
        "code_expires_at": offer.expires_at,
        "percent": f"{offer.percent:g}" if offer.percent is not None else None,
        "amount": _money(offer.amount),
        "currency": offer.currency,
        "minimum_basket": _money(offer.minimum_basket),
    }


def _money(amount: object) -> object:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return amount
    return _CENTS.format(amount) if reading.text(amount) is not None else None
