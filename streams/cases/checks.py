"""What is wrong between the keys of a file of cases.

As in `retarget.rules.checks`, values may be missing or BAD: their problems have been noted already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget import catalogue
from retarget.decode import from_mapping
from retarget.errors import Rejected
from retarget.rules.checks import drafts
from retarget.rules.names import shown, unknown
from retarget.rules.places import Place
from retarget.rules.records import Values
from retarget.rules.shapes import BAD
from retarget.touchpoints import IMPERSONAL

# What a record of the catalogue has.
_LISTED: Final = ("product", "price", "stock", "margin", "expires")
# What the decoder is to look at; everything else has a shape of its own.
_FREE: Final = ("campaign", "geo", "traits")


def event(values: Values, at: Place) -> None:
    """Products are told in one way, and free fields are such as a touchpoint can have."""
    if "products" in values and "items" in values:
        at.child("items").problem("found items beside products; known: one of them")
    if values.get("type") in IMPERSONAL:
        known = ("at", "id", "type") if values["type"] == "heartbeat" else ("at", "id", "items", "type")
        for key in values.keys() - {*known}:
            at.child(key).problem(
                f"found {key} in a {values['type']}, about nobody; known: {', '.join(known)}"
            )
    if values.get("type") == catalogue.TYPE:
        _listed(values, at)
    else:
        for key in values.keys() & {*_LISTED}:
            at.child(key).problem(f"found {key} in a touchpoint; known: type: {catalogue.TYPE}, or items")
    for key in _FREE:
        if isinstance(values.get(key), Mapping):
            _decoded(key, values[key], at.child(key))


def _listed(values: Values, at: Place) -> None:
    """A record of the catalogue names one product and says something of it, and nothing of anybody."""
    known = ("at", "id", "type", *_LISTED)
    for key in values.keys() - {*known}:
        at.child(key).problem(f"found {key} in a record of the catalogue; known: {', '.join(known)}")
    if "product" not in values:
        at.child("product").problem("missing; known: the product that the record is about")
    if not values.keys() & {*_LISTED[1:]}:
        at.problem(f"found nothing that the catalogue says; known: {', '.join(_LISTED[1:])}")


def _decoded(key: str, value: object, at: Place) -> None:
    try:
        from_mapping({"type": "page", "user_id": "u", key: value})
    except Rejected as refused:
        at.problem(refused.detail)


def expected(values: Values, at: Place) -> None:
    """Only a message has a template and the like; only what did not come needs a channel beside its kind."""
    for key in ("template", "offer", "good_until", "products"):
        if key in values and "sent" not in values:
            at.child(key).problem(f"found {key} without sent; known: sent, of which it is a part")
    if "channel" in values and not {"suppressed", "deferred"} & values.keys():
        at.child("channel").problem("found channel; known: with suppressed or deferred; else sent: CHANNEL")


def case(values: Values, at: Place) -> None:
    """Waits are looked at where the clock stops; known people have traits of their own."""
    if "waits" in values and "until" not in values:
        at.child("waits").problem("found waits without until; known: until, when they are looked at")
    if isinstance(values.get("traits"), Mapping):
        _decoded("traits", values["traits"], at.child("traits"))


def file(values: Values, at: Place) -> None:
    """Names of cases are different, and products are among those of the file."""
    _names(values, at)
    products = values.get("products")
    if isinstance(products, dict):
        _known_products(values, products, at)


def _names(values: Values, at: Place) -> None:
    seen: set[str] = set()
    for place, _, found in drafts(values, "cases", at):
        name = found.get("case")
        if isinstance(name, str) and name in seen:
            place.child("case").problem(
                f"found {shown(name)} a second time; known: another sentence for each case"
            )
        elif isinstance(name, str):
            seen.add(name)


def _known_products(values: Values, products: Mapping[str, Any], at: Place) -> None:
    for place, _, one in drafts(values, "cases", at):
        for key in ("events", "expect"):
            for here, _, found in drafts(one, key, place):
                named = found.get("products")
                for index, product in enumerate(named if isinstance(named, tuple) else ()):
                    if product is not BAD and product not in products:
                        here.child("products").child(index).problem(unknown("product", product, products))
