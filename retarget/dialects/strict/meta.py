"""One event of Meta's Conversions API as it usually is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retarget.dialects.meta import time_of, type_of
from retarget.dialects.strict.shared import Properties, Reader, add, consent_in, items_of, strictly, telling
from retarget.touchpoints import Id, Item, Touchpoint


class _Product(Item, gc=False):
    product_id: Id | None = msgspec.field(name="id", default=None)
    name: str | None = msgspec.field(name="title", default=None)
    price: float | None = msgspec.field(name="item_price", default=None)


class _Custom(Properties, frozen=True, gc=False):
    search_string: str | None = None
    contents: list[_Product] | None = None
    content_type: Any = None
    content_ids: list[Id] | None = None
    content_name: str | None = None
    content_category: Id | None = None


class _User(msgspec.Struct, frozen=True, gc=False):
    external_id: list[Id] | Id | None = None
    fbp: Id | None = None
    fbc: str | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    event_name: str
    event_time: int | float | None = None
    event_id: Id | None = None
    action_source: str | None = None
    event_source_url: str | None = None
    user_data: _User = _User()
    custom_data: _Custom = _Custom()
    data: Any = msgspec.UNSET  # a request with several events


def _touchpoint(event: _Event) -> Touchpoint | None:
    if event.data is not msgspec.UNSET:
        return None
    custom, user, kind = event.custom_data, event.user_data, type_of(event.event_name)
    items = _items(event, custom)
    if kind == "view" and (len(items) > 1 or custom.content_type == "product_group"):
        kind = "list_view"
    known = user.external_id
    touchpoint = Touchpoint(
        id=event.event_id,
        type=kind,
        name=event.event_name,
        user_id=(known[0] if known else None) if isinstance(known, list) else known,
        anonymous_id=user.fbp,
        session_id=custom.session_id,
        device_id=custom.device_id,
        items=items,
        channel=custom.channel or event.action_source,
        consent=consent_in(kind, custom),
    )
    add(touchpoint, custom)
    if custom.currency is not None:
        touchpoint.currency = custom.currency.upper()
    if event.event_time is not None:
        touchpoint.time = time_of(event.event_time)
    touchpoint.value, touchpoint.source = custom.value, custom.source
    touchpoint.query = custom.query if custom.search_string is None else custom.search_string
    touchpoint.traits = custom.traits or None
    if user.fbc:
        touchpoint.medium, touchpoint.campaign = "paid", {"click_id": user.fbc}
    return touchpoint


def _items(event: _Event, custom: _Custom) -> list[Item]:
    if custom.contents:
        items = items_of(custom.contents)
    elif custom.content_ids:
        items = [Item(product_id=one) for one in custom.content_ids]
    else:
        return []
    if custom.content_category is not None:
        for one in items:
            one.category = one.category or custom.content_category
    if len(items) == 1:
        only = items[0]
        only.name = custom.content_name if only.name is None else only.name
        only.url = event.event_source_url if only.url is None else only.url
    return items


read: Final[Reader] = strictly(_Event, _touchpoint)
_ABSENT: Final = (
    "specversion", "type", "collector_tstamp", "events", "user_pseudo_id", "event_timestamp",
)  # fmt: skip
told: Final = (telling(_Event, _touchpoint, {"user_data": _User}, _ABSENT),)
