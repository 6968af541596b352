"""Meta's Conversions API: one event, alone or in the `data` of a request."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from retarget.decode import read_time
from retarget.dialects import parts
from retarget.dialects.names import remembered
from retarget.errors import Rejected
from retarget.times import SECOND
from retarget.touchpoints import Touchpoint

_TYPES: Final = {
    "viewcontent": "view",
    "search": "search",
    "addtocart": "add",
    "addtowishlist": "wishlist",
    "initiatecheckout": "checkout",
    "addpaymentinfo": "checkout",
    "purchase": "purchase",
    "pageview": "page",
    "contact": "chat",
    "completeregistration": "identify",
    "findlocation": "store_visit",
}
_ITEM: Final = {
    "id": "product_id", "variant_id": "variant_id", "title": "name", "category": "category", "brand": "brand",
    "item_price": "price", "quantity": "quantity", "url": "url", "image_url": "image_url",
}  # fmt: skip


def is_meta(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is an event of the Conversions API, or a request with events."""
    if "event_name" in record:
        return "event_time" in record or "user_data" in record or "action_source" in record
    data = record.get("data")
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "event_name" in data[0]


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of one event. Raises Rejected."""
    event = parts.only(record, "data") if "data" in record else record
    name, time = event.get("event_name"), event.get("event_time")
    if not isinstance(name, str):
        raise Rejected("unknown_dialect", "there is no event_name; see the dialect meta")
    custom, user = parts.inner(event, "custom_data"), parts.inner(event, "user_data")
    contents, click = _contents(custom), user.get("fbc")
    kind = type_of(name)
    # Lists and products have one name: a group, or several products, is a list.
    if kind == "view" and (len(contents) > 1 or custom.get("content_type") == "product_group"):
        kind = "list_view"
    found = {
        **custom,
        "type": kind,
        "name": name,
        "id": event.get("event_id"),
        "user_id": _one(user.get("external_id")),
        "anonymous_id": user.get("fbp"),
        "items": _items(contents, custom, event.get("event_source_url")) if contents else [],
        "value": parts.number(custom.get("value")),
        "currency": _capitals(custom.get("currency")),
        "query": parts.first(custom, "search_string", "query"),
        "source": custom.get("source"),
        "channel": custom.get("channel") or event.get("action_source"),
        "medium": "paid" if click else None,
        "campaign": {"click_id": click} if click else None,
        "traits": custom.get("traits") or None,
        "consent": parts.consent(kind, custom),
        "trace": None,
    }
    return parts.touchpoint(found, None if time is None else time_of(time))


@remembered
def type_of(name: str) -> str:
    """Our type for the name of an event."""
    return _TYPES.get(name.lower()) or parts.type_named(name)


def _contents(custom: Mapping[str, Any]) -> list[Any]:
    contents = custom.get("contents")
    if isinstance(contents, list) and contents:
        return contents
    ids = custom.get("content_ids")
    return [{"id": one} for one in ids] if isinstance(ids, list) else []


def _items(contents: list[Any], custom: Mapping[str, Any], url: object) -> list[dict[str, Any]]:
    found = parts.items(contents, _ITEM, "custom_data.contents")
    for one in found:
        if custom.get("content_category") is not None:
            one.setdefault("category", custom["content_category"])
    if len(found) == 1:
        for name, given in (("name", custom.get("content_name")), ("url", url)):
            if given is not None:
                found[0].setdefault(name, given)
    return found


def _capitals(currency: object) -> object:
    """Meta takes codes in small letters, too."""
    return currency.upper() if isinstance(currency, str) else currency


def _one(given: object) -> object:
    """An id; of several the first."""
    return (given[0] if given else None) if isinstance(given, list) else given


def time_of(given: object) -> int:
    """Epoch milliseconds of seconds, as a number or as text. Raises Rejected."""
    seconds = parts.number(given)
    if not parts.is_number(seconds):
        raise Rejected("bad_time", f"event_time is {str(given)[:40]!r}; write seconds since 1970")
    ms = seconds * SECOND
    return read_time(round(ms) if abs(ms) < inf else ms, "event_time")
