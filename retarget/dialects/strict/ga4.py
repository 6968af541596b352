"""A request of Google Analytics' Measurement Protocol as it usually is."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from retarget.dialects.ga4 import OF_CAMPAIGN, banner_of, time_of, traits_of, type_of
from retarget.dialects.parts import medium
from retarget.dialects.strict.shared import (
    Properties,
    Reader,
    add,
    called,
    consent_in,
    items_of,
    strictly,
    telling,
)
from retarget.times import LATEST
from retarget.touchpoints import Id, Item, Touchpoint


class _Product(Item, gc=False):
    product_id: Id | None = msgspec.field(name="item_id", default=None)
    variant_id: Id | None = msgspec.field(name="item_variant", default=None)
    name: str | None = msgspec.field(name="item_name", default=None)
    category: Id | None = msgspec.field(name="item_category", default=None)
    brand: str | None = msgspec.field(name="item_brand", default=None)
    url: str | None = msgspec.field(name="item_url", default=None)
    image_url: str | None = msgspec.field(name="item_image_url", default=None)


class _Params(Properties, frozen=True, gc=False):
    event_id: Id | None = None
    ga_session_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | Id | None = None
    transaction_id: Id | None = None
    items: list[_Product] | None = None
    search_term: str | None = None
    engagement_time_msec: float | None = None
    medium: Any = None
    campaign_id: Any = None
    campaign: Any = None
    gclid: Any = None
    message_id: Any = None
    purl: Any = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    name: str
    params: _Params
    timestamp_micros: int | None = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    events: Annotated[list[_Event], msgspec.Meta(min_length=1, max_length=1)]
    client_id: Id | None = None
    app_instance_id: Id | None = None
    user_id: Id | None = None
    timestamp_micros: int | None = None
    user_properties: dict[str, Any] | None = None
    consent: dict[str, Any] | None = None


def _touchpoint(request: _Request) -> Touchpoint:
    event = request.events[0]
    params, kind = event.params, type_of(event.name)
    session, order = params.ga_session_id, params.transaction_id
    touchpoint = Touchpoint(
        id=params.event_id,
        type=kind,
        name=event.name,
        user_id=request.user_id,
        anonymous_id=request.client_id or request.app_instance_id,
        session_id=params.session_id if session is None else str(session),
        device_id=params.device_id,
        items=items_of(params.items) if params.items else [],
        consent=banner_of(request.consent, kind) or consent_in(kind, params),
    )
    add(touchpoint, params)
    micros = request.timestamp_micros if event.timestamp_micros is None else event.timestamp_micros
    if micros is not None:
        ms = micros // 1000
        touchpoint.time = ms if 0 <= ms <= LATEST else time_of(micros)
    touchpoint.value, touchpoint.source, touchpoint.channel = params.value, params.source, params.channel
    touchpoint.order_id = params.order_id if order is None else order
    touchpoint.query = params.query if params.search_term is None else params.search_term
    if params.dwell_ms is None:
        touchpoint.dwell_ms = params.engagement_time_msec
    if params.medium is not None:
        touchpoint.medium = medium(params.medium)
    touchpoint.campaign = _campaign(params)
    if request.user_properties:
        touchpoint.traits = traits_of(request.user_properties)
    return touchpoint


_campaign: Final = called(OF_CAMPAIGN)
read: Final[Reader] = strictly(_Request, _touchpoint)
_ABSENT: Final = ("specversion", "type", "collector_tstamp")
told: Final = (
    telling(_Request, _touchpoint, {"client_id": Id}, _ABSENT),
    telling(_Request, _touchpoint, {"app_instance_id": Id}, _ABSENT),
)
