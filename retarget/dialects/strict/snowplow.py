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
from retarget.dialects.strict.shared import Properties, Reader, add, items_of, reading, time_of
from retarget.touchpoints import Id, Item, Touchpoint

# Producers have some dozens of combinations; beyond these the tolerant reader will do.
MOST_FORMS: Final = 256
LONGEST_NAMES: Final = 4096


class _Product(Item, gc=False):
    product_id: Id | None = msgspec.field(name="id", default=None)
    variant_id: Id | None = msgspec.field(name="variant", default=None)


class _Event(Touchpoint, kw_only=True, gc=False, omit_defaults=True):
    """A self-describing event, read as the touchpoint that it becomes: it has no field of its own.

    What it may not say of itself is set in any case; the words searched for are in `trace` for a while.
    """

    type: str | None = None  # type: ignore[assignment]
    trace: Any = msgspec.field(name="terms", default=None)
    name: str | None = msgspec.field(name=" name", default=None)
    id: Id | None = msgspec.field(name=" id", default=None)
    time: int = msgspec.field(name=" time", default=-1)
    user_id: Id | None = msgspec.field(name=" user_id", default=None)
    anonymous_id: Id | None = msgspec.field(name=" anonymous_id", default=None)
    items: list[Item] = msgspec.field(name=" items", default_factory=list)
    source: str | None = msgspec.field(name=" source", default=None)
    medium: str | None = msgspec.field(name=" medium", default=None)
    campaign: dict[str, Any] | None = msgspec.field(name=" campaign", default=None)


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
    # What another dialect is told by.
    specversion: Any = msgspec.UNSET
    type: Any = msgspec.UNSET

    happened: ClassVar[_Event | None] = None
    product: ClassVar[list[_Product] | None] = None
    others: ClassVar[tuple[str, ...]] = ()


_Decode = Callable[[bytes], _Record]
_TYPES: Final[dict[str, Any]] = {
    "happened": _Event | None,
    "product": list[_Product] | None,
    **dict.fromkeys(snowplow.OTHERS, list[dict[str, Any]] | None),
}
_UNSTRUCT: Final = f'"{snowplow.UNSTRUCT}'
_BACKSLASH: Final = "\\"
_ENTITY: Final = f'"{snowplow.ENTITY}'
# An escape that stands for a letter may hide such a name.
_HIDDEN: Final = re.compile(r"\\u00[2-7]")
_NO_ENTITIES: Final[dict[str, dict[str, Any]]] = {}
_forms: Final[dict[str, _Decode | None]] = {}


def _decode(value: bytes) -> _Record:
    """The record by the form of its names. Raises ValueError when it is none that is usual."""
    text = value.decode()
    _, names, rest = text.partition(_UNSTRUCT)
    names += rest.partition('"')[0]
    if _UNSTRUCT in rest:
        raise ValueError("two events in one")
    if _ENTITY in text:
        for part in text.split(_ENTITY)[1:]:
            names += _ENTITY + part.partition('"')[0]
    form = _forms.get(names) or _learned(names)
    if form is None or (_BACKSLASH in text and _HIDDEN.search(text)):
        raise ValueError("not as it usually is")
    return form(value)


def _learned(names: str) -> _Decode | None:
    if names not in _forms and len(_forms) < MOST_FORMS and len(names) <= LONGEST_NAMES:
        _forms[names] = _form(names)
    return _forms.get(names)


def _form(names: str) -> _Decode | None:
    """What reads records with these names; None where two of them hold the same, or one is no plain name."""
    found: dict[str, str] = {}
    for name in names.split('"')[1:]:
        kind = snowplow.kind_of(name)
        if kind is not None and (found.setdefault(kind, name) != name or "\\" in name):
            return None
    others = tuple(kind for kind in found if kind in snowplow.OTHERS)
    fields = [(kind, _TYPES[kind], None) for kind in found]
    record: Any = msgspec.defstruct(
        "_Form", fields, bases=(_Record,), namespace={"others": others}, rename=found, frozen=True, gc=False
    )
    decode: _Decode = msgspec.json.Decoder(record).decode
    return decode


def _touchpoint(record: _Record) -> Touchpoint | None:
    touchpoint = record.happened or _Event()
    entities = _entities(record) if record.others else _NO_ENTITIES
    page = str(entities["page"].get("type")) if "page" in entities else None
    kind, touchpoint.name = snowplow.type_of(
        record.event_name or record.event or "", record.event, record.se_action, touchpoint.type, page
    )
    if kind == "consent" and touchpoint.consent is None:
        return None  # it may be told flat
    if touchpoint.trace is not None:
        touchpoint.query, touchpoint.trace = snowplow.query_of(touchpoint.trace, touchpoint.query), None
    touchpoint.type = kind
    touchpoint.id = record.event_id
    touchpoint.time = time_of(record.true_tstamp or record.derived_tstamp)
    touchpoint.user_id = record.user_id
    touchpoint.anonymous_id = record.domain_userid or record.network_userid
    if record.domain_sessionid is not None:
        touchpoint.session_id = record.domain_sessionid
    touchpoint.items = items_of(record.product) if record.product else []
    touchpoint.source = record.mkt_source
    if not touchpoint.traits:
        touchpoint.traits = None
    touchpoint.medium = None if record.mkt_medium is None else parts.medium(record.mkt_medium)
    is_of_campaign = record.mkt_campaign or record.mkt_clickid
    touchpoint.campaign = snowplow.campaign_of(asdict(record)) if is_of_campaign else None
    if record.geo_country or record.geo_latitude or record.geo_timezone:
        touchpoint.geo = snowplow.geo_of(asdict(record))
    touchpoint.__class__ = Touchpoint  # type: ignore[assignment]
    return touchpoint if not entities or _is_said(touchpoint, record, entities) else None


def _told(record: _Record) -> Touchpoint | None:
    is_certain = record.specversion is record.type is msgspec.UNSET
    return _touchpoint(record) if is_certain else None


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
told: Final[tuple[Reader, ...]] = (reading(_decode, _told),)
