"""The form of what a step sends by and offers: its channels and its offer, each key declared once."""

from __future__ import annotations

from typing import Any, Final, get_args

from retarget.rules import promises
from retarget.rules.currencies import CURRENCIES
from retarget.rules.model import SAME, Channel, Offer
from retarget.rules.records import Key, OrWord, Record, Values
from retarget.rules.shapes import ALL, Above, Duration, Number, OneOf, OrAll, Several, Text

_CHANNEL: Final = OneOf(
    "channel",
    tuple(name for name in get_args(Channel) if name != "ads"),
    {
        "ads": "nothing is sent to ads; write `audience: {add: NAME}` in the step",
        ALL: "that is no channel; write `channels: all`, or `{all: [push, email]}` for these",
    },
)
# The channels that messages are written for.
OF_MESSAGES: Final = _CHANNEL.known
# `all` means the person, whose channels these are; `service` reaches the shop's own people.
_OF_THE_PERSON: Final = tuple(name for name in _CHANNEL.known if name != "service")
_MONEY: Final = 1_000_000

CHANNELS: Final = OrAll(Several(_CHANNEL, _CHANNEL.what), _OF_THE_PERSON)


def with_channels(values: Values) -> dict[str, Any]:
    """`channels` and `every` as the model has them."""
    named = values.get("channels", ())
    every = named[:1] == (ALL,)
    found = {"channels": named[1:] if every else named, "every": every} if named else {}
    return {**values, **found}


def channels_named(values: Values) -> tuple[str, ...]:
    """The channels that a step or variant names, as far as they could be read."""
    named = values.get("channels")
    return tuple(one for one in named if one in OF_MESSAGES) if isinstance(named, tuple) else ()


OFFER: Final = Record(
    what="an offer",
    build=lambda v: Offer(**v),
    check=promises.offer,
    exactly_one=("percent", "amount"),
    keys=(
        Key(name="percent", shape=Above(100), says="The discount, of a hundred.", example=10),
        Key(name="amount", shape=Above(_MONEY), says="The discount in money.", example=5),
        Key(
            name="currency",
            shape=OneOf("currency", CURRENCIES),
            says="Of all amounts here; the shop's prices must be in it.",
            example="EUR",
        ),
        Key(
            name="expires",
            shape=Duration(),
            required=True,
            says="How long the code is good, from its first send on.",
            example="48h",
        ),
        Key(
            name="minimum_basket",
            shape=Above(_MONEY),
            says="From what worth of the basket on it is good.",
            example=50,
        ),
        Key(
            name="least_margin",
            shape=Number(0, _MONEY, whole=False),
            says="What must be left of the expected margin. If less, or unknown, the message goes without.",
            example=4,
        ),
        Key(
            name="codes",
            shape=Text("the name of a pool", "[a-z][a-z0-9_-]*", 64),
            says="The pool of `offers.codes` that the code is taken from, instead of one worked out.",
            example="spring",
        ),
    ),
)

OFFER_OR_SAME: Final = OrWord(OFFER, SAME)
