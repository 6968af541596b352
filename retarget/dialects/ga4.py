"""Google Analytics 4: requests of the Measurement Protocol with one event, and rows of the export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget.decode import read_time
from retarget.dialects import parts
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

_TYPES: Final = {
    **dict.fromkeys(("view_item", "select_item"), "view"),
    "view_item_list": "list_view",
    **dict.fromkeys(("search", "view_search_results"), "search"),
    **dict.fromkeys(("view_promotion", "select_promotion"), "promo"),
    "add_to_cart": "add",
    "remove_from_cart": "remove",
    "view_cart": "cart_view",
    "add_to_wishlist": "wishlist",
    "remove_from_wishlist": "wishlist_remove",
    **dict.fromkeys(("begin_checkout", "add_shipping_info", "add_payment_info"), "checkout"),
    **dict.fromkeys(("page_view", "screen_view"), "page"),
    "session_start": "session",
    "first_open": "app_open",
    **dict.fromkeys(("login", "sign_up"), "identify"),
    "notification_receive": "push_received",
    "notification_open": "push_open",
    "campaign_details": "ad_click",
}
_ITEM: Final = {
    "item_id": "product_id", "item_variant": "variant_id", "item_name": "name", "item_category": "category",
    "item_brand": "brand", "price": "price", "quantity": "quantity", "item_url": "url",
    "item_image_url": "image_url",
}  # fmt: skip
OF_CAMPAIGN: Final[Mapping[str, str]] = {
    "campaign_id": "id", "campaign": "name", "gclid": "click_id", "message_id": "message_id", "purl": "purl",
}  # fmt: skip
_STATES: Final = {"GRANTED": "granted", "DENIED": "denied"}
_NOT_SET: Final = "(not set)"
_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")


def is_ga4(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a request of the Measurement Protocol or a row of the export."""
    if "events" in record:
        return "client_id" in record or "app_instance_id" in record
    return "event_name" in record and ("user_pseudo_id" in record or "event_timestamp" in record)


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of one event. Raises Rejected."""
    if "events" in record:
        return _sent(record)
    if isinstance(record.get("event_name"), str):
        return _exported(record)
    raise Rejected("unknown_dialect", "there is neither events nor event_name; see the dialect ga4")


def _sent(record: Mapping[str, Any]) -> Touchpoint:
    event = parts.only(record, "events")
    params = parts.inner(event, "params")
    visitor = record.get("client_id") or record.get("app_instance_id")
    micros = event.get("timestamp_micros")
    micros = record.get("timestamp_micros") if micros is None else micros
    traits = traits_of(parts.inner(record, "user_properties"))
    return _touchpoint(
        event.get("name"), params, record.get("user_id"), visitor, micros, traits,
        products=params.get("items"), consent=parts.inner(record, "consent"),
    )  # fmt: skip


def _exported(record: Mapping[str, Any]) -> Touchpoint:
    params = _told(_flat(record.get("event_params"), "event_params"))
    commerce = _told(parts.inner(record, "ecommerce"))
    said = {"transaction_id": commerce.get("transaction_id"), "value": commerce.get("purchase_revenue")}
    traffic, geo = _told(parts.inner(record, "traffic_source")), _told(parts.inner(record, "geo"))
    place = {
        "campaign": traffic.get("name"),
        "source": traffic.get("source"),
        "medium": traffic.get("medium"),
    }
    params = parts.present(**said) | parts.present(**place) | params
    traits = _flat(record.get("user_properties"), "user_properties")
    items = record.get("items")
    products = (
        [_told(one) if isinstance(one, dict) else one for one in items] if isinstance(items, list) else items
    )
    return _touchpoint(
        record["event_name"], params | ({"geo": geo} if geo else {}), record.get("user_id"),
        record.get("user_pseudo_id"), record.get("event_timestamp"), traits, products=products,
    )  # fmt: skip


def _touchpoint(  # noqa: PLR0913 - the parts in which the two forms differ
    name: object, params: dict[str, Any], user: object, visitor: object, micros: object,
    traits: dict[str, Any], *, products: object, consent: dict[str, Any] | None = None,
) -> Touchpoint:  # fmt: skip
    if not isinstance(name, str):
        raise Rejected("bad_field", "the event has no name; write name, or event_name in an export")
    kind = type_of(name)
    found = {
        **params,
        "type": kind,
        "name": name,
        "id": params.get("event_id"),
        "user_id": user,
        "anonymous_id": visitor,
        "session_id": parts.first(params, "ga_session_id", "session_id"),
        "order_id": parts.first(params, "transaction_id", "order_id"),
        "items": parts.items(products, _ITEM, "items"),
        "value": parts.number(params.get("value")),
        "query": parts.first(params, "search_term", "query"),
        "dwell_ms": parts.first(params, "dwell_ms", "engagement_time_msec"),
        "source": params.get("source"),
        "medium": parts.medium(params.get("medium")),
        "campaign": None if OF_CAMPAIGN.keys().isdisjoint(params) else _campaign(params),
        "traits": traits or None,
        "consent": banner_of(consent, kind) or parts.consent(kind, params),
        "trace": None,
    }
    return parts.touchpoint(found, None if micros is None else time_of(micros))


def type_of(name: str) -> str:
    """Our type for the name of an event."""
    return _TYPES.get(name) or parts.type_named(name)


def _campaign(params: Mapping[str, Any]) -> dict[str, Any] | None:
    found = {ours: params[theirs] for theirs, ours in OF_CAMPAIGN.items() if params.get(theirs) is not None}
    return found or None


def traits_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of the user in a request: each a value, or an object with one."""
    return {name: one.get("value") if isinstance(one, dict) else one for name, one in given.items()}


def banner_of(given: Mapping[str, Any] | None, kind: str) -> dict[str, Any] | None:
    """What the consent mode of a request says; with an `identify`, which speaks for an account, only a no."""
    state = given.get("ad_personalization") if given else None
    known = _STATES.get(state.upper()) if isinstance(state, str) else None
    if known is None or (known == "granted" and kind == "identify"):
        return None
    return {"purpose": "marketing", "channel": "ads", "state": known}


def time_of(micros: object) -> int:
    """Epoch milliseconds of a number of microseconds, which the export writes as text."""
    given = parts.number(micros)
    if not parts.is_number(given):
        raise Rejected("bad_time", f"the time is {str(micros)[:40]!r}; write microseconds since 1970")
    return read_time(int(given) // 1000, "the time in microseconds")


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the export says, without what it says in the place of nothing."""
    return {name: one for name, one in given.items() if one != _NOT_SET}


def _flat(given: object, field: str) -> dict[str, Any]:
    """Key and value pairs of the export as an object."""
    if given is None:
        return {}
    if isinstance(given, dict):
        return given
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Rejected("bad_field", f"{field} must be a list of objects with key and value")
    found: dict[str, Any] = {}
    for one in given:
        value = one.get("value")
        if isinstance(value, dict):
            value = next((value[kind] for kind in _VALUES if value.get(kind) is not None), None)
        if isinstance(one.get("key"), str) and value is not None:
            found[one["key"]] = value
    return found
