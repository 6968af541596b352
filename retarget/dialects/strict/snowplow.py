"""An enriched event of Snowplow's as it usually is, as JSON.

Some of its fields are named after schemas, so that nobody knows them all. A struct is made for the names that
an event has, once for all events that have the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, get_type_hints

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict

from retarget.decode import is_settled
from retarget.dialects import parts, snowplow
from retarget.dialects.strict.shared import Never, Reader, items_of
from retarget.errors import Rejected
from retarget.times import DAY, EPOCH, LATEST, NAIVE_EPOCH, SECOND
from retarget.touchpoints import Id, Item, Touchpoint

# Producers have some dozens of combinations; beyond these the tolerant reader will do.
MOST_FORMS: Final = 256
LONGEST_NAMES: Final = 4096


# What a field may hold that nobody is to send.
_NOTHING: Final = msgspec.Meta(min_length=1, max_length=0)


class _Product(Item, gc=False):
    product_id: Id | None = msgspec.field(name="id", default=None)
    variant_id: Id | None = msgspec.field(name="variant", default=None)


class _Event(Touchpoint, kw_only=True, gc=False, omit_defaults=True):
    """A self-describing event, read as the touchpoint that it becomes: it has no field of its own.

    What it may not say of itself is set in any case, or may hold nothing; the words searched for are in
    `trace` for a while.
    """

    type: Id | None = None  # type: ignore[assignment]
    trace: Any = msgspec.field(name="terms", default=None)
    name: str | None = msgspec.field(name=" name", default=None)
    id: Id | None = msgspec.field(name=" id", default=None)
    time: int = msgspec.field(name=" time", default=-1)
    user_id: Id | None = msgspec.field(name=" user_id", default=None)
    anonymous_id: Id | None = msgspec.field(name=" anonymous_id", default=None)
    items: Annotated[list[Item], _NOTHING] = msgspec.field(name=" items", default_factory=list)
    source: Annotated[str, _NOTHING] | None = msgspec.field(name=" source", default=None)
    medium: Annotated[str, _NOTHING] | None = msgspec.field(name=" medium", default=None)
    campaign: Annotated[dict[str, Any], _NOTHING] | None = msgspec.field(name=" campaign", default=None)


class _Cart(msgspec.Struct, frozen=True, gc=False):
    cart_id: Id | None = None
    total_value: float | None = None
    currency: Id | None = None


class _Order(msgspec.Struct, frozen=True, gc=False):
    """A transaction, a refund, or an error in one."""

    transaction_id: Id | None = None
    revenue: float | None = None
    refund_amount: float | None = None
    currency: Id | None = None
    discount_code: Id | None = None


class _Step(msgspec.Struct, frozen=True, gc=False):
    coupon_code: Id | None = None


class _Page(msgspec.Struct, frozen=True, gc=False):
    type: Id | None = None


class _Record(msgspec.Struct, kw_only=True, gc=False):
    """The columns, in the order in which they are written: each is looked for behind the one before it.

    What is in fields that are named after schemas is known by its kind; a form has their names.
    """

    collector_tstamp: str
    event: Id | None = None
    event_id: Id
    user_id: Id | None = None
    domain_userid: Id | None = None
    network_userid: Id | None = None
    geo_country: Any = None
    geo_city: Any = None
    geo_zipcode: Any = None
    geo_latitude: Any = None
    geo_longitude: Any = None
    geo_region_name: Any = None
    mkt_medium: str | None = None
    mkt_source: str | None = None
    mkt_campaign: Any = None
    se_action: Id | None = None
    geo_timezone: Any = None
    mkt_clickid: Any = None
    domain_sessionid: Id | None = None
    derived_tstamp: Id
    event_name: Id | None = None
    true_tstamp: Id | None = None
    # What another dialect is told by.
    specversion: Any = UNSET
    type: Any = UNSET

    happened: _Event | None = None
    product: list[_Product] | None = None
    cart: list[_Cart] | None = None
    transaction: list[_Order] | None = None
    refund: list[_Order] | None = None
    error: list[_Order] | None = None
    step: list[_Step] | None = None
    page: list[_Page] | None = None
    user: list[dict[str, Any]] | None = None
    session: list[dict[str, Any]] | None = None


class _Form(NamedTuple):
    """What reads records with the same names; None: nothing does. `weighs`: entities may outdo the event."""

    decode: Callable[[bytes], _Record] | None
    weighs: bool


_UNSTRUCT: Final = f'"{snowplow.UNSTRUCT}'
_QUOTE: Final = '"'
_NOTHING_HAPPENED: Final = "\n"  # in no name, as JSON has no such character within texts
_BACKSLASH: Final = "\\"
_ENTITY: Final = f'"{snowplow.ENTITY}'
# An escape that stands for a letter may hide such a name.
_HIDDEN: Final = re.compile(r"\\u00[2-7]")
_NO_CART: Final = _Cart()
_NO_ORDER: Final = _Order()
_ALL_BUT_ONE: Final = 2
_ONE: Final = 2  # parts of a text in which there is one of what it is split at
_HINTS: Final = {kind: hint for kind, hint in get_type_hints(_Record).items() if kind in snowplow.KINDS}
_NO_FORM: Final = _Form(None, weighs=False)
# Of these nothing is said that the event says too.
_WEIGHLESS: Final = frozenset({snowplow.HAPPENED, "product"})
_forms: Final[dict[str, _Form]] = {}
# The name of an event, its kind, and three words that its type may hang on.
_Said: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None]
_kinds: Final[dict[_Said, tuple[str, str]]] = {}
_moment: Final = datetime.fromisoformat


# In one piece: each call within it takes a fortieth of the whole.
def _read(value: bytes) -> Touchpoint | None:  # noqa: C901 - measured hot loop
    try:
        text = value.decode()
        happened, entities = text.split(_UNSTRUCT), text.split(_ENTITY)
        names = happened[1].partition(_QUOTE)[0] if len(happened) > 1 else _NOTHING_HAPPENED
        if len(entities) > 1:
            for part in entities[1:]:
                names += _QUOTE + part.partition(_QUOTE)[0]
        decode, weighs = _forms.get(names) or _learned(names)
        if decode is None or len(happened) > _ONE or (_BACKSLASH in text and _HIDDEN.search(text)):
            return None  # two events in one, or a name that is hidden
        record = decode(value)
        record.__class__ = _Record  # of one class, or each access to a field would be looked up anew
        if record.specversion is not UNSET or record.type is not UNSET:
            return None
        touchpoint = record.happened or _Event()
        page = (record.page[0].type or "") if record.page else None
        event = record.event
        said = record.event_name, event, record.se_action, touchpoint.type, page
        touchpoint.type, touchpoint.name = _kinds.get(said) or _kind(said)
        if touchpoint.trace is not None:
            touchpoint.query, touchpoint.trace = snowplow.query_of(touchpoint.trace, touchpoint.query), None
        touchpoint.id = record.event_id
        moment = _moment(record.true_tstamp or record.derived_tstamp)
        since = moment - (EPOCH if moment.tzinfo is not None else NAIVE_EPOCH)
        touchpoint.time = since.days * DAY + since.seconds * SECOND + since.microseconds // 1000
        touchpoint.user_id = record.user_id
        touchpoint.anonymous_id = record.domain_userid or record.network_userid
        if record.domain_sessionid is not None:
            touchpoint.session_id = record.domain_sessionid
        if record.product:
            touchpoint.items = items_of(record.product)
        if touchpoint.traits is not None and not touchpoint.traits:
            touchpoint.traits = None
        if record.mkt_source is not None or record.mkt_campaign or record.mkt_clickid or record.mkt_medium:
            touchpoint.source = record.mkt_source
            touchpoint.medium = parts.medium(record.mkt_medium)
            touchpoint.campaign = snowplow.campaign_of(record.mkt_campaign, record.mkt_clickid)
        if record.geo_country or record.geo_latitude or record.geo_timezone:
            touchpoint.geo = snowplow.geo_of(asdict(record))
        touchpoint.__class__ = Touchpoint  # type: ignore[assignment]
        if weighs and not _is_said(touchpoint, record):
            return None
    except (ValueError, OverflowError, RecursionError, Rejected):
        return None
    # Without a word of consent it may be told flat.
    is_clear = touchpoint.type != "consent" or touchpoint.consent is not None
    return touchpoint if is_clear and 0 <= touchpoint.time <= LATEST and is_settled(touchpoint) else None


def _kind(said: _Said) -> tuple[str, str]:
    name, event, *others = said
    found = snowplow.type_of(name or event or "", event, *others)
    if len(_kinds) < MOST_FORMS:
        _kinds[said] = found
    return found


def _learned(names: str) -> _Form:
    if names not in _forms and len(_forms) < MOST_FORMS and len(names) <= LONGEST_NAMES:
        _forms[names] = _form(names)
    return _forms.get(names, _NO_FORM)


def _form(names: str) -> _Form:
    """The form of these ends of names; none where two of them hold the same, or one is no plain name."""
    found: dict[str, str] = {}
    happened, *entities = names.split(_QUOTE)
    written = [snowplow.ENTITY + one for one in entities]
    if happened != _NOTHING_HAPPENED:
        written.append(snowplow.UNSTRUCT + happened)
    for name in written:
        kind = snowplow.kind_of(name)
        if kind is not None and (found.setdefault(kind, name) != name or "\\" in name):
            return _NO_FORM
    fields: list[Any] = [
        (kind, hint, msgspec.field(name=found[kind], default=None))
        if kind in found
        else (kind, Never, msgspec.field(name=f" {kind}", default=None))
        for kind, hint in _HINTS.items()
    ]
    record: Any = msgspec.defstruct("_Named", fields, bases=(_Record,), kw_only=True, gc=False)
    return _Form(msgspec.json.Decoder(record).decode, weighs=not found.keys() <= _WEIGHLESS)


def _is_said(touchpoint: Touchpoint, record: _Record) -> bool:
    """Let entities outdo the event; whether they say nothing that the tolerant reader had better weigh."""
    orders = record.transaction or record.refund or record.error
    if orders and (record.transaction, record.refund, record.error).count(None) != _ALL_BUT_ONE:
        return False
    order = orders[0] if orders else _NO_ORDER
    cart = record.cart[0] if record.cart else _NO_CART
    if cart.cart_id is not None:
        touchpoint.cart_id = cart.cart_id
    if order.transaction_id is not None:
        touchpoint.order_id = order.transaction_id
    if currency := order.currency or cart.currency:
        touchpoint.currency = currency
    if coupon := order.discount_code or (record.step[0].coupon_code if record.step else None):
        touchpoint.coupon = coupon
    worth = order.revenue if order.revenue is not None else order.refund_amount
    if worth is None:
        worth = cart.total_value
    if worth is not None:
        touchpoint.value = worth
    if record.user and record.user_id is None:
        return False
    return not (record.session and (record.domain_userid is None or record.domain_sessionid is None))


read: Final[Reader] = _read
told: Final[tuple[Reader, ...]] = (_read,)
