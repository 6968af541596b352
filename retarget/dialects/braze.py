"""Braze: events, attributes and purchases of `/users/track`, one in a record, and events of Currents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget.decode import from_mapping
from retarget.dialects import parts
from retarget.dialects.names import remembered
from retarget.errors import Rejected
from retarget.times import SECOND
from retarget.touchpoints import Touchpoint

# A soft bounce is none of these: a full mailbox, or a relay that is away, says nothing of the address.
_TYPES: Final = {
    "ecommerce.product_viewed": "view",
    "ecommerce.checkout_started": "checkout",
    "ecommerce.order_placed": "purchase",
    "ecommerce.order_refunded": "refund",
    "ecommerce.order_cancelled": "cancel",
    "users.behaviors.app.sessionstart": "session",
    "users.behaviors.app.firstsession": "app_open",
    "users.messages.email.delivery": "email_delivered",
    "users.messages.email.open": "email_open",
    "users.messages.email.click": "email_click",
    "users.messages.email.bounce": "email_bounce",
    "users.messages.email.markasspam": "email_spam",
    "users.messages.email.unsubscribe": "unsubscribe",
    "users.messages.pushnotification.send": "push_received",
    "users.messages.pushnotification.open": "push_open",
    "users.messages.pushnotification.bounce": "push_bounce",
    "users.messages.sms.inboundreceive": "chat",
    "users.messages.whatsapp.inboundreceive": "chat",
}
_CART: Final = "ecommerce.cart_updated"
_BOUGHT: Final = "users.behaviors.purchase"
# A cart is told whole, unless the event says otherwise.
_ACTIONS: Final = {"add": "add", "remove": "remove", "replace": "cart"}
_ITEM: Final = {
    "product_id": "product_id", "variant_id": "variant_id", "product_name": "name", "category": "category",
    "brand": "brand", "price": "price", "quantity": "quantity", "product_url": "url",
    "image_url": "image_url",
}  # fmt: skip
# `subscribed` is what everybody is there who has said nothing.
_STATES: Final = {"optedin": "granted", "unsubscribed": "revoked"}
_STATE_CHANGED: Final = "users.behaviors.subscription.globalstatechange"
_PERSON: Final = ("external_id", "user_alias", "braze_id", "external_user_id")
OF_CAMPAIGN: Final = {
    "campaign_id": "id", "campaign_name": "name", "message_id": "message_id", "url": "purl",
}  # fmt: skip


def is_braze(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is something of `/users/track` or of Currents."""
    kind = record.get("event_type")
    if isinstance(kind, str) and kind.startswith("users."):
        return True
    if any(name in record for name in _PERSON):
        return True
    listed: list[Any] = next((record[name] for name in _LISTS if isinstance(record.get(name), list)), [])
    return bool(listed) and isinstance(listed[0], dict) and is_braze(listed[0])


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of one event, set of attributes or purchase. Raises Rejected."""
    for name, read in _LISTS.items():
        if isinstance(record.get(name), list):
            return read(parts.only(record, name))
    if isinstance(record.get("event_type"), str):
        return _current(record)
    if isinstance(record.get("name"), str):
        return _event(record)
    return _purchase(record) if "product_id" in record else _attributes(record)


def _event(event: Mapping[str, Any]) -> Touchpoint:
    name = event.get("name")
    if not isinstance(name, str):
        raise Rejected("bad_field", "name is missing; an event of Braze has a name and a time")
    return _touchpoint(name, _properties(event), event.get("time"), _person(event), event.get("event_id"))


def _current(event: Mapping[str, Any]) -> Touchpoint:
    """Times are in seconds there, and the name of a custom event is a field."""
    properties = _properties(event)
    name, user = str(event["event_type"]), parts.inner(event, "user")
    time, person = event.get("time"), _person({**user, **event})
    if isinstance(time, int) and not isinstance(time, bool):
        time *= SECOND
    if name.lower() == _BOUGHT:
        return parts.touchpoint(_bought(event, properties, name, person) | {"id": event.get("id")}, time)
    if name.lower().endswith("customevent"):
        name = str(event.get("name") or properties.get("name") or "")
        properties = _properties(properties) or properties
    if name.lower() == _STATE_CHANGED and (state := _state(properties.get("subscription_status"))):
        channel = str(properties.get("channel") or "email").lower()
        name = "consent"
        properties = {"consent": {"purpose": "marketing", "channel": channel, "state": state}}
    return _touchpoint(name, properties, time, person, event.get("id"))


def _touchpoint(
    name: str, properties: Mapping[str, Any], time: object, person: dict[str, Any], id_: object
) -> Touchpoint:
    products = properties.get("products")
    if products is None and properties.get("product_id") is not None:
        products = [properties]
    kind = type_of(name, str(properties.get("action", "replace")))
    found = {
        **properties,
        "type": kind,
        "name": name,
        "id": id_,
        **person,
        "items": parts.items(products, _ITEM, "properties.products"),
        "value": parts.number(parts.first(properties, "total_value", "value")),
        "source": properties.get("source"),
        "medium": None,
        "coupon": _coupon(properties),
        "campaign": None if OF_CAMPAIGN.keys().isdisjoint(properties) else _campaign(properties),
        "traits": properties.get("traits") or None,
        "consent": parts.consent(kind, properties),
        "trace": None,
    }
    return parts.touchpoint(found, time)


def type_of(name: str, action: str) -> str:
    """Our type for the name of an event; `action`: what an event of a cart says was done to it."""
    kind = _named(name)
    return _ACTIONS.get(action.lower(), "cart") if kind == _CART else kind


@remembered
def _named(name: str) -> str:
    known = name.lower()
    return known if known == _CART else _TYPES.get(known) or parts.type_named(name)


def _purchase(purchase: Mapping[str, Any]) -> Touchpoint:
    given, person = parts.inner(purchase, "properties"), _person(purchase)
    return parts.touchpoint(_bought(purchase, given, "purchase", person), purchase.get("time"))


def _bought(
    purchase: Mapping[str, Any], properties: Mapping[str, Any], name: str, person: dict[str, Any]
) -> dict[str, Any]:
    """The fields of a purchase, whose one product stands in it and not among its properties."""
    own = {key: purchase.get(key) for key in ("product_id", "currency", "price", "quantity")}
    bought = {**properties, **own}
    product = parts.item(bought, _ITEM, "purchases")
    return {**bought, **parts.OWN, "type": "purchase", "name": name, **person, "items": [product]}


def _attributes(attributes: Mapping[str, Any]) -> Touchpoint:
    hidden = {*_PERSON, "push_token_import", "_update_existing_only"}
    traits = {key: value for key, value in attributes.items() if key not in hidden and value is not None}
    if "language" in traits:
        traits.setdefault("locale", traits["language"])
    if "time_zone" in traits:
        traits.setdefault("timezone", traits["time_zone"])
    states = {name: _state(attributes.get(f"{name}_subscribe")) for name in ("email", "push")}
    channels = {name: state for name, state in states.items() if state}
    consent = {"purpose": "marketing", "channels": channels} if channels else None
    return from_mapping(_person(attributes) | parts.present(type="identify", traits=traits, consent=consent))


def _state(given: object) -> str | None:
    """What a state of subscription means for consent; Currents writes `Opted In`."""
    return _STATES.get(given.lower().replace("_", "").replace(" ", "")) if isinstance(given, str) else None


def _person(given: Mapping[str, Any]) -> dict[str, Any]:
    alias = parts.inner(given, "user_alias").get("alias_name") if "user_alias" in given else None
    known = parts.first(given, "external_id", "external_user_id")
    other = alias or given.get("braze_id") or given.get("user_id") or given.get("device_id")
    return {"user_id": known, "anonymous_id": other}


def _properties(event: Mapping[str, Any]) -> dict[str, Any]:
    return parts.written(event, "properties")  # Currents writes them as text


def _coupon(properties: Mapping[str, Any]) -> object:
    discounts = properties.get("discounts")
    first = discounts[0] if isinstance(discounts, list) and discounts else None
    return first.get("code") if isinstance(first, dict) else properties.get("coupon")


def _campaign(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    given = {ours: properties.get(theirs) for theirs, ours in OF_CAMPAIGN.items()}
    return {name: one for name, one in given.items() if one is not None} or None


# What a request of /users/track lists, and how one of each is read.
_LISTS: Final = {"events": _event, "attributes": _attributes, "purchases": _purchase}
