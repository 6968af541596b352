"""Snowplow's enriched events: as JSON, as the analytics SDKs write it, or as tab-separated values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from retarget.decode import parse_object, read_time
from retarget.dialects import parts
from retarget.dialects.snowplow_columns import record_of
from retarget.errors import Rejected
from retarget.touchpoints import LONGEST_ID, Touchpoint

_ACTIONS: Final = {
    **dict.fromkeys(("product_view", "list_click"), "view"),
    "list_view": "list_view",
    "add_to_cart": "add",
    "remove_from_cart": "remove",
    "checkout_step": "checkout",
    "transaction": "purchase",
    "refund": "refund",
    "trns_error": "payment_failed",
    **dict.fromkeys(("promo_view", "promo_click"), "promo"),
}
_EVENTS: Final = {
    **dict.fromkeys(("page_view", "page_ping", "screen_view"), "page"),
    "site_search": "search",
    "application_install": "app_open",
}
_ITEM: Final = {
    "id": "product_id", "variant": "variant_id", "name": "name", "category": "category", "brand": "brand",
    "price": "price", "quantity": "quantity", "url": "url", "image_url": "image_url",
}  # fmt: skip
UNSTRUCT: Final = "unstruct_event_"
ENTITY: Final = "contexts_com_snowplowanalytics_snowplow_"
_SHOP: Final = f"{ENTITY}ecommerce_"
_ENTITIES: Final = {
    f"{_SHOP}product_": "product", f"{_SHOP}cart_": "cart", f"{_SHOP}transaction_error_": "error",
    f"{_SHOP}transaction_": "transaction", f"{_SHOP}refund_": "refund", f"{_SHOP}user_": "user",
    f"{_SHOP}page_": "page", f"{_SHOP}checkout_step_": "step", f"{ENTITY}client_session_": "session",
}  # fmt: skip
# What the self-describing event is called here; and all kinds of what fields named after schemas hold.
HAPPENED: Final = "happened"
KINDS: Final = frozenset(_ENTITIES.values()) | {HAPPENED}
Entities = Mapping[str, Mapping[str, Any]]
_ACTION: Final = "snowplow_ecommerce_action"


def is_snowplow(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is an enriched event."""
    return "event_id" in record and "collector_tstamp" in record


def parse(value: bytes) -> dict[str, Any]:
    """The enriched event in a record, JSON or tab-separated. Raises Rejected."""
    if b"\t" in value and not value.lstrip().startswith(b"{"):
        return record_of(value)
    return parse_object(value)


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of one enriched event. Raises Rejected."""
    if not is_snowplow(record):
        raise Rejected(
            "unknown_dialect", "there is no event_id with a collector_tstamp; see the dialect snowplow"
        )
    data, products, entities = found_in(record)
    kind, name = _type_in(record, data, entities)
    session, told = entities.get("session", {}), told_by(entities)
    found = {
        **data,
        **told,
        "type": kind,
        "name": name,
        "id": record.get("event_id"),
        "user_id": record.get("user_id") or entities.get("user", {}).get("id"),
        "anonymous_id": record.get("domain_userid")
        or _first(session.get("userId"), record.get("network_userid")),
        "items": parts.items(products, _ITEM, f"{_SHOP}product"),
        "value": parts.number(told.get("value", data.get("value"))),
        "query": query_of(data.get("terms"), data.get("query")),
        "source": record.get("mkt_source"),
        "medium": parts.medium(record.get("mkt_medium")),
        "campaign": campaign_of(record.get("mkt_campaign"), record.get("mkt_clickid")),
        "traits": data.get("traits") or None,
        "consent": parts.consent(kind, data),
        "trace": None,
    }
    if given := record.get("domain_sessionid") or session.get("sessionId"):
        found["session_id"] = given
    if place := geo_of(record):
        found["geo"] = place
    return parts.touchpoint(found, _time(record))


def told_by(entities: Entities) -> dict[str, Any]:
    """What the cart, the order and the step of a checkout say under our names; it outdoes the event."""
    order = entities.get("transaction") or entities.get("refund") or entities.get("error") or {}
    cart, step = entities.get("cart", {}), entities.get("step", {})
    worth = _first(order.get("revenue"), order.get("refund_amount"), cart.get("total_value"))
    said = {
        "cart_id": cart.get("cart_id"),
        "order_id": order.get("transaction_id"),
        "currency": order.get("currency") or cart.get("currency"),
        "coupon": order.get("discount_code") or step.get("coupon_code"),
    }
    found = {name: given for name, given in said.items() if given}
    return found if worth is None else found | {"value": worth}


def _type_in(record: Mapping[str, Any], data: Mapping[str, Any], entities: Entities) -> tuple[str, str]:
    name = str(record.get("event_name") or record.get("event") or "")
    action, page = data.get("type"), entities.get("page", {}).get("type")
    event, se_action = record.get("event"), record.get("se_action")
    told = (name, str(event or ""), str(se_action or ""), str(action or ""), str(page or ""))
    return type_of(*(one[:LONGEST_ID] for one in told))


@lru_cache(maxsize=1024)
def type_of(
    name: str, event: str | None, se_action: str | None, action: str | None, page: str | None
) -> tuple[str, str]:
    """Our type and the name that the event has there: an action on a page of that type, or its name."""
    if name == _ACTION:
        action = action or ""
        searched = action == "list_view" and page == "search"
        return ("search" if searched else _ACTIONS.get(action) or parts.type_named(action)), action
    if event == "struct":
        name = se_action or name
    return _EVENTS.get(name) or parts.type_named(name), name


class Found(NamedTuple):
    """What an event carries: the self-describing event, products, and the first entity of each other kind."""

    data: dict[str, Any]
    products: object
    entities: Entities


def found_in(record: Mapping[str, Any]) -> Found:
    """What the fields named after a schema hold. Raises Rejected."""
    data: dict[str, Any] = {}
    products: object = None
    entities: dict[str, dict[str, Any]] = {}
    for key, given in record.items():
        kind = kind_of(key) if len(key) <= LONGEST_ID else None
        if kind is None or not given:
            continue
        if kind == HAPPENED:
            data = parts.written(record, key)
        elif kind == "product":
            products = products or given
        elif isinstance(given, list) and isinstance(given[0], dict):
            entities.setdefault(kind, given[0])
    return Found(data, products, entities)


@lru_cache(maxsize=1024)  # a tracker has a few hundred names at most, and each event has thirty of them
def kind_of(key: str) -> str | None:
    """What a field holds, where it is not of the event itself."""
    if key.startswith(UNSTRUCT):
        return HAPPENED
    return next((kind for prefix, kind in _ENTITIES.items() if key.startswith(prefix)), None)


def _time(record: Mapping[str, Any]) -> int | None:
    """Snowplow has put the clock right in `derived_tstamp`; without it that is done here."""
    for name in ("true_tstamp", "derived_tstamp"):
        if record.get(name):
            return _moment(record[name], name)
    names = ("collector_tstamp", "dvce_sent_tstamp", "dvce_created_tstamp")
    received, sent, created = (_moment(record[name], name) if record.get(name) else None for name in names)
    if received is not None and sent is not None and created is not None:
        return read_time(
            received - (sent - created), "collector_tstamp - (dvce_sent_tstamp - dvce_created_tstamp)"
        )
    return received


def _moment(given: object, name: str) -> int:
    """Times have a space where RFC 3339 has a T."""
    return read_time(given.strip().replace(" ", "T", 1) if isinstance(given, str) else given, name)


def query_of(terms: object, query: Any) -> Any:  # noqa: ANN401 - JSON
    """What was searched for."""
    return " ".join(map(str, terms)) if isinstance(terms, list) else query


def campaign_of(name: object, click_id: object) -> dict[str, Any] | None:
    """The campaign that brought the person."""
    return parts.present(name=name, click_id=click_id) if name or click_id else None


def geo_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where the address of the person's network is."""
    if not (record.get("geo_country") or record.get("geo_latitude") or record.get("geo_timezone")):
        return {}
    names = {
        "geo_country": "country", "geo_region_name": "region", "geo_city": "city",
        "geo_zipcode": "postal_code", "geo_latitude": "lat", "geo_longitude": "lon",
        "geo_timezone": "timezone",
    }  # fmt: skip
    return {ours: parts.number(record[theirs]) for theirs, ours in names.items() if record.get(theirs)}


def _first(*given: object) -> object:
    return next((one for one in given if one is not None), None)
