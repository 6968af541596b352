"""Criteo's OneTag: one event with what says whose it is, alone or in the `events` of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget.dialects import parts
from retarget.dialects.names import remembered
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
SETTING: Final = "set"


def is_criteo(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a call of the OneTag or a request with calls."""
    if isinstance(record.get("events"), list) and ("account" in record or "id" in record):
        return _named(record["events"][:1])
    event = record.get("event")
    return (
        isinstance(event, str)
        and (event.lower() in _TYPES or event.startswith(SETTING))
        and "type" not in record
    )


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of one event and the settings beside it. Raises Rejected."""
    calls = record.get("events", [record])
    if not isinstance(calls, list) or not _named(calls):
        raise Rejected(
            "unknown_dialect", "there is neither event nor a list of events; see the dialect criteo"
        )
    settings: dict[str, Mapping[str, Any]] = {}
    happened: list[Mapping[str, Any]] = []
    for one in calls:
        if one["event"].startswith(SETTING):
            settings[one["event"].lower()] = one
        else:
            happened.append(one)
    if len(happened) > 1:
        said = f"events has {len(happened)} events; write each as a record of its own"
        raise Rejected("bad_field", said)
    whole = record if "events" in record else {}
    return _touchpoint(happened[0] if happened else {"event": "login"}, settings, whole)


def _touchpoint(
    event: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any]
) -> Touchpoint:
    name = event["event"]
    kind = type_of(name)
    ids = record.get("id")
    known = ids if isinstance(ids, dict) else {}
    customer, visitor = settings.get("setcustomerid", {}), settings.get("setretailervisitorid", {})
    found = {
        **event,
        "type": kind,
        "name": name,
        "id": event.get("event_id"),
        "user_id": customer.get("id") or event.get("customer_id") or record.get("customer_id"),
        "anonymous_id": visitor.get("id")
        or event.get("retailer_visitor_id")
        or record.get("retailer_visitor_id")
        or known.get("mapped_user_id"),
        "order_id": _order(name, event),
        "items": _items(event),
        "value": parts.number(event.get("value")),
        "query": parts.first(event, "keywords", "query"),
        "source": event.get("source"),
        "medium": None,
        "campaign": None,
        "traits": _traits(event, settings, known),
        "consent": parts.consent(kind, event),
        "trace": None,
    }
    time = event.get("timestamp")
    return parts.touchpoint(found, record.get("timestamp") if time is None else time)


@remembered
def type_of(name: str) -> str:
    """Our type for the name of an event."""
    return _TYPES.get(name.lower()) or parts.type_named(name)


def _traits(
    event: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], known: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Hashed addresses reach nobody, so only plain ones count."""
    hashed = known.get("email")
    raw = hashed.get("raw") if isinstance(hashed, dict) else None
    said = settings.get("setemail", {})
    mail = raw if said.get("hash_method") else said.get("email", raw)
    zipcode = settings.get("setzipcode", {}).get("zipcode")
    more = {"email": mail if isinstance(mail, str) and "@" in mail else None, "postal_code": zipcode}
    given = event.get("traits")
    found = (given if isinstance(given, dict) else {}) | {
        name: one for name, one in more.items() if one is not None
    }
    return found or None


def _order(name: str, event: Mapping[str, Any]) -> object:
    own = event.get("id") if name.lower() == "tracktransaction" else None
    return event.get("order_id") or event.get("transaction_id") or own


def _items(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`item` may be an id, a product, or a list of either; `product` is its name in older calls."""
    given = parts.first(event, "item", "product")
    if given is None:
        return []
    several = given if isinstance(given, list) else [given]
    names = ("price", "quantity", "category") if len(several) == 1 else ("category",)
    shared = {key: event[key] for key in names if key in event}
    return [
        parts.item({**shared, **(one if isinstance(one, dict) else {"id": one})}, _ITEM, "item")
        for one in several
    ]


def _named(calls: object) -> bool:
    return (
        isinstance(calls, list)
        and bool(calls)
        and all(isinstance(one, dict) and isinstance(one.get("event"), str) for one in calls)
    )
