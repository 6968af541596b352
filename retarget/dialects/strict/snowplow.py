"""An enriched event of Snowplow's as it usually is, as JSON.

The names of its fields say what they hold, so it is read as an object first, and its parts by struct then.
"""

from __future__ import annotations

import msgspec

from retarget.decode import is_settled, parse_object
from retarget.dialects import parts, snowplow
from retarget.dialects.strict.shared import Properties, add, consent_in, items_of, time_of
from retarget.errors import Rejected
from retarget.touchpoints import Id, Item, Touchpoint


class _Product(Item, gc=False):
    product_id: Id | None = msgspec.field(name="id", default=None)
    variant_id: Id | None = msgspec.field(name="variant", default=None)


class _Products(msgspec.Struct, frozen=True, gc=False):
    all: list[_Product]


class _Columns(msgspec.Struct, frozen=True, gc=False):
    event_id: Id
    collector_tstamp: str
    derived_tstamp: Id
    true_tstamp: Id | None = None
    user_id: Id | None = None
    domain_userid: Id | None = None
    domain_sessionid: Id | None = None
    network_userid: Id | None = None
    mkt_source: str | None = None


def read(value: bytes) -> Touchpoint | None:
    """The touchpoint; None when the tolerant reader must judge it."""
    if not value.startswith(b"{"):
        return None
    try:
        record = parse_object(value)
        found = snowplow.found_in(record)
        columns = msgspec.convert(record, _Columns)
        data = found.data if not found.entities else {**found.data, **snowplow.told_by(found.entities)}
        given = msgspec.convert(data, Properties)
        touchpoint = _touchpoint(columns, given, _items(found.products) if found.products else [])
        kind, touchpoint.name = snowplow.type_of(record, found.data, found.entities)
        touchpoint.type, touchpoint.consent = kind, consent_in(kind, given)
        touchpoint.query = snowplow.query_of(found.data)
    except (ValueError, OverflowError, RecursionError, Rejected):
        return None
    if found.entities and not _is_of_columns(columns, found.entities):
        return None
    if place := snowplow.geo_of(record):
        touchpoint.geo = place
    touchpoint.campaign = snowplow.campaign_of(record)
    if (given_medium := record.get("mkt_medium")) is not None:
        touchpoint.medium = parts.medium(given_medium)
    return touchpoint if is_settled(touchpoint) else None


def _touchpoint(columns: _Columns, given: Properties, items: list[Item]) -> Touchpoint:
    touchpoint = Touchpoint(
        id=columns.event_id,
        time=time_of(columns.true_tstamp or columns.derived_tstamp),
        user_id=columns.user_id,
        anonymous_id=columns.domain_userid or columns.network_userid,
        session_id=columns.domain_sessionid or given.session_id,
        device_id=given.device_id,
        items=items,
    )
    add(touchpoint, given)
    touchpoint.value, touchpoint.source, touchpoint.channel = given.value, columns.mkt_source, given.channel
    touchpoint.traits = given.traits or None
    return touchpoint


def _items(products: object) -> list[Item]:
    return items_of(msgspec.convert({"all": products}, _Products).all)


def _is_of_columns(columns: _Columns, entities: snowplow.Entities) -> bool:
    """Whether the entities say nothing of the person that the columns do not."""
    if "user" in entities and columns.user_id is None:
        return False
    return "session" not in entities or not (
        columns.domain_userid is None or columns.domain_sessionid is None
    )
