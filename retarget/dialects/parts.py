"""What the dialects have in common: objects within objects, numbers as text, types by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from retarget.decode import read_object
from retarget.errors import Rejected
from retarget.touchpoints import TYPES

# Properties that mean in every dialect what they mean in ours.
SAME: Final = frozenset(
    {"session_id", "cart_id", "checkout_id", "order_id", "device_id", "store_id", "currency", "coupon",
     "query", "dwell_ms", "position", "sentiment", "channel", "geo"}
)  # fmt: skip
_OF_CONSENT: Final = ("purpose", "channel", "state", "basis", "text_version")
# utm_medium is free text: the words that are common for each kind of reach.
_MEDIA: Final = {
    **dict.fromkeys(("cpc", "ppc", "cpm", "paid", "paid_social", "display", "banner", "retargeting"), "paid"),
    **dict.fromkeys(("email", "e-mail", "newsletter", "push", "sms", "owned"), "owned"),
    **dict.fromkeys(("organic", "referral", "social", "earned"), "earned"),
}


def inner(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object in a field; empty without one. Raises Rejected for anything else."""
    given = record.get(key)
    if given is None:
        return {}
    return given if isinstance(given, dict) else read_object(given, key)


def number(given: object) -> object:
    """A number that was sent as text as the number; the canonical reader judges the rest."""
    if isinstance(given, str):
        try:
            read = float(given)
        except ValueError:
            return given
        return read if isfinite(read) else given
    return given


def same(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that have our names and something in them."""
    found = {key: value for key, value in properties.items() if key in SAME and value is not None}
    for key in ("dwell_ms", "position"):
        if key in found:
            found[key] = number(found[key])
    return found


def consent(kind: str, properties: Mapping[str, Any]) -> object:
    """What an event named after our `consent` says in its properties, in an object or flat."""
    given = properties.get("consent")
    if kind != "consent" or isinstance(given, dict):
        return given
    return {name: properties[name] for name in _OF_CONSENT if properties.get(name) is not None} or None


def item(product: object, names: Mapping[str, str], field: str) -> dict[str, Any]:
    """An item of ours; `names` are the producer's names for our fields, best first. Raises Rejected."""
    if not isinstance(product, dict):
        raise Rejected("bad_field", f"{field} must be a list of objects")
    found: dict[str, Any] = {}
    for theirs, ours in names.items():
        if ours not in found and (given := product.get(theirs)) is not None:
            found[ours] = number(given) if ours in ("price", "quantity") else given
    return found


def items(products: object, names: Mapping[str, str], field: str) -> list[dict[str, Any]]:
    """The items of a list of products; none without one. Raises Rejected."""
    if products is None:
        return []
    if not isinstance(products, list):
        raise Rejected("bad_field", f"{field} must be a list of objects")
    return [item(one, names, field) for one in products]


def only(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The one event in a list of them. Raises Rejected: a record is about one thing that happened."""
    given = record.get(key)
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        count = len(given) if isinstance(given, list) else "no list of"
        raise Rejected("bad_field", f"{key} has {count} events; write each as a record of its own")
    return given[0]


def type_named(name: str) -> str:
    """The type of ours that an event is named after, as `Store Visit`; else `custom`."""
    word = name.strip().lower().replace(" ", "_")
    return word if word in TYPES else "custom"


def medium(utm_medium: object) -> str | None:
    """Paid, owned or earned, for the usual words."""
    return _MEDIA.get(utm_medium.casefold()) if isinstance(utm_medium, str) else None


def present(**fields: object) -> dict[str, Any]:
    """The fields that have something in them."""
    return {
        name: value
        for name, value in fields.items()
        if value or (value is not None and not isinstance(value, dict | list))
    }
