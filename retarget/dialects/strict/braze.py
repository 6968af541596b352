"""One event of Braze's as it usually is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retarget.dialects.braze import OF_CAMPAIGN, type_of
from retarget.dialects.strict.shared import (
    Properties,
    Reader,
    add,
    called,
    consent_in,
    items_of,
    strictly,
    telling,
    time_of,
)
from retarget.touchpoints import Id, Item, Touchpoint


class _Product(Item, gc=False):
    name: str | None = msgspec.field(name="product_name", default=None)
    url: str | None = msgspec.field(name="product_url", default=None)


class _Discount(msgspec.Struct, frozen=True, gc=False):
    code: Id | None = None


class _Properties(Properties, frozen=True, gc=False):
    total_value: float | None = None
    action: str = "replace"
    products: list[_Product] | None = None
    product_id: Any = None
    discounts: list[_Discount] | None = None
    campaign_id: Any = None
    campaign_name: Any = None
    message_id: Any = None
    url: Any = None


class _Alias(msgspec.Struct, frozen=True, gc=False):
    alias_name: Id | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    name: str
    properties: _Properties = _Properties()
    time: str | int | None = None
    event_id: Id | None = None
    external_id: Id | None = None
    external_user_id: Id | None = None
    user_alias: _Alias | None = None
    braze_id: Id | None = None
    user_id: Id | None = None
    device_id: Id | None = None
    # What makes it something else: an event of Currents, or a request with several.
    event_type: Any = None
    events: Any = None
    attributes: Any = None
    purchases: Any = None


def _touchpoint(event: _Event) -> Touchpoint | None:
    given, alias = event.properties, event.user_alias
    others = event.event_type, event.events, event.attributes, event.purchases
    if others != (None, None, None, None) or (given.product_id is not None and given.products is None):
        return None
    kind = type_of(event.name, given.action)
    touchpoint = Touchpoint(
        id=event.event_id,
        type=kind,
        name=event.name,
        user_id=event.external_user_id if event.external_id is None else event.external_id,
        anonymous_id=(alias and alias.alias_name) or event.braze_id or event.user_id or event.device_id,
        session_id=given.session_id,
        device_id=given.device_id,
        items=items_of(given.products) if given.products else [],
        consent=consent_in(kind, given),
    )
    add(touchpoint, given)
    if event.time is not None:
        touchpoint.time = time_of(event.time)
    touchpoint.value = given.value if given.total_value is None else given.total_value
    touchpoint.source, touchpoint.channel, touchpoint.query = given.source, given.channel, given.query
    if given.discounts:
        touchpoint.coupon = given.discounts[0].code
    touchpoint.traits = given.traits or None
    touchpoint.campaign = _campaign(given)
    return touchpoint


_campaign: Final = called(OF_CAMPAIGN)
read: Final[Reader] = strictly(_Event, _touchpoint)
_ABSENT: Final = ("specversion", "type", "collector_tstamp", "event_name", "data", "event", "events")
told: Final = (
    telling(_Event, _touchpoint, {"external_id": Id}, _ABSENT),
    telling(_Event, _touchpoint, {"user_alias": _Alias}, _ABSENT),
)
