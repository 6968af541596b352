"""An enriched event of Snowplow's as it usually is, as JSON.

Some of its fields are named after schemas, so that nobody knows them all. A struct is made for the names that
an event has, once for all events that have the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec
from msgspec.structs import asdict

from retarget.dialects import parts, snowplow
from retarget.dialects.strict.shared import Properties, Reader, add, consent_in, items_of, reading, time_of
from retarget.touchpoints import Id, Item, Touchpoint

# Producers have some dozens of combinations; beyond these the tolerant reader will do.
MOST_FORMS: Final = 256
LONGEST_NAMES: Final = 4096


class _Product(Item, gc=False):
    product_id: Id | None = msgspec.field(name="id", default=None)
    variant_id: Id | None = msgspec.field(name="variant", default=None)


class _Event(Properties, frozen=True, gc=False):
    type: str | None = None
    terms: Any = None


class _Record(msgspec.Struct, frozen=True, gc=False):
    """The columns; a form adds the fields of `named`, under the names that they have there."""

    event_id: Id
    collector_tstamp: str
    derived_tstamp: Id
    true_tstamp: Id | None = None
    event: str | None = None
    event_name: str | None = None
    se_action: str | None = None
    user_id: Id | None = None
    domain_userid: Id | None = None
    domain_sessionid: Id | None = None
    network_userid: Id | None = None
    mkt_source: str | None = None
    mkt_medium: str | None = None
    mkt_campaign: Any = None
    mkt_clickid: Any = None
    geo_country: Any = None
    geo_region_name: Any = None
    geo_city: Any = None
    geo_zipcode: Any = None
    geo_latitude: Any = None
    geo_longitude: Any = None
    geo_timezone: Any = None

    happened: ClassVar[_Event | None] = None
    product: ClassVar[list[_Product] | None] = None
    others: ClassVar[tuple[str, ...]] = ()


_Decode = Callable[[bytes], _Record]
_TYPES: Final[dict[str, Any]] = {
    "happened": _Event | None,
    "product": list[_Product] | None,
    **dict.fromkeys(snowplow.OTHERS, list[dict[str, Any]] | None),
}
_MARKS: Final = tuple(f'"{prefix}'.encode() for prefix in (snowplow.UNSTRUCT, snowplow.ENTITY))
_BACKSLASH: Final = ord("\\")
# An escape that stands for a letter may hide such a name.
_HIDDEN: Final = re.compile(rb"\\u00[2-7]")
_NOTHING: Final = _Event()
_NO_ENTITIES: Final[dict[str, dict[str, Any]]] = {}
_forms: Final[dict[tuple[bytes, ...], _Decode | None]] = {}


def _decode(value: bytes) -> _Record:
    """The record by the form of its names. Raises ValueError when it is none that is usual."""
    names: tuple[bytes, ...] = ()
    for mark in _MARKS:
        at = value.find(mark)
        while at >= 0:
            end = value.find(b'"', at + 1)
            names += (value[at:end],)
            at = value.find(mark, end)
    form = _forms.get(names) or _learned(names)
    if form is None or (_BACKSLASH in value and _HIDDEN.search(value)):
        raise ValueError("not as it usually is")
    return form(value)


def _learned(names: tuple[bytes, ...]) -> _Decode | None:
    if names not in _forms and len(_forms) < MOST_FORMS and sum(map(len, names)) <= LONGEST_NAMES:
        _forms[names] = _form(names)
    return _forms.get(names)


def _form(names: tuple[bytes, ...]) -> _Decode | None:
    """What reads records with these names; None where two of them hold the same, or one is no plain name."""
    found: dict[str, str] = {}
    for name in names:
        key = name[1:].decode()
        kind = snowplow.kind_of(key)
        if kind is not None and (found.setdefault(kind, key) != key or "\\" in key):
            return None
    others = tuple(kind for kind in found if kind in snowplow.OTHERS)
    fields = [(kind, _TYPES[kind], None) for kind in found]
    record: Any = msgspec.defstruct(
        "_Form", fields, bases=(_Record,), namespace={"others": others}, rename=found, frozen=True, gc=False
    )
    decode: _Decode = msgspec.json.Decoder(record).decode
    return decode


def _touchpoint(record: _Record) -> Touchpoint | None:
    given = record.happened or _NOTHING
    entities = _entities(record) if record.others else _NO_ENTITIES
    page = str(entities["page"].get("type")) if "page" in entities else None
    kind, name = snowplow.type_of(
        record.event_name or record.event or "", record.event, record.se_action, given.type, page
    )
    touchpoint = Touchpoint(
        id=record.event_id,
        type=kind,
        name=name,
        time=time_of(record.true_tstamp or record.derived_tstamp),
        user_id=record.user_id,
        anonymous_id=record.domain_userid or record.network_userid,
        session_id=record.domain_sessionid or given.session_id,
        device_id=given.device_id,
        items=items_of(record.product) if record.product else [],
    )
    add(touchpoint, given)
    touchpoint.value, touchpoint.source, touchpoint.channel = given.value, record.mkt_source, given.channel
    touchpoint.query = given.query if given.terms is None else snowplow.query_of(given.terms, given.query)
    touchpoint.traits, touchpoint.consent = given.traits or None, consent_in(kind, given)
    if record.mkt_medium is not None:
        touchpoint.medium = parts.medium(record.mkt_medium)
    if record.mkt_campaign or record.mkt_clickid:
        touchpoint.campaign = snowplow.campaign_of(asdict(record))
    if record.geo_country or record.geo_latitude or record.geo_timezone:
        touchpoint.geo = snowplow.geo_of(asdict(record))
    return touchpoint if not entities or _is_said(touchpoint, record, entities) else None


def _entities(record: _Record) -> dict[str, dict[str, Any]]:
    return {kind: given[0] for kind in record.others if (given := getattr(record, kind))}


def _is_said(touchpoint: Touchpoint, record: _Record, entities: snowplow.Entities) -> bool:
    """Let entities outdo the event; whether they say nothing of the person that the columns do not."""
    told = msgspec.convert(snowplow.told_by(entities), Properties)
    add(touchpoint, told)
    if told.value is not None:
        touchpoint.value = told.value
    if "user" in entities and record.user_id is None:
        return False
    return "session" not in entities or not (record.domain_userid is None or record.domain_sessionid is None)


read: Final[Reader] = reading(_decode, _touchpoint)
