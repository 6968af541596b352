"""Touchpoints as each producer would send them: what the decoders undo, written from the other side.

What a dialect has no word for goes as an event named after our type, with our names for its fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from retarget.times import format_time
from retarget.touchpoints import Item, Touchpoint

_SAME: Final = (
    "session_id",
    "cart_id",
    "checkout_id",
    "order_id",
    "device_id",
    "store_id",
    "currency",
    "coupon",
    "query",
    "dwell_ms",
    "position",
    "sentiment",
    "channel",
    "geo",
)


def _same(event: Touchpoint, *without: str) -> dict[str, Any]:
    return _filled({name: getattr(event, name) for name in _SAME if name not in without})


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}


def _items(event: Touchpoint, names: dict[str, str]) -> list[dict[str, Any]]:
    return [_item(one, names) for one in event.items]


def _item(one: Item, names: dict[str, str]) -> dict[str, Any]:
    given = msgspec.to_builtins(one)
    return {theirs: given[ours] for ours, theirs in names.items() if given.get(ours) is not None}


_PLAIN: Final = {name: name for name in Item.__struct_fields__}

_SEGMENT: Final = {
    "view": "Product Viewed",
    "list_view": "Product List Viewed",
    "search": "Products Searched",
    "add": "Product Added",
    "remove": "Product Removed",
    "cart_view": "Cart Viewed",
    "wishlist": "Product Added to Wishlist",
    "wishlist_remove": "Product Removed from Wishlist",
    "checkout": "Checkout Started",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "cancel": "Order Cancelled",
    "review": "Product Reviewed",
    "email_open": "Email Opened",
    "email_click": "Email Link Clicked",
    "unsubscribe": "Unsubscribed",
}


def segment(event: Touchpoint) -> dict[str, Any]:
    """A call of Segment's, by a device whose clock is 90 s ahead."""
    ahead = event.time + 90_000
    context = _filled(
        {
            "campaign": (event.campaign or {}) | _filled({"source": event.source, "medium": event.medium}),
            "location": event.geo,
            "device": _filled({"id": event.device_id}),
        }
    )
    call = {
        "messageId": event.id,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "context": context,
        "originalTimestamp": format_time(ahead),
        "sentAt": format_time(ahead + 400),
        "receivedAt": format_time(event.time + 400),
    }
    if event.type in ("identify", "alias"):
        return _filled(call | {"type": event.type, "traits": event.traits, "previousId": event.anonymous_id})
    if event.type == "page":
        return _filled(call | {"type": "page", "name": event.name, "properties": _same(event)})
    properties = _same(event) | _filled(
        {
            "value": event.value,
            "products": _items(event, _PLAIN),
            "traits": event.traits,
            "consent": event.consent,
        }
    )
    name = _SEGMENT.get(event.type) or event.name or event.type
    return _filled(call | {"type": "track", "event": name, "properties": properties})


_GA4: Final = {
    "view": "view_item",
    "list_view": "view_item_list",
    "add": "add_to_cart",
    "remove": "remove_from_cart",
    "cart_view": "view_cart",
    "wishlist": "add_to_wishlist",
    "checkout": "begin_checkout",
    "page": "page_view",
    "session": "session_start",
    "identify": "login",
}
_GA4_ITEM: Final = {
    "product_id": "item_id",
    "variant_id": "item_variant",
    "name": "item_name",
    "category": "item_category",
    "brand": "item_brand",
    "price": "price",
    "quantity": "quantity",
    "url": "item_url",
    "image_url": "item_image_url",
}


def ga4(event: Touchpoint) -> dict[str, Any]:
    """A request of the Measurement Protocol."""
    campaign = event.campaign or {}
    params = _same(event, "order_id", "query") | _filled(
        {
            "event_id": event.id,
            "transaction_id": event.order_id,
            "search_term": event.query,
            "value": event.value,
            "items": _items(event, _GA4_ITEM),
            "source": event.source,
            "medium": event.medium,
            "campaign": campaign.get("name"),
            "campaign_id": campaign.get("id"),
            "gclid": campaign.get("click_id"),
            "message_id": campaign.get("message_id"),
            **(event.consent or {}),
        }
    )
    traits = {name: {"value": value} for name, value in (event.traits or {}).items()}
    name = _GA4.get(event.type) or event.name or event.type
    return _filled(
        {"client_id": event.anonymous_id, "user_id": event.user_id, "user_properties": traits}
        | {"timestamp_micros": event.time * 1000}
    ) | {"events": [{"name": name, "params": params}]}


_META: Final = {
    "view": "ViewContent",
    "search": "Search",
    "add": "AddToCart",
    "wishlist": "AddToWishlist",
    "checkout": "InitiateCheckout",
    "purchase": "Purchase",
    "page": "PageView",
    "chat": "Contact",
    "identify": "CompleteRegistration",
    "store_visit": "FindLocation",
}


def meta(event: Touchpoint) -> dict[str, Any]:
    """An event of the Conversions API."""
    names = _PLAIN | {"product_id": "id", "name": "title", "price": "item_price"}
    custom = _same(event, "query") | _filled(
        {
            "search_string": event.query,
            "value": event.value,
            "contents": _items(event, names),
            "traits": event.traits,
            "consent": event.consent,
            "source": event.source,
        }
    )
    user = _filled({"external_id": event.user_id and [event.user_id], "fbp": event.anonymous_id})
    name = _META.get(event.type) or event.name or event.type
    return {
        "event_name": name,
        "event_time": event.time / 1000,
        "event_id": event.id,
        "action_source": "website",
        "user_data": user,
        "custom_data": custom,
    }


_BRAZE: Final = {
    "view": "ecommerce.product_viewed",
    "checkout": "ecommerce.checkout_started",
    "purchase": "ecommerce.order_placed",
    "refund": "ecommerce.order_refunded",
    "cancel": "ecommerce.order_cancelled",
    "cart": "ecommerce.cart_updated",
    "add": "ecommerce.cart_updated",
    "remove": "ecommerce.cart_updated",
}


def braze(event: Touchpoint) -> dict[str, Any]:
    """An event as `/users/track` takes it."""
    names = _PLAIN | {"name": "product_name", "url": "product_url"}
    actions = {"cart": "replace", "add": "add", "remove": "remove"}
    properties = _same(event) | _filled(
        {
            "total_value": event.value,
            "products": _items(event, names),
            "source": event.source,
            "traits": event.traits,
            "consent": event.consent,
            "action": actions.get(event.type),
        }
    )
    alias = event.anonymous_id and {"alias_name": event.anonymous_id, "alias_label": "visitor"}
    name = _BRAZE.get(event.type) or event.name or event.type
    return _filled({"external_id": event.user_id, "user_alias": alias, "event_id": event.id}) | {
        "name": name,
        "time": format_time(event.time),
        "properties": properties,
    }


_CRITEO: Final = {
    "view": "viewItem",
    "list_view": "viewList",
    "search": "viewSearchResult",
    "add": "addToCart",
    "cart_view": "viewBasket",
    "checkout": "beginCheckout",
    "purchase": "trackTransaction",
    "page": "viewPage",
    "identify": "login",
}


def criteo(event: Touchpoint) -> dict[str, Any]:
    """A request with who it is and what happened."""
    names = _PLAIN | {"product_id": "id"}
    happened = _same(event, "query", "order_id") | _filled(
        {
            "event": _CRITEO.get(event.type) or event.name or event.type,
            "event_id": event.id,
            "timestamp": format_time(event.time),
            "item": _items(event, names),
            "transaction_id": event.order_id,
            "value": event.value,
            "keywords": event.query,
            "traits": event.traits,
            "consent": event.consent,
            "source": event.source,
        }
    )
    who = [
        {"event": name, "id": given}
        for name, given in (("setCustomerId", event.user_id), ("setRetailerVisitorId", event.anonymous_id))
        if given
    ]
    return {"account": "12345", "events": [*who, happened]}


def cloudevents(event: Touchpoint) -> dict[str, Any]:
    """An envelope around canonical fields."""
    data = msgspec.to_builtins(event)
    data.pop("time")
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": "/shop",
        "type": f"com.shop.{data.pop('type', 'custom')}",
        "time": format_time(event.time),
        "datacontenttype": "application/json",
        "data": data,
    }


_SNOWPLOW: Final = {
    "view": "product_view",
    "list_view": "list_view",
    "add": "add_to_cart",
    "remove": "remove_from_cart",
    "checkout": "checkout_step",
    "purchase": "transaction",
    "payment_failed": "trns_error",
}
_SHOP: Final = "contexts_com_snowplowanalytics_snowplow_ecommerce"


def snowplow(event: Touchpoint) -> dict[str, Any]:
    """An enriched event, as the analytics SDKs write it."""
    names = _PLAIN | {"product_id": "id", "variant_id": "variant"}
    action = _SNOWPLOW.get(event.type)
    data = _same(event, "query", "session_id") | _filled(
        {"traits": event.traits, "consent": event.consent, "value": event.value}
    )
    if event.query is not None:
        data["terms"] = event.query.split(" ")
    order = event.order_id and {
        "transaction_id": event.order_id,
        "revenue": event.value,
        "currency": event.currency,
    }
    name = (
        "snowplow_ecommerce_action"
        if action
        else {"search": "site_search"}.get(event.type, event.name or event.type)
    )
    return _filled(  # in the order of the columns, as the SDKs go through them
        {
            "collector_tstamp": format_time(event.time + 300),
            "event": "unstruct",
            "event_id": event.id,
            "user_id": event.user_id,
            "domain_userid": event.anonymous_id,
            "mkt_medium": event.medium,
            "mkt_source": event.source,
            f"{_SHOP}_product_1": _items(event, names),
            f"{_SHOP}_cart_1": [{"cart_id": event.cart_id}] if event.cart_id else None,
            f"{_SHOP}_transaction_1": [_filled(order)] if order else None,
            f"unstruct_event_com_shop_{name}_1": data | ({"type": action} if action else {}),
            "domain_sessionid": event.session_id,
            "derived_tstamp": format_time(event.time).replace("T", " ").removesuffix("Z"),
            "event_name": name,
        }
    )


Encoder = Callable[[Touchpoint], dict[str, Any]]
ENCODERS: Final[dict[str, Encoder]] = {
    "segment": segment,
    "ga4": ga4,
    "snowplow": snowplow,
    "meta": meta,
    "braze": braze,
    "cloudevents": cloudevents,
    "criteo": criteo,
}
