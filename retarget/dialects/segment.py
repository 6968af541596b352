"""Segment's calls (also RudderStack's and Jitsu's): track, identify, page, screen, group and alias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget.decode import from_mapping, read_time
from retarget.dialects.parts import consent as said
from retarget.dialects.parts import inner, item, medium, number, same, type_named
from retarget.dialects.segment_events import CONSENT_EVENT, type_of
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

_ITEM: Final = {
    "product_id": "product_id", "sku": "product_id", "variant_id": "variant_id", "variant": "variant_id",
    "name": "name", "category": "category", "brand": "brand", "price": "price", "quantity": "quantity",
    "url": "url", "image_url": "image_url",
}  # fmt: skip
_TRAITS: Final = {
    "firstName": "first_name",
    "lastName": "last_name",
    "pushToken": "push_token",
    "pushTokens": "push_tokens",
}
_MARKETING_CATEGORIES: Final = frozenset({"marketing", "advertising", "targeting"})
_OF_CAMPAIGN: Final = frozenset({"campaign_id", "campaign_name", "message_id", "purl"})
_SIGNS: Final = frozenset({"messageId", "event", "userId", "anonymousId"})


def is_segment(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a call of Segment's specification."""
    call = record.get("type")
    return isinstance(call, str) and call in CALLS and not _SIGNS.isdisjoint(record)


def from_record(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of a parsed Segment call. Raises Rejected."""
    call = record.get("type")
    if not isinstance(call, str) or call not in CALLS:
        raise Rejected(
            "unknown_dialect", f"type is {str(call)[:40]!r}; Segment has {', '.join(sorted(CALLS))}"
        )
    context, properties = inner(record, "context"), inner(record, "properties")
    campaign = _campaign(context, properties)
    return from_mapping(
        same(properties)
        | {
            "id": record.get("messageId"),
            "time": _time(record),
            "user_id": record.get("userId"),
            "anonymous_id": record.get("anonymousId"),
            "session_id": properties.get("session_id") or context.get("sessionId"),
            "device_id": inner(context, "device").get("id"),
            "items": _items(properties, context) or [],
            "value": number(_first(properties, "value", "total", "revenue")),
            "coupon": _first(properties, "coupon", "coupon_name", "coupon_id"),
            "position": number(properties.get("position")),
            "source": inner(context, "campaign").get("source"),
            "medium": medium(inner(context, "campaign").get("medium")),
            "campaign": campaign or None,
            "geo": inner(context, "location") or properties.get("geo"),
        }
        | _CALLS[call](record, context)
    )


def _track(record: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    event = record.get("event")
    name = event if isinstance(event, str) else ""
    consent = _consent(context)
    if name.casefold() == CONSENT_EVENT and consent:
        return {"type": "consent", "name": name, "consent": consent}
    kind = type_of(name)
    # Of what Segment has no word for: who names it as we do knows our fields.
    if kind == "custom" and (kind := type_named(name)) != "custom":
        properties = inner(record, "properties")
        given = said(kind, properties) or consent
        return {"type": kind, "name": event, "consent": given, "traits": properties.get("traits")}
    return {"type": kind, "name": event, "consent": consent}


def _identify(record: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    given = inner(context, "traits") | inner(record, "traits")
    traits = {_TRAITS.get(key, key): value for key, value in given.items()}
    traits |= {key: context[key] for key in ("locale", "timezone") if key not in traits and context.get(key)}
    token = inner(context, "device").get("token")
    if token and "push_token" not in traits:
        traits["push_token"] = token
    return {"type": "identify", "traits": traits or None, "consent": _consent(context)}


def _page(record: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "page", "name": record.get("name"), "consent": _consent(context)}


def _group(record: Mapping[str, Any], _context: Mapping[str, Any]) -> dict[str, Any]:
    # The traits are those of the group: a company's name must not become the person's.
    traits = {"group_id": record.get("groupId"), "group": inner(record, "traits")}
    return {"type": "identify", "traits": {key: value for key, value in traits.items() if value}}


def _alias(record: Mapping[str, Any], _context: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "alias", "anonymous_id": record.get("previousId") or record.get("anonymousId")}


_CALLS: Final = {
    "track": _track, "identify": _identify, "page": _page, "screen": _page, "group": _group, "alias": _alias,
}  # fmt: skip
CALLS: Final = frozenset(_CALLS)


def _time(record: Mapping[str, Any]) -> int | None:
    """When it happened: what Segment has put right, else put right here for a device whose clock is wrong."""
    if record.get("timestamp") is not None:
        return read_time(record["timestamp"], "timestamp")
    moments = [record.get(key) for key in ("receivedAt", "sentAt", "originalTimestamp")]
    received, sent, original = (None if at is None else read_time(at) for at in moments)
    if received is not None and sent is not None and original is not None:
        return read_time(received - (sent - original), "receivedAt - (sentAt - originalTimestamp)")
    return next((at for at in (original, sent, received) if at is not None), None)


def _items(properties: Mapping[str, Any], context: Mapping[str, Any]) -> list[Any] | None:
    products = properties.get("products")
    if isinstance(products, list):
        return [_item(one, properties.get("category")) for one in products]
    if products is not None:
        raise Rejected("bad_field", "properties.products must be a list of objects")
    if properties.get("product_id") is None and properties.get("sku") is None:
        return None
    return [{"url": inner(context, "page").get("url")} | _item(properties, None)]


def _item(product: object, category: object) -> dict[str, Any]:
    found = item(product, _ITEM, "properties.products")
    if category is not None:
        found.setdefault("category", category)
    return found


def _campaign(context: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    if "campaign" not in context and "referrer" not in context and _OF_CAMPAIGN.isdisjoint(properties):
        return {}
    campaign = {key: value for key, value in inner(context, "campaign").items() if value is not None}
    more = {
        "id": properties.get("campaign_id"),
        "name": properties.get("campaign_name"),
        "message_id": properties.get("message_id"),
        "purl": properties.get("purl"),
        "click_id": inner(context, "referrer").get("id"),
    }
    return {key: value for key, value in more.items() if value is not None} | campaign


def _consent(context: Mapping[str, Any]) -> dict[str, Any] | None:
    consent = inner(context, "consent")
    if "state" in consent:
        return consent
    for category, granted in inner(consent, "categoryPreferences").items():
        if category.casefold() in _MARKETING_CATEGORIES and isinstance(granted, bool):
            return {"purpose": "marketing", "state": "granted" if granted else "denied"}
    return None


def _first(given: Mapping[str, Any], *names: str) -> object:
    for name in names:
        if (found := given.get(name)) is not None:
            return found
    return None
