"""The triggers that have keys of their own, and the touchpoint types that a rule may name."""

from __future__ import annotations

from typing import Any, Final

from retarget.rules import checks, customs, telling
from retarget.rules.conditions import Condition
from retarget.rules.model import ANYTHING, Catalogue, Count, Date, Quiet, Succession
from retarget.rules.places import Place
from retarget.rules.records import Key, Record, Values
from retarget.rules.shapes import BAD, Duration, Expression, Named, Number, OneOf, Several, Text
from retarget.rules.subjects import LISTING
from retarget.touchpoints import IMPERSONAL, TYPES

# A count is kept as that many times at most, so that a person's state stays bounded.
MOST_COUNTED: Final = 64

_IMPERSONAL: Final = dict.fromkeys(IMPERSONAL, "it belongs to no person, so no rule can wait for it")
TYPE: Final = OneOf("touchpoint type", tuple(sorted(TYPES - IMPERSONAL)), _IMPERSONAL, customs.MARK)
_OPENING: Final = OneOf(TYPE.what, (ANYTHING, *TYPE.known), _IMPERSONAL, customs.MARK)
TYPE_LIST: Final = Several(TYPE, TYPE.what, single=True)
CATEGORY: Final = Key(
    name="category",
    shape=Text("a category"),
    says="Only events with a product of this category, as the event itself says, and only such products.",
    example="tv",
)
COUNT: Final = Record(
    what="a count",
    build=lambda v: Count(**v),
    check=checks.count,
    keys=(
        Key(
            name="of", shape=TYPE_LIST, required=True, says="The touchpoint types that count.", example="view"
        ),
        Key(
            name="at_least",
            shape=Number(1, MOST_COUNTED),
            required=True,
            says="So many of them, or of the distinct values, within the window.",
            example=3,
        ),
        Key(name="within", shape=Duration(), required=True, says="The length of the window.", example="24h"),
        Key(
            name="distinct",
            shape=OneOf("thing to tell apart", (*telling.WORDS, telling.DAY)),
            says="Count different products instead of events, or whatever else `distinct` in conditions "
            "tells apart, or with `day` days (UTC).",
            example="product",
        ),
        CATEGORY,
    ),
)


def _quiet(values: Values) -> Quiet:
    return Quiet(**{"touches": values["opens"], **values})


QUIET: Final = Record(
    what="a silence to wait for",
    build=_quiet,
    check=checks.quiet,
    keys=(
        Key(
            name="after",
            shape=Duration(),
            required=True,
            says="Decided after so long without a touch.",
            example="30m",
        ),
        Key(
            name="opens",
            shape=Several(_OPENING, TYPE.what, single=True),
            required=True,
            says="The touchpoint types that open an episode, or `anything` the person does.",
            example=["add", "remove", "cart"],
        ),
        Key(
            name="touches",
            shape=Several(_OPENING, TYPE.what, least=0, single=True),
            says="The types that start the wait again: the same as `opens` if not said; [] waits once.",
            example=["add", "remove", "cart"],
        ),
        Key(
            name="when",
            shape=Expression(),
            says="Only events at which this holds open or touch.",
            example="cart.size > 0",
        ),
    ),
)
SEQUENCE: Final = Record(
    what="a sequence",
    build=lambda v: Succession(**v),
    check=checks.sequence,
    keys=(
        Key(name="first", shape=TYPE_LIST, required=True, says="What comes first.", example="chat"),
        Key(name="then", shape=TYPE_LIST, required=True, says="What completes it.", example="add"),
        Key(
            name="within",
            shape=Duration(),
            required=True,
            says="How long before that the first may lie; exactly so long ago is too long.",
            example="2h",
        ),
        Key(
            name="without",
            shape=TYPE_LIST,
            says="What must not come between the two, about the same subject.",
            example=["purchase"],
        ),
    ),
)


def _date(values: Values) -> Date:
    same = {key: values[key] for key in ("trait", "every", "interval", "otherwise") if key in values}
    return Date(shift=values.get("after", 0) - values.get("before", 0), **same)


DATE: Final = Record(
    what="a date",
    build=_date,
    check=checks.date,
    exactly_one=("trait", "interval"),
    keys=(
        Key(
            name="trait",
            shape=Text("the name of a trait", longest=64),
            says="A trait of the person that holds a date, such as 2024-05-31, or a time.",
            example="warranty_until",
        ),
        Key(
            name="every",
            shape=OneOf("word", ("year",)),
            says="Every year on the day and month of the trait (`05-31` will do), where the person lives.",
            example="year",
        ),
        Key(
            name="interval",
            shape=TYPE_LIST,
            says="Expected again after the median of at least two intervals; an order counts once.",
            example="purchase",
        ),
        Key(
            name="otherwise",
            shape=Named(Duration(), Text("a category"), "category: duration"),
            says="The interval for products of a category while the person has none of their own.",
            example={"coffee": "30d"},
        ),
        Key(name="before", shape=Duration(), says="How long before the date.", example="3d"),
        Key(name="after", shape=Duration(), says="How long after it.", example="1d"),
    ),
)


class _OfListing(Expression, frozen=True):
    """A condition about the listing alone: it is judged once, before anybody is looked at."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The Condition."""
        reading = at.reading
        subject, reading.subject = reading.subject, LISTING
        try:
            condition = super().read(value, at)
        finally:
            reading.subject = subject
        if not isinstance(condition, Condition):
            return condition
        others = sorted(name for name in condition.names if not name.startswith(f"{LISTING}."))
        if others or condition.windows:
            found = others[0] if others else "a count over events"
            at.problem(f"found {found}, and nobody is looked at here; known: names of {LISTING}; else use if")
            return BAD
        return condition


CATALOGUE: Final = Record(
    what="a change in the catalogue",
    build=lambda v: Catalogue(**v),
    keys=(
        Key(
            name="of",
            shape=Several(OneOf("part of a listing", ("price", "stock", "margin")), "part", single=True),
            required=True,
            says="What the shop changes.",
            example="price",
        ),
        Key(
            name="when",
            shape=_OfListing(),
            says="Only such changes; judged on the listing, for everybody at once.",
            example="listing.stock_before == 0 and listing.stock > 0",
        ),
        Key(
            name="within",
            shape=Duration(),
            default="30d",
            says="Who viewed, carted or wished for the product so short a time ago hears of it.",
            example="30d",
        ),
    ),
)
