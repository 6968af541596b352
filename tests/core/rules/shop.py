"""A tiny vocabulary for tests of the rule language."""

from collections.abc import Callable
from typing import Final

import msgspec

from retarget.rules.conditions import Argument, Function, Name, Scene, Vocabulary, Window

STAGES: Final = ("viewed", "considering", "carted", "bought")
TYPES: Final = ("view", "add", "purchase")


class Moment(msgspec.Struct, kw_only=True):
    """What the tests' conditions look at; everything may be unknown."""

    size: float | None = None
    value: float | None = None
    stage: str | None = None
    since_bought: int | None = None
    at: int | None = None
    known: bool | None = None
    tags: tuple[str, ...] | None = None
    event: str | None = None
    counts: dict[str, int] = {}


def _count(*types: str, within: int) -> Callable[[Scene], int]:
    """The sum of the counts, whatever the window."""
    if within > 365 * 86_400_000:
        raise ValueError("within is at most 365 days")
    return lambda moment: sum(moment.counts.get(name, 0) for name in types)


VOCABULARY: Final = Vocabulary(
    names={
        "cart.size": Name("number", "Products in the cart.", lambda m: m.size, frozenset({"cart"})),
        "cart.value": Name("number", "Their worth.", lambda m: m.value, frozenset({"cart"})),
        "order.number": Name("number", "Which purchase it is.", lambda _: 1, frozenset({"order"})),
        "person.stage": Name("text", "How far they are.", lambda m: m.stage, choices=STAGES),
        "person.tags": Name("list", "Their tags.", lambda m: m.tags),
        "listing.stock": Name("number", "Pieces.", lambda _: 1, frozenset({"listing"})),
        "listing.stock_before": Name("number", "Pieces before.", lambda _: 0, frozenset({"listing"})),
        "person.known": Name("bool", "Whether they are known.", lambda m: m.known),
        "product.since_bought": Name("duration", "Since they bought it.", lambda m: m.since_bought),
        "event.type": Name("text", "The event's type.", lambda m: m.event, event_only=True),
        "event.time": Name("time", "When it happened.", lambda m: m.at, event_only=True),
    },
    functions={
        "count": Function(
            args=(
                Argument("type", "text", many=True, choices=TYPES),
                Argument("within", "duration", keyword=True),
            ),
            returns="number",
            doc="How many such events there were.",
            build=_count,
            window=lambda *types, within: Window(types, within),
        )
    },
)
