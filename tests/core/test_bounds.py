"""Whatever one person is made to do, what is kept of them is within bounds; the least recent goes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from retarget.engine import bounds
from retarget.engine.policy import QuietHours
from retarget.engine.reach import may_address
from retarget.journeys import repeats, wire
from retarget.journeys.model import Journey
from retarget.times import HOUR, MINUTE
from retarget.touchpoints import LONGEST_ID
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event

KB: Final = 1024
USUAL: Final = 256 * KB
HUGE: Final = 2 * KB * KB
# Between two looks at the bounds so much more may come.
MORE: Final = repeats.CROWDED + repeats.REMEMBERED


def event(n: int, kind: str, *products: str, **fields: object) -> Event:
    """The nth event of a robot that does something every five seconds."""
    items = [{"product_id": product, "category": "c", "price": 1.0} for product in products]
    return {"id": f"e{n}", "type": kind, "time": NOON + n * 5_000, "user_id": "u1", "items": items, **fields}


Make = Callable[[int], Event]
KINDS: Final[dict[str, tuple[Make, int, int, str]]] = {
    "products": (lambda n: event(n, "view", f"p{n}"), 10_000, USUAL, "product"),
    "one product": (lambda n: event(n, "view", "p"), 10_000, USUAL, "id"),
    "cart lines": (lambda n: event(n, "add", f"p{n}"), 10_000, USUAL, "cart_line"),
    "carts": (lambda n: event(n, "add", "p", cart_id=f"c{n}"), 4_000, USUAL, "episode"),
    "checkouts": (lambda n: event(n, "checkout", f"p{n % 50}", checkout_id=f"c{n}"), 4_000, USUAL, "episode"),
    "categories": (
        lambda n: event(n, "view", items=[{"product_id": "p", "category": f"c{n}"}]), 10_000, USUAL, "tally",
    ),
    "queries": (lambda n: event(n, "search", query=f"query {n}"), 10_000, USUAL, "id"),
    "texts of search": (lambda n: event(n, "search", query=f"{n} ".ljust(20 * KB, "x")), 2_000, HUGE, "id"),
    "orders": (lambda n: event(n, "purchase", f"p{n}", order_id=f"o{n}"), 4_000, USUAL, "ending"),
    "wishes": (lambda n: event(n, "wishlist", f"p{n}"), 10_000, USUAL, "episode"),
    "traits": (lambda n: event(n, "profile", traits={f"t{n}": "x" * 30}), 10_000, USUAL, "trait"),
    "consents": (
        lambda n: event(n, "consent", consent={"state": "granted", "purpose": f"p{n}"}),
        10_000, USUAL, "consent",
    ),
    "items": (lambda n: event(n, "view", *(f"p{n}-{k}" for k in range(50))), 500, USUAL, "product"),
    "longest ids": (
        lambda n: event(n, "view", f"p{n % 3}", id=f"{n}".rjust(LONGEST_ID, "x")), 10_000, HUGE, "id",
    ),
    "texts of 1 KB": (
        lambda n: event(n, "view", items=[{"product_id": f"p{n % 700}", "name": "n" * KB, "url": "u" * 900}]),
        10_000, HUGE, "product",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_robot_stays_within_bounds(kind: str) -> None:
    """10,000 events within 14 hours under the shipped rules: the journey is small, and it is counted."""
    make, many, most, dropped = KINDS[kind]
    shop = Shop(shipped(), a_policy())
    for start in range(0, many, 1_000):
        shop.read(*(make(n) for n in range(start, min(start + 1_000, many))))
    shop.read(event(many, "page"))
    journey = shop.lane.journeys["u1"]
    assert len(wire.encode(journey)) < most
    assert shop.counts["dropped", dropped] > 0
    assert shop.counts["dead", "rule_failed"] == 0
    _require_bounds(journey)


def _require_bounds(journey: Journey) -> None:
    """No part is larger than its bound and what may come between two looks at it."""
    parts: dict[str, tuple[int, int]] = {
        "products": (len(journey.products), bounds.PRODUCTS_KEPT + bounds.CART_LINES_KEPT),
        "lines": (sum(map(len, journey.carts.values())), bounds.CART_LINES_KEPT),
        "earlier": (len(journey.earlier), bounds.IDS_KEPT),
        "ended": (len(journey.ended), bounds.ENDED_KEPT),
        "consents": (len(journey.consents), bounds.CONSENTS_KEPT),
        "audiences": (len(journey.audiences), bounds.AUDIENCES_KEPT),
        "deferred": (len(journey.deferred), bounds.DEFERRED_KEPT),
    }
    parts |= {f"episodes {rule}": (len(by), bounds.SUBJECTS_KEPT) for rule, by in journey.episodes.items()}
    parts |= {f"marks {rule}": (len(by), bounds.SUBJECTS_KEPT) for rule, by in journey.marks.items()}
    parts |= {f"tally {name}": (len(by), bounds.SUBJECTS_KEPT) for name, by in journey.tallies.items()}
    assert {name: size for name, (size, bound) in parts.items() if size > bound + MORE} == {}


def test_the_least_recent_goes_first() -> None:
    """Of products, lines of carts, episodes and ids the latest are there."""
    shop = Shop(shipped(), a_policy())
    shop.read(*(event(n, "add", f"p{n}", cart_id=f"c{n}") for n in range(3_000)))
    journey = shop.lane.journeys["u1"]
    for known in (journey.products, journey.carts, journey.episodes["abandoned_cart"]):
        numbers = sorted(int(name[1:]) for name in known)
        assert numbers == list(range(3_000 - len(numbers), 3_000))
    shop.read(event(2_999, "add", "p2999", cart_id="c2999"))
    assert shop.counts["repeat",] == 1


def test_what_people_do_is_never_touched() -> None:
    """A thousand events of ordinary shopping in a day: nothing of them is dropped."""
    shop = Shop(shipped(), a_policy())
    shop.read(*(event(n, ("view", "add", "search")[n % 3], f"p{n % 90}") for n in range(1_000)))
    assert [kind for kind in shop.counts if kind[0] == "dropped"] == []


def test_a_denial_outlives_any_number_of_words() -> None:
    """Grants go first; denials that go become one to everything, which only later grants override."""
    shop = Shop([], a_policy(consent_assumed=False))
    denials = [event(n, "consent", consent={"state": "denied", "purpose": f"p{n}"}) for n in range(1_200)]
    marketing = {"state": "denied", "purpose": "marketing", "channel": "email"}
    shop.read(event(9_999, "consent", consent=marketing) | {"time": NOON}, *denials)
    shop.read(
        *(event(2_000 + n, "consent", consent={"state": "granted", "purpose": f"g{n}"}) for n in range(3_000))
    )
    journey = shop.lane.journeys["u1"]
    assert len(journey.consents) <= bounds.CONSENTS_KEPT + MORE
    assert not may_address(journey, "marketing", "email", shop.policy)


def test_too_many_audiences_are_left_in_form() -> None:
    """The channel hears of each that is dropped, so that nobody stays in an audience for good."""
    rule = a_rule(rule="seen", subject="product", event="view", steps=[{"audience": {"add": "seen"}}])
    shop = Shop([rule], a_policy())
    shop.read(*(event(n, "view", f"p{n}") for n in range(3_000)))
    journey = shop.lane.journeys["u1"]
    assert len(shop.sent(operation="add")) == 3_000
    assert len(shop.sent(operation="remove")) == 3_000 - len(journey.audiences) > 1_000


def test_addresses_are_the_last_traits_to_go() -> None:
    """Whoever floods traits can still be reached."""
    shop = Shop([], a_policy())
    shop.read(event(0, "profile", traits={"email": "u1@shop.example"}))
    shop.read(*(event(n, "profile", traits={f"t{n}": "x" * 100}) for n in range(1, 3_000)))
    shop.until(NOON + 3_000 * MINUTE)
    assert shop.lane.journeys["u1"].traits["email"] == "u1@shop.example"
    assert shop.counts["dropped", "trait"] > 1_000


def test_sends_that_a_cap_counts_outlive_any_number_of_others() -> None:
    """Thousands of receipts push no advertisement out of what the caps count."""
    push = {"steps": [{"channels": ["push"], "template": "t"}]}
    told = a_rule(rule="told", event="page", subject="person", purpose="marketing", **push)
    owed = a_rule(rule="owed", event="chat", subject="person", purpose="transactional", **push)
    shop = Shop([told, owed], a_policy())
    kinds = ["page"] * 3 + ["chat"] * 2_500 + ["page"] * 3
    shop.read(*(event(n, kind) for n, kind in enumerate(kinds)))
    sent = [message["rule"] for message in shop.messages]
    assert sent.count("told") == 3
    assert sent.count("owed") == 2_500
    assert shop.counts["dropped", "send"] > 0


def test_what_is_decided_once_for_good_is_never_forgotten() -> None:
    """Beyond the bound no further subject is decided, rather than one of them twice."""
    steps = [{"channels": ["push"], "template": "t"}]
    once = a_rule(
        rule="once", subject="product", event="view", again="never", purpose="transactional", steps=steps
    )
    shop = Shop([once], a_policy())
    several = [event(n, "view", f"p{n % 1_500}") for n in range(6_000)]
    shop.read(*several)
    subjects = [message["subject"]["id"] for message in shop.messages]
    assert len(subjects) == len(set(subjects)) > bounds.NEVER_KEPT
    assert shop.counts["dropped", "mark"] > 0


def test_whoever_waits_for_the_morning_among_too_many_is_told_so() -> None:
    """Every candidate of a robot's night has one record that says what became of it."""
    steps = [{"channels": ["email"], "template": "t"}]
    rule = a_rule(rule="seen", subject="product", event="view", purpose="service", steps=steps)
    shop = Shop([rule], a_policy(quiet_hours=QuietHours()))
    night = NOON + 12 * HOUR
    shop.read(*(event(n, "view", f"p{n}") | {"time": night + n * 1_000} for n in range(400)))
    shop.read(event(400, "page") | {"time": night + 24 * HOUR})
    final = [d["decision_id"] for d in shop.decisions if d["outcome"] != "deferred"]
    assert len(final) == len(set(final)) == 400
    assert sum(d["reason"] == "quiet_hours" for d in shop.decisions if d["outcome"] == "suppressed") == 300
