"""The form of events in test cases, and of what they are about: every key declared once."""

from __future__ import annotations

from typing import Final, get_args

from retarget import catalogue
from retarget.rules.model import Channel
from retarget.rules.records import Key, Record, Values
from retarget.rules.shapes import Number, OneOf, Several, Text
from retarget.touchpoints import TYPES
from streams.cases import checks
from streams.cases.model import Happening
from streams.cases.shapes import FIELDS, MOMENT

SENTENCE: Final = Text("a sentence")
LABEL: Final = Text("a label: letters, digits and _ . / -", "[A-Za-z0-9][A-Za-z0-9_./-]*", 128)
ID: Final = Text("an id, as text", longest=256)
ANY_CHANNEL: Final = OneOf("channel", get_args(Channel))
_AMOUNT: Final = Number(-1_000_000_000, 1_000_000_000, whole=False)
_FROM_ZERO: Final = Number(0, 1_000_000_000, whole=False)
_PRODUCTS: Final = Several(ID, "product", single=True)

_LOOKS: Final = (
    Key(name="category", shape=ID, says="Its category.", example="tents"),
    Key(name="price", shape=_AMOUNT, says="Its price.", example=199),
    Key(name="name", shape=SENTENCE, says="Its name.", example="A tent for two"),
    Key(name="brand", shape=SENTENCE, says="Its brand.", example="Nordic"),
    Key(name="variant_id", shape=ID, says="Its variant.", example="tent-green"),
    Key(name="url", shape=SENTENCE, says="Its page.", example="https://shop.example/tent"),
    Key(
        name="image_url", shape=SENTENCE, says="Its picture.", example="https://shop.example/tent.jpg"
    ),
)  # fmt: skip
PRODUCT: Final = Record(what="a product", build=dict, keys=_LOOKS)
ITEM: Final = Record(
    what="an item",
    build=dict,
    keys=(
        Key(name="product_id", shape=ID, says="The product.", example="tent"),
        Key(name="quantity", shape=_AMOUNT, says="How many.", example=2),
        *_LOOKS,
    ),
)
CONSENT: Final = Record(
    what="a word on consent",
    build=dict,
    keys=(
        Key(
            name="state",
            shape=OneOf("state", ("granted", "denied", "revoked", "pending", "confirmed")),
            required=True,
            says="What the person said.",
            example="revoked",
        ),
        Key(name="purpose", shape=LABEL, says="For one purpose only.", example="marketing"),
        Key(name="channel", shape=ANY_CHANNEL, says="For one channel only.", example="email"),
        Key(name="basis", shape=SENTENCE, says="The legal basis.", example="double opt-in"),
        Key(name="text_version", shape=ID, says="What text they saw.", example="2024-01"),
    ),
)


# What the catalogue says of a product: a record of it is an event that is about nobody.
_LISTED: Final = (
    Key(name="product", shape=ID, says="In a record of the catalogue: the product.", example="tent"),
    Key(name="price", shape=_FROM_ZERO, says="There: its price from now on.", example=80),
    Key(name="stock", shape=_FROM_ZERO, says="There: how many there are.", example=3),
    Key(name="margin", shape=_AMOUNT, says="There: what the shop expects to earn by one.", example=1.5),
    Key(name="expires", shape=MOMENT, says="There: from when on it cannot be bought.", example="+2d"),
)


def _happening(values: Values) -> Happening:
    fields = {key: value for key, value in values.items() if key not in ("at", "products")}
    if "items" in fields:
        fields["items"] = list(fields["items"])
    return Happening(at=values["at"], products=values.get("products", ()), fields=fields)


EVENT: Final = Record(
    what="an event",
    build=_happening,
    check=checks.event,
    keys=(
        Key(name="at", shape=MOMENT, required=True, says="When it happens.", example="+10m"),
        Key(
            name="type",
            shape=OneOf("touchpoint type", (*sorted(TYPES), catalogue.TYPE)),
            required=True,
            says="Its touchpoint type, or `catalogue`: a record of the catalogue.",
            example="add",
        ),
        Key(
            name="products",
            shape=_PRODUCTS,
            says="What it is about; if the file has `products`, one or more of those.",
            example=["tent", "lamp"],
        ),
        Key(
            name="items",
            shape=Several(ITEM, "item"),
            says="The same in full, where quantities or other prices matter.",
            example=[{"product_id": "tent", "quantity": 2}],
        ),
        *_LISTED,
        Key(name="id", shape=ID, says="Its id; else `e1`, `e2` and so on.", example="e7"),
        Key(name="cart_id", shape=ID, says="Its cart, if there are several.", example="cart-1"),
        Key(name="checkout_id", shape=ID, says="Its checkout.", example="checkout-1"),
        Key(name="order_id", shape=ID, says="Its order; else the event's id.", example="order-1"),
        Key(name="session_id", shape=ID, says="Its visit.", example="visit-1"),
        Key(name="store_id", shape=ID, says="The shop on the high street.", example="shop-3"),
        Key(name="name", shape=SENTENCE, says="The producer's own name of it.", example="video_watched"),
        Key(name="value", shape=_AMOUNT, says="Value of the order or event.", example=49.9),
        Key(name="currency", shape=ID, says="Its currency.", example="EUR"),
        Key(name="coupon", shape=ID, says="The coupon used.", example="SPRING"),
        Key(name="query", shape=SENTENCE, says="What was searched for.", example="tent"),
        Key(name="dwell_ms", shape=_AMOUNT, says="Length of a view in ms.", example=12000),
        Key(name="source", shape=SENTENCE, says="Where the person came from.", example="newsletter"),
        Key(
            name="medium",
            shape=OneOf("medium", ("earned", "owned", "paid")),
            says="By what kind of medium.",
            example="paid",
        ),
        Key(name="channel", shape=SENTENCE, says="By which channel they spoke.", example="email"),
        Key(name="sentiment", shape=SENTENCE, says="How it sounds.", example="negative"),
        Key(name="campaign", shape=FIELDS, says="The campaign.", example={"id": "spring"}),
        Key(name="geo", shape=FIELDS, says="Where it happens.", example={"country": "DE"}),
        Key(name="traits", shape=FIELDS, says="What the person tells.", example={"locale": "de-DE"}),
        Key(
            name="consent",
            shape=CONSENT,
            says="What they agree to or forbid.",
            example={"state": "revoked", "channel": "email"},
        ),
    ),
)
