"""Calls of Criteo's OneTag as they usually are: one event with the settings beside it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retarget.dialects.criteo import SETTING, type_of
from retarget.dialects.strict.shared import Properties, Reader, add, consent_in, strictly, telling, time_of
from retarget.touchpoints import Id, Item, Touchpoint


class _Product(Item, gc=False):
    id: Id | None = None


class _Call(Properties, frozen=True, gc=False):
    event: str = ""
    id: Id | None = None
    email: str | None = None
    hash_method: Any = None
    event_id: Id | None = None
    customer_id: Id | None = None
    retailer_visitor_id: Id | None = None
    timestamp: str | int | None = None
    transaction_id: Id | None = None
    item: list[_Product] | None = None
    keywords: str | None = None
    # What is shared by the products, or is written in some other way.
    price: Any = None
    quantity: Any = None
    category: Any = None
    product: Any = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    events: list[_Call]
    customer_id: Id | None = None
    retailer_visitor_id: Id | None = None
    timestamp: str | int | None = None
    id: Any = None


def _touchpoint(request: _Request) -> Touchpoint | None:  # noqa: C901 - one case for each kind of call
    event = customer = visitor = mail = None
    for call in request.events:
        name = call.event
        if not name.startswith(SETTING):
            if event is not None or not name:
                return None
            event = call
        elif name == "setCustomerId":
            customer = call.id
        elif name == "setRetailerVisitorId":
            visitor = call.id
        elif name == "setEmail":
            mail = call
        elif name not in _SAY_NOTHING:
            return None
    if event is None or request.id is not None:
        return None
    if (event.price, event.quantity, event.category, event.product) != (None, None, None, None):
        return None
    kind = type_of(event.event)
    touchpoint = Touchpoint(
        id=event.event_id,
        type=kind,
        name=event.event,
        user_id=customer or event.customer_id or request.customer_id,
        anonymous_id=visitor or event.retailer_visitor_id or request.retailer_visitor_id,
        session_id=event.session_id,
        device_id=event.device_id,
        items=_items(event.item) if event.item else [],
        consent=consent_in(kind, event),
    )
    add(touchpoint, event)
    time = request.timestamp if event.timestamp is None else event.timestamp
    if time is not None:
        touchpoint.time = time_of(time)
    touchpoint.value, touchpoint.source, touchpoint.channel = event.value, event.source, event.channel
    touchpoint.order_id = event.order_id or event.transaction_id
    if event.id is not None and touchpoint.order_id is None and event.event.lower() == "tracktransaction":
        touchpoint.order_id = event.id
    touchpoint.query = event.query if event.keywords is None else event.keywords
    touchpoint.traits = event.traits or None
    if mail is not None and mail.email is not None and "@" in mail.email and not mail.hash_method:
        touchpoint.traits = (event.traits or {}) | {"email": mail.email}
    return touchpoint


def _items(products: list[_Product]) -> list[Item]:
    return [
        Item(
            product_id=one.product_id if one.id is None else one.id, variant_id=one.variant_id, name=one.name,
            category=one.category, brand=one.brand, price=one.price, quantity=one.quantity, url=one.url,
            image_url=one.image_url,
        )
        for one in products
    ]  # fmt: skip


_SAY_NOTHING: Final = frozenset({"setAccount", "setSiteType"})
read: Final[Reader] = strictly(_Request, _touchpoint)
_ABSENT: Final = (
    "specversion", "type", "collector_tstamp", "client_id", "app_instance_id", "event_name", "data",
)  # fmt: skip
told: Final = (telling(_Request, _touchpoint, {"account": Any}, _ABSENT),)
