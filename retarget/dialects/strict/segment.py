"""A track, identify, page or screen call of Segment's as it usually is."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from retarget.dialects.parts import medium
from retarget.dialects.segment import campaign_of, consent_of, kind_of, moment, named, traits_of
from retarget.dialects.strict.shared import Properties, Reader, add, consent_in, strictly, telling, time_of
from retarget.times import LATEST, corrected_time
from retarget.touchpoints import Id, Item, Touchpoint


class _Product(Item, gc=False):
    sku: Id | None = None
    variant: Id | None = None


class _Properties(Properties, frozen=True, gc=False):
    total: float | None = None
    revenue: float | None = None
    coupon_name: Id | None = None
    coupon_id: Id | None = None
    campaign_id: Any = None
    campaign_name: Any = None
    message_id: Any = None
    purl: Any = None
    products: list[_Product] | None = None
    # Of the one product that many events are about; of several the category is shared.
    product_id: Id | None = None
    sku: Id | None = None
    variant_id: Id | None = None
    variant: Id | None = None
    name: str | None = None
    category: Id | None = None
    brand: str | None = None
    price: float | None = None
    quantity: float | None = None
    url: str | None = None
    image_url: str | None = None


class _Device(msgspec.Struct, frozen=True, gc=False):
    id: Id | None = None
    token: Any = None


class _Page(msgspec.Struct, frozen=True, gc=False):
    url: str | None = None


class _Context(msgspec.Struct, frozen=True, gc=False):
    campaign: dict[str, Any] | None = None
    referrer: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    device: _Device = _Device()
    page: _Page = _Page()
    sessionId: Id | None = None  # noqa: N815 - their name
    consent: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    locale: Any = None
    timezone: Any = None


class _Call(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    type: Literal["track", "page", "screen", "identify"]
    event: str | None = None
    name: str | None = None
    message_id: Id | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    timestamp: str | int | None = None
    original_timestamp: str | int | None = None
    sent_at: str | int | None = None
    received_at: str | int | None = None
    context: _Context = _Context()
    traits: dict[str, Any] | None = None
    properties: _Properties = _Properties()


def _touchpoint(call: _Call) -> Touchpoint | None:  # noqa: C901 - a call of it would be a tenth
    context, given = call.context, call.properties
    touchpoint = Touchpoint(
        id=call.message_id,
        user_id=call.user_id,
        anonymous_id=call.anonymous_id,
        session_id=given.session_id or context.sessionId,
        device_id=context.device.id,
        items=_items(given, context) if given.products is not None or given.product_id or given.sku else [],
    )
    add(touchpoint, given)
    if call.type == "track" and context.consent is None:
        touchpoint.name = name = call.event
        touchpoint.type, is_named_as_ours = named(name or "")
        if is_named_as_ours:
            touchpoint.consent, touchpoint.traits = consent_in(touchpoint.type, given) or None, given.traits
    else:
        _say(touchpoint, call)
    time = _corrected(call) if call.timestamp is None else time_of(call.timestamp)
    if time is not None:
        touchpoint.time = time
    value = given.value
    if value is None:
        value = given.revenue if given.total is None else given.total
    if value is not None:
        touchpoint.value = value
    if given.channel is not None:
        touchpoint.channel = given.channel
    if given.query is not None:
        touchpoint.query = given.query
    if given.coupon is None:
        touchpoint.coupon = given.coupon_id if given.coupon_name is None else given.coupon_name
    if context.location:
        touchpoint.geo = context.location
    is_unnamed = given.campaign_id is given.campaign_name is given.message_id is given.purl is None
    if is_unnamed and not (context.campaign or context.referrer):
        return touchpoint
    return touchpoint if _is_campaign_set(touchpoint, context, given) else None


def _corrected(call: _Call) -> int | None:
    received, sent, original = call.received_at, call.sent_at, call.original_timestamp
    if type(received) is type(sent) is type(original) is str:
        time = corrected_time(received, sent, original)
        if 0 <= time <= LATEST:
            return time
    return moment(None, received, sent, original)


def _say(touchpoint: Touchpoint, call: _Call) -> None:
    context, given = call.context, call.properties
    consent = consent_of(context.consent, call.type) if context.consent else None
    if call.type == "track":
        touchpoint.name = call.event
        name = call.event or ""
        touchpoint.type, is_named_as_ours = kind_of(name, consent) if consent else named(name)
        if is_named_as_ours:
            consent = consent_in(touchpoint.type, given) or consent
            touchpoint.traits = given.traits
    elif call.type == "identify":
        known = (context.traits or {}) | (call.traits or {})
        touchpoint.type = "identify"
        touchpoint.traits = traits_of(known, context.locale, context.timezone, context.device.token)
    else:
        touchpoint.type, touchpoint.name = "page", call.name
    touchpoint.consent = consent


def _is_campaign_set(touchpoint: Touchpoint, context: _Context, given: _Properties) -> bool:
    campaign = context.campaign or {}
    properties = {
        "campaign_id": given.campaign_id, "campaign_name": given.campaign_name,
        "message_id": given.message_id, "purl": given.purl,
    }  # fmt: skip
    touchpoint.campaign = campaign_of(campaign, context.referrer or {}, properties)
    source = campaign.get("source")
    touchpoint.source, touchpoint.medium = source, medium(campaign.get("medium"))
    return source is None or isinstance(source, str)


def _items(given: _Properties, context: _Context) -> list[Item]:
    if given.products is not None:
        category = given.category
        return [
            Item(
                product_id=one.product_id or one.sku, variant_id=one.variant_id or one.variant, name=one.name,
                category=one.category or category, brand=one.brand, price=one.price, quantity=one.quantity,
                url=one.url, image_url=one.image_url,
            )
            for one in given.products
        ]  # fmt: skip
    return [
        Item(
            product_id=given.product_id or given.sku, variant_id=given.variant_id or given.variant,
            name=given.name, category=given.category, brand=given.brand, price=given.price,
            quantity=given.quantity, url=context.page.url if given.url is None else given.url,
            image_url=given.image_url,
        )
    ]  # fmt: skip


read: Final[Reader] = strictly(_Call, _touchpoint)
told: Final = (telling(_Call, _touchpoint, {}, ("specversion", "user_id", "anonymous_id")),)
