"""Where a merge comes to something else than one lane, or hangs on the order of merges: all of it, with why.

Each has a story in which it shows. A test fails when it does not show there any more: then it is to be struck
out here, and in docs/readings.md ("Who is whom"), which says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from retarget.journeys.model import Episode, Product
from retarget.times import HOUR, MINUTE, SECOND

Found = dict[str, Any]  # a journey as JSON has it
Deed = tuple[str, str, str, bool]  # who, what, which product, whether twenty minutes passed before it

_EVIDENCE: Final = Episode.__struct_fields__.index("evidence")
_BOUGHT: Final = Product.__struct_fields__.index("bought")


class OfOrder(NamedTuple):
    """What of a journey hangs on which of two anonymous people is joined first."""

    what: str
    because: str
    story: list[Deed]
    leave: Callable[[Found, Sequence[Deed]], None]


def _without(name: str) -> Callable[[Found, Sequence[Deed]], None]:
    def leave(found: Found, _story: Sequence[Deed]) -> None:
        del found[name]

    return leave


def _evidence(found: Found, _story: Sequence[Deed]) -> None:
    for by_subject in found["episodes"].values():
        for episode in by_subject.values():
            episode[_EVIDENCE] = None


def _episodes_after_purchases(found: Found, story: Sequence[Deed]) -> None:
    if any(kind == "purchase" and person != "u1" for person, kind, _, _ in story):
        del found["episodes"]


def _quantities_of_what_was_bought(found: Found, _story: Sequence[Deed]) -> None:
    for lines in found["carts"].values():
        for product, line in lines.items():
            if found["products"][product][_BOUGHT]:
                line[0] = None


def _numbers_of_orders(found: Found, _story: Sequence[Deed]) -> None:
    found["orders"] = sorted(found["orders"])


_BOTH_LOOKED: Final[list[Deed]] = [
    ("u1", "add", "p2", False), ("a2", "add", "p2", True), ("a1", "chat", "p1", False),
]  # fmt: skip
_BOUGHT_BETWEEN: Final[list[Deed]] = [
    ("u1", "add", "p1", True), ("a2", "chat", "p2", False), ("a1", "purchase", "p1", False),
    ("a2", "chat", "p2", True), ("a2", "add", "p1", True),
]  # fmt: skip

OF_ORDER: Final = (
    OfOrder(
        "which anonymous id", "a journey names the one that was joined first", _BOTH_LOOKED,
        _without("anonymous_id"),
    ),
    OfOrder(
        "the time to wake at", "it may lie before the first wait: whoever is woken for nothing is left alone",
        [("u1", "chat", "p1", False), ("a1", "add", "p1", False), ("a2", "add", "p1", False)],
        _without("alarm"),
    ),
    OfOrder(
        "evidence", "of what led to an episode three events are kept, and nothing hangs on which",
        _BOTH_LOOKED, _evidence,
    ),
    OfOrder(
        "pieces in a cart",
        "a line knows only when it was last put in, not which pieces were in it before a purchase",
        _BOUGHT_BETWEEN, _quantities_of_what_was_bought,
    ),
    OfOrder(
        "numbers of orders", "those of the other are numbered behind those that are known",
        [("a2", "purchase", "p1", True), ("a1", "purchase", "p2", True), ("a2", "remove", "p2", False)],
        _numbers_of_orders,
    ),
    OfOrder(
        "episodes that a device's purchase may have ended",
        "an episode knows its first and its last touch: where one device's purchase lies between touches of"
        " two others, it ends the episode or not by which of them is there when it comes",
        _BOUGHT_BETWEEN, _episodes_after_purchases,
    ),
)  # fmt: skip


class OneDeed(NamedTuple):
    """What happens, to whom, how long after what was before it, and how much crosses behind it."""

    kind: str
    product: str
    person: str
    after: int
    crosses: int


class Tale(NamedTuple):
    """What happens, and before which of it each anonymous person says who they are."""

    told: list[OneDeed]
    says: list[int]


class OfRule(NamedTuple):
    """A rule whose sends after a merge differ from those of one lane, and in which stories."""

    rule: str
    because: str
    story: Tale
    holds: Callable[[Tale], bool]


# What the stories of sends after a merge say nothing of: the catalogue, and the audiences that the anonymous
# person leaves under their own name. `test_following.py` has a price, `test_joining.py` an audience.
TOLD_ELSEWHERE: Final = frozenset({"price_drop", "back_in_stock", "low_stock", "ad_stage"})


class OfKnowledge(NamedTuple):
    """What a merged journey knows otherwise than one lane; `left` of it is the same."""

    field: str
    because: str
    story: Tale
    left: Callable[[Any], Any]


_ENDINGS: Final = frozenset({"add", "checkout", "purchase"})


def _is_ended_by_the_other_side(story: Tale) -> bool:
    looks = [(at, one.person) for at, one in enumerate(story.told) if one.kind == "view"]
    return any(
        one.kind in _ENDINGS and at > before and one.person != person
        for at, one in enumerate(story.told)
        for before, person in looks
    )


OF_RULES: Final = (
    OfRule(
        "browse_abandonment",
        "it asks for two views since its episode opened, and where one side knew an ending between two"
        " touches of the other, the opening stays the earlier one",
        Tale(
            [
                OneDeed("view", "p2", "u1", 3 * HOUR, 0), OneDeed("add", "p1", "a1", 20 * MINUTE, 1),
                OneDeed("purchase", "p2", "a2", 20 * MINUTE, 0), OneDeed("add", "p1", "a2", SECOND, 2),
                OneDeed("view", "p1", "u1", SECOND, 1),
            ],
            [4],
        ),
        _is_ended_by_the_other_side,
    ),
    OfRule(
        "store_follow_up",
        "it waits from the first visit, and of two episodes the later due counts, as the contract says",
        Tale(
            [OneDeed("store_visit", "p2", "u1", MINUTE, 0), OneDeed("store_visit", "p1", "a2", MINUTE, 0)],
            [5, 8],
        ),
        lambda story: sum(one.kind == "store_visit" for one in story.told) > 1,
    ),
)  # fmt: skip

OF_KNOWLEDGE: Final = (
    OfKnowledge(
        "orders", "those of the other are numbered behind the known person's own",
        Tale(
            [
                OneDeed("purchase", "p2", "a2", HOUR, 1), OneDeed("chat", "p1", "u1", 20 * SECOND, 0),
                OneDeed("purchase", "p2", "u1", SECOND, 2),
            ],
            [3],
        ),
        set,
    ),
    OfKnowledge(
        "session", "a visit that only both sides together make one is two",
        Tale(
            [
                OneDeed("happy", "p2", "u1", 20 * MINUTE, 1), OneDeed("checkout", "p2", "a2", SECOND, 2),
                OneDeed("wishlist", "p1", "a2", 20 * MINUTE, 2), OneDeed("view", "p1", "u1", 20 * MINUTE, 2),
            ],
            [6],
        ),
        lambda _session: None,
    ),
    OfKnowledge(
        "carts", "of pieces in a cart nobody knows which were there before the other side bought the product",
        Tale(
            [
                OneDeed("add", "p1", "a2", 20 * SECOND, 0), OneDeed("wishlist", "p2", "a2", HOUR, 1),
                OneDeed("add", "p2", "a2", 20 * MINUTE, 0), OneDeed("view", "p2", "u1", SECOND, 2),
                OneDeed("purchase", "p1", "u1", HOUR, 0), OneDeed("add", "p1", "a1", MINUTE, 2),
            ],
            [8],
        ),
        lambda carts: {cart: set(lines) for cart, lines in carts.items() if lines},
    ),
)  # fmt: skip
