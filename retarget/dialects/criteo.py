"""Criteo's OneTag: one event with what says whose it is, alone or in the `events` of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget.decode import from_mapping
from retarget.dialects import parts
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

_TYPES: Final = {
    "viewitem": "view",
    "viewlist": "list_view",
    "viewcategory": "list_view",
    "viewsearchresult": "search",
    "viewbasket": "cart_view",
    "addtocart": "add",
    "begincheckout": "checkout",
    "addpaymentinfo": "checkout",
    "tracktransaction": "purchase",
    "viewhome": "page",
    "viewpage": "page",
    "viewstore": "store_visit",
    "login": "identify",
}
_ITEM: Final = {
    "id": "product_id", "product_id": "product_id", "variant_id": "variant_id", "name": "name",
    "category": "category", "brand": "brand", "price": "price", "quantity": "quantity", "url": "url",
    "image_url": "image_url",
}  # fmt: skip
# These say something of the visitor; an event of theirs alone is an `identify`.
_SETTING: Final = "set"


def is_criteo(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a call of the OneTag or a request with calls."""
    if isinstance(record.get("events"), list) and ("account" in record or "id" in record):
        return _named(record["events"][:1])
    event = record.get("event")
    return (
        isinstance(event, str)
        and (event.lower() in _TYPES or event.startswith(_SETTING))
        and "type" not in record
    )


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of one event and the settings beside it. Raises Rejected."""
    calls = record.get("events", [record])
    if not isinstance(calls, list) or not _named(calls):
        raise Rejected(
            "unknown_dialect", "there is neither event nor a list of events; see the dialect criteo"
        )
    settings = {one["event"].lower(): one for one in calls if one["event"].startswith(_SETTING)}
    happened = [one for one in calls if not one["event"].startswith(_SETTING)]
    if len(happened) > 1:
        said = f"events has {len(happened)} events; write each as a record of its own"
        raise Rejected("bad_field", said)
    whole = record if "events" in record else {}
    return _touchpoint(happened[0] if happened else {"event": "login"}, settings, whole)


def _touchpoint(
    event: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any]
) -> Touchpoint:
    name = event["event"]
    kind = _TYPES.get(name.lower()) or parts.type_named(name)
    return from_mapping(
        parts.same(event)
        | _person(event, settings, record)
        | parts.present(
            type=kind,
            name=name,
            id=event.get("event_id"),
            time=event.get("timestamp", record.get("timestamp")),
            order_id=_order(name, event),
            items=_items(event),
            value=parts.number(event.get("value")),
            query=event.get("keywords", event.get("query")),
            source=event.get("source"),
            traits=_traits(event, settings, record),
            consent=parts.consent(kind, event),
        )
    )


def _person(
    event: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any]
) -> dict[str, Any]:
    ids = record.get("id") if isinstance(record.get("id"), dict) else {}
    known = (
        settings.get("setcustomerid", {}).get("id") or event.get("customer_id") or record.get("customer_id")
    )
    visitor = settings.get("setretailervisitorid", {}).get("id") or event.get("retailer_visitor_id")
    other = visitor or record.get("retailer_visitor_id") or (ids or {}).get("mapped_user_id")
    return {"user_id": known, "anonymous_id": other}


def _traits(
    event: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any]
) -> dict[str, Any]:
    """Hashed addresses reach nobody, so only plain ones count."""
    ids = record.get("id") if isinstance(record.get("id"), dict) else {}
    hashed = (ids or {}).get("email")
    raw = hashed.get("raw") if isinstance(hashed, dict) else None
    said = settings.get("setemail", {})
    mail = raw if said.get("hash_method") else said.get("email", raw)
    given = event.get("traits")
    zipcode = settings.get("setzipcode", {}).get("zipcode")
    return (given if isinstance(given, dict) else {}) | parts.present(
        email=mail if isinstance(mail, str) and "@" in mail else None, postal_code=zipcode
    )


def _order(name: str, event: Mapping[str, Any]) -> object:
    own = event.get("id") if name.lower() == "tracktransaction" else None
    return event.get("order_id") or event.get("transaction_id") or own


def _items(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`item` may be an id, a product, or a list of either; `product` is its name in older calls."""
    given = event.get("item", event.get("product"))
    several = given if isinstance(given, list) else [] if given is None else [given]
    found = [one if isinstance(one, dict) else {"id": one} for one in several]
    shared = {key: event[key] for key in ("price", "quantity") if key in event and len(found) == 1}
    category = {"category": event["category"]} if isinstance(event.get("category"), str) else {}
    return [parts.item({**category, **shared, **one}, _ITEM, "item") for one in found]


def _named(calls: object) -> bool:
    return (
        isinstance(calls, list)
        and bool(calls)
        and all(isinstance(one, dict) and isinstance(one.get("event"), str) for one in calls)
    )
