"""The rules that ship have the numbers of the contract's table, each of them."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
import pytest

from retarget.rules.model import NEVER, Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import shipped

RULES = {rule.name: rule for rule in shipped()}
# A number of a condition, with what it is compared by and its unit.
_NUMBER = re.compile(r"(?:(?:[<>=!]=|[<>*-]) )?(?:(?:days|hours)\(\d+\)|(?<![\w.])\d+(?:\.\d+)?)")


class Row(NamedTuple):
    """A row of the table: `after` is the wait or the window (ms), `steps` are (delay, channels in order)."""

    subject: str
    after: int | None
    again: int
    steps: tuple[tuple[int, str], ...]
    at_least: int | None = None
    opened_by: str = ""
    numbers: tuple[str, ...] = ()  # of the rule's condition, and of what its trigger asks
    audience: tuple[int, ...] = ()  # the steps that have one


EVERY_TIME = 0
TABLE = {
    "abandoned_cart": Row(
        "cart",
        30 * MINUTE,
        24 * HOUR,
        ((0, "push email"), (24 * HOUR, "push email"), (72 * HOUR, "push email")),
        opened_by="add remove cart",
        numbers=("> 0",),
        audience=(1,),
    ),
    "abandoned_checkout": Row(
        "checkout", 60 * MINUTE, 24 * HOUR, ((0, "email push"),), opened_by="checkout payment_failed"
    ),
    "browse_abandonment": Row(
        "person", 60 * MINUTE, 7 * DAY, ((0, "email"),), opened_by="view", numbers=(">= 2",)
    ),
    "repeated_view": Row(
        "product",
        24 * HOUR,
        7 * DAY,
        ((0, "push"),),
        3,
        opened_by="view",
        numbers=("< days(30)",),
        audience=(1,),
    ),
    "choice_overload": Row(
        "category",
        48 * HOUR,
        14 * DAY,
        ((0, "onsite chat"),),
        4,
        opened_by="view",
        numbers=("hours(48)", "== 0"),
    ),
    "price_hesitation": Row("product", 14 * DAY, 30 * DAY, ((0, "email"),), 3, opened_by="view"),
    "wishlist_reminder": Row("product", 3 * DAY, 30 * DAY, ((0, "email"),), opened_by="wishlist"),
    "search_abandonment": Row("query", 60 * MINUTE, 7 * DAY, ((0, "email"),), opened_by="search"),
    "price_drop": Row(
        "product",
        30 * DAY,
        14 * DAY,
        ((0, "email push"),),
        opened_by="price",
        numbers=("* 0.95", "- 1", "< days(30)"),
    ),
    "back_in_stock": Row(
        "product",
        30 * DAY,
        14 * DAY,
        ((0, "push email"),),
        opened_by="stock",
        numbers=("< days(30)", "== 0", "> 0"),
    ),
    "low_stock": Row(
        "product",
        30 * DAY,
        14 * DAY,
        ((0, "push email"),),
        opened_by="stock",
        numbers=("> 0", "<= 3", "< days(30)", "> 0", "<= 3"),
    ),
    "chat_follow_up": Row("person", 4 * HOUR, 14 * DAY, ((0, "email sms push"),), opened_by="chat"),
    "brochure": Row(
        "product",
        14 * DAY,
        90 * DAY,
        ((0, "direct_mail"),),
        3,
        opened_by="view",
        numbers=(">= 500", "days(14)", ">= 2", "> 2"),
    ),
    "first_purchase": Row("order", None, NEVER, ((0, "email"),), opened_by="purchase", numbers=("== 1",)),
    "loyal_customer": Row(
        "order", None, NEVER, ((0, "email"),), opened_by="purchase", numbers=("5", "10", "20")
    ),
    "review_request": Row("order", 14 * DAY, NEVER, ((0, "email"),), opened_by="purchase"),
    "refill": Row("product", None, EVERY_TIME, ((0, "email push"),), opened_by="purchase"),
    "win_back": Row(
        "person",
        60 * DAY,
        90 * DAY,
        ((0, "email direct_mail"),),
        opened_by="anything",
        numbers=(">= 1",),
    ),
    "store_follow_up": Row("person", 1 * DAY, 30 * DAY, ((0, "email"),), opened_by="store_visit"),
    "social_thanks": Row("person", None, 30 * DAY, ((0, "email"),), opened_by="social"),
    "service_care": Row("person", None, 7 * DAY, ((0, "service"),), opened_by="social review chat"),
    "ad_stage": Row("person", None, EVERY_TIME, ((0, ""),), audience=(1,)),
}


def row_of(rule: Rule) -> Row:
    """What a rule has in the place of each column."""
    trigger = msgspec.structs.asdict(rule.trigger)
    conditions = (rule.condition, trigger.get("when"))
    kinds = trigger.get("opens") or trigger.get("of") or trigger.get("interval") or ()
    return Row(
        rule.subject,
        trigger.get("after", trigger.get("within")),
        rule.again,
        tuple((step.after, " ".join(step.channels)) for step in rule.steps),
        trigger.get("at_least"),
        " ".join(kinds),
        tuple(number for one in conditions if one is not None for number in _NUMBER.findall(one.text)),
        tuple(number for number, step in enumerate(rule.steps, start=1) if step.audience is not None),
    )


def test_every_rule_of_the_table_ships_and_no_other() -> None:
    """A rule that is added to the table or to the folder needs the other, too."""
    assert set(RULES) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_rule_that_ships_has_the_numbers_of_its_row(name: str) -> None:
    """Windows, waits, counts, `again`, delays and channels in their order are those of the contract."""
    assert row_of(RULES[name]) == TABLE[name]


def test_what_else_the_table_counts() -> None:
    """Days instead of views, products instead of views, how long a code and a pause last."""
    distinct = {name: getattr(rule.trigger, "distinct", None) for name, rule in RULES.items()}
    assert {name: what for name, what in distinct.items() if what} == {
        "choice_overload": "product",
        "price_hesitation": "day",
    }
    (code,) = RULES["chat_follow_up"].steps[0].offers
    assert code.expires == 48 * HOUR
    assert [name for name, rule in RULES.items() if any(step.offers for step in rule.steps)] == [
        "chat_follow_up"
    ]
    pauses = {name: rule.pauses for name, rule in RULES.items() if rule.pauses is not None}
    assert {name: (one.purpose, one.lasts) for name, one in pauses.items()} == {
        "service_care": ("marketing", 7 * DAY)
    }


@pytest.mark.parametrize("name", TABLE)
def test_every_quiet_rule_but_the_plain_delays_starts_its_wait_again(name: str) -> None:
    """Opening events are touches of their own episode, except of the two plain delays."""
    rule = RULES[name]
    touches, opens = getattr(rule.trigger, "touches", None), getattr(rule.trigger, "opens", None)
    assert touches == (() if name in ("review_request", "store_follow_up") else opens)


@pytest.mark.parametrize("name", TABLE)
def test_every_rule_that_ships_explains_itself(name: str) -> None:
    """To its author by a description, to the person by a sentence."""
    assert RULES[name].description.strip().endswith(".")
    assert RULES[name].why.strip().endswith(".")
