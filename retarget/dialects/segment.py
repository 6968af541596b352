"""Segment's calls (also RudderStack's and Jitsu's): track, identify, page, screen, group and alias."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from retarget.decode import read_time
from retarget.dialects.names import remembered
from retarget.dialects.parts import consent as said
from retarget.dialects.parts import first, inner, item, medium, number, touchpoint, type_named
from retarget.dialects.segment_events import CONSENT_EVENT, type_of
from retarget.errors import Rejected
from retarget.times import corrected_time
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
    campaign = inner(context, "campaign")
    found = {
        **properties,
        "name": None,
        "id": record.get("messageId"),
        "user_id": record.get("userId"),
        "anonymous_id": record.get("anonymousId"),
        "session_id": properties.get("session_id") or context.get("sessionId"),
        "device_id": inner(context, "device").get("id"),
        "items": _items(properties, context),
        "value": number(first(properties, "value", "total", "revenue")),
        "coupon": first(properties, "coupon", "coupon_name", "coupon_id"),
        "position": _rank(properties.get("position")),
        "source": campaign.get("source"),
        "medium": medium(campaign.get("medium")),
        "campaign": campaign_of(campaign, inner(context, "referrer"), properties),
        "geo": inner(context, "location") or properties.get("geo"),
        "traits": None,
        "consent": None,
        "trace": None,
        **_CALLS[call](record, context, properties),
    }
    time = moment(
        record.get("timestamp"),
        record.get("receivedAt"),
        record.get("sentAt"),
        record.get("originalTimestamp"),
    )
    return touchpoint(found, time)


Given = Mapping[str, Any]


def _track(record: Given, context: Given, properties: Given) -> dict[str, Any]:
    event = record.get("event")
    consent = consent_of(inner(context, "consent"))
    kind, is_named_as_ours = kind_of(event if isinstance(event, str) else "", consent)
    if not is_named_as_ours:
        return {"type": kind, "name": event, "consent": consent}
    # Who names it as we do knows our fields.
    given = said(kind, properties) or consent
    return {"type": kind, "name": event, "consent": given, "traits": properties.get("traits")}


def kind_of(name: str, consent: Given | None) -> tuple[str, bool]:
    """Our type, and whether that is because the event has our name, for want of one of Segment's."""
    kind, is_named_as_ours = named(name)
    is_consent = consent and kind == "custom" and name.casefold() == CONSENT_EVENT
    return ("consent", False) if is_consent else (kind, is_named_as_ours)


@remembered
def named(name: str) -> tuple[str, bool]:
    """The same without a word of consent."""
    kind = type_of(name)
    if kind == "custom" and (kind := type_named(name)) != "custom":
        return kind, True
    return kind, False


def _identify(record: Given, context: Given, _properties: Given) -> dict[str, Any]:
    given = inner(context, "traits") | inner(record, "traits")
    token = inner(context, "device").get("token")
    traits = traits_of(given, context.get("locale"), context.get("timezone"), token)
    return {
        "type": "identify",
        "traits": traits,
        "consent": consent_of(inner(context, "consent"), "identify"),
    }


def traits_of(given: Given, locale: object, timezone: object, token: object) -> dict[str, Any] | None:
    """Somebody's traits under our names, with what the device says of itself."""
    traits = {_TRAITS.get(key, key): value for key, value in given.items()}
    for name, said_by_device in (("locale", locale), ("timezone", timezone), ("push_token", token)):
        if said_by_device and name not in traits:
            traits[name] = said_by_device
    return traits or None


def _page(record: Given, context: Given, _properties: Given) -> dict[str, Any]:
    return {"type": "page", "name": record.get("name"), "consent": consent_of(inner(context, "consent"))}


def _group(record: Given, _context: Given, _properties: Given) -> dict[str, Any]:
    # The traits are those of the group: a company's name must not become the person's.
    traits = {"group_id": record.get("groupId"), "group": inner(record, "traits")}
    return {"type": "identify", "traits": {key: value for key, value in traits.items() if value}}


def _alias(record: Given, _context: Given, _properties: Given) -> dict[str, Any]:
    return {"type": "alias", "anonymous_id": record.get("previousId") or record.get("anonymousId")}


_CALLS: Final = {
    "track": _track, "identify": _identify, "page": _page, "screen": _page, "group": _group, "alias": _alias,
}  # fmt: skip
CALLS: Final = frozenset(_CALLS)


def moment(timestamp: object, received: object, sent: object, original: object) -> int | None:
    """When it happened: what Segment has put right, else put right here for a device whose clock is wrong.

    In epoch milliseconds. Raises Rejected.
    """
    if timestamp is not None:
        return read_time(timestamp, "timestamp")
    if received is not None and sent is not None and original is not None:
        time = _corrected(received, sent, original)
        return read_time(time, "receivedAt - (sentAt - originalTimestamp)")
    known = [read_time(at) for at in (original, sent, received) if at is not None]
    return known[0] if known else None


def _corrected(received: object, sent: object, original: object) -> int:
    if isinstance(received, str) and isinstance(sent, str) and isinstance(original, str):
        with suppress(ValueError, OverflowError):
            return corrected_time(received, sent, original)
    return read_time(received) - (read_time(sent) - read_time(original))


def _rank(position: object) -> object:
    """The place in a list; that of a promotion is a name such as `home_banner_top`, which is none."""
    rank = number(position)
    return None if isinstance(rank, str) else rank


def _items(properties: Mapping[str, Any], context: Mapping[str, Any]) -> list[Any]:
    products = properties.get("products")
    if isinstance(products, list):
        return [_item(one, properties.get("category")) for one in products]
    if products is not None:
        raise Rejected("bad_field", "properties.products must be a list of objects")
    if properties.get("product_id") is None and properties.get("sku") is None:
        return []
    return [{"url": inner(context, "page").get("url")} | _item(properties, None)]


def _item(product: object, category: object) -> dict[str, Any]:
    found = item(product, _ITEM, "properties.products")
    if category is not None:
        found.setdefault("category", category)
    return found


def campaign_of(campaign: Given, referrer: Given, properties: Given) -> dict[str, Any] | None:
    """The campaign that the context or an e-mail's event names."""
    if not campaign and not referrer and _OF_CAMPAIGN.isdisjoint(properties):
        return None
    found = {
        "id": properties.get("campaign_id"),
        "name": properties.get("campaign_name"),
        "message_id": properties.get("message_id"),
        "purl": properties.get("purl"),
        "click_id": referrer.get("id"),
    }
    found |= {key: value for key, value in campaign.items() if value is not None}
    return {key: value for key, value in found.items() if value is not None} or None


def consent_of(consent: Given, call: str = "") -> dict[str, Any] | None:
    """What a consent manager says in the context of an event; one no among several is a no.

    It is stamped on every event. So with an `identify`, which speaks for an account, it allows nothing.
    """
    if "state" in consent:
        return dict(consent)
    said = [
        granted
        for category, granted in inner(consent, "categoryPreferences").items()
        if category.casefold() in _MARKETING_CATEGORIES and isinstance(granted, bool)
    ]
    if not said or (all(said) and call == "identify"):
        return None
    return {"purpose": "marketing", "state": "granted" if all(said) else "denied"}
