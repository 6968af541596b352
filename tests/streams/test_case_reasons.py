"""Why a rule stayed silent in a case: what it would have taken."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from streams.cases.trying import try_rules

CART: Final = """\
rule: tried
subject: cart
quiet: {after: 30m, opens: [add], when: cart.value > 10}
if: cart.value > 100
unless: [purchase]
steps:
  - {channels: [push], template: one}
  - {after: 1d, channels: [email], template: two, if: cart.value > 500}
"""
VIEWS: Final = """\
rule: tried
subject: product
count: {of: [view], at_least: 4, within: 1d}
again: never
steps: [{channels: [push], template: one}]
"""
BOUGHT: Final = """\
rule: tried
subject: product
sequence: {first: [view], then: [list_view], within: 1h, without: [add]}
steps: [{channels: [push], template: one}]
"""
SOCIAL: Final = """\
rule: tried
subject: person
event: ["custom:asked"]
steps: [{channels: [push], template: one}]
"""


def because(folder: Path, rule: str, events: str, expected: str) -> list[str]:
    """What is said below each expectation that nothing came for."""
    (folder / "r.yaml").write_text(rule)
    (folder / "r.cases.yaml").write_text(
        "rule: tried\nproducts: {tent: {price: 50}, boat: {price: 120}}\n"
        f"cases: [{{case: One., events: [{events}], expect: [{expected}]}}]\n"
    )
    marked = "    because   "
    problems = [line for one in try_rules([folder]).problems for line in one.splitlines()]
    return [line.removeprefix(marked) for line in problems if line.startswith(marked)]


@pytest.mark.parametrize(
    ("rule", "events", "expected", "said"),
    [
        pytest.param(
            CART, "{at: 10:00, type: add, products: tent}", "{at: 10:30, sent: push}",
            "it would come without `if: cart.value > 100`", id="condition",
        ),
        pytest.param(
            CART.replace("cart.value > 10}", "cart.value > 200}"),
            "{at: 10:00, type: add, products: boat}", "{at: 10:30, sent: push}",
            "it would come without `when: cart.value > 200`", id="when",
        ),
        pytest.param(
            CART.replace("if: cart.value > 100\n", ""),
            "{at: 10:00, type: add, products: boat}, {at: 10:10, type: purchase}", "{at: 10:30, sent: push}",
            "it would come without `unless: purchase`", id="ended",
        ),
        pytest.param(
            CART, "{at: 10:00, type: add, products: tent}, {at: 10:10, type: purchase, order_id: o}",
            "{at: 10:30, sent: push}",
            "it would come without `if: cart.value > 100` and without `unless: purchase`", id="two things",
        ),
        pytest.param(
            CART, "{at: 10:00, type: add, products: boat}",
            "{at: 10:30, sent: push}, {at: +1d 10:30, sent: email}",
            "it would come without `if: cart.value > 500` of step 2", id="step",
        ),
        pytest.param(
            CART, "{at: 10:00, type: add, products: boat}, {at: 10:20, type: add, products: boat}",
            "{at: 10:30, sent: push}, {at: 10:50, sent: push}",
            "it would come if nothing restarted the silence", id="restarted",
        ),
        pytest.param(
            CART, "{at: 10:00, type: view, products: boat}", "{at: 10:30, sent: push}",
            "it waits for add, and none comes", id="unheard",
        ),
        pytest.param(
            SOCIAL, "{at: 10:00, type: custom, name: told}", "{at: 10:00, sent: push}",
            "it waits for custom:asked, and none comes", id="another name",
        ),
        pytest.param(
            VIEWS, ", ".join(f"{{at: {at}:00, type: view, products: tent}}" for at in (10, 11, 12)),
            "{at: 12:00, sent: push}", "it would come with `at_least: 3`", id="count",
        ),
        pytest.param(
            VIEWS, ", ".join(f"{{at: +{at}, type: view, products: tent}}" for at in ("0m", "1h", "2h", "3d")),
            "{at: +3d, sent: push}", "it would come with a longer `within` than 1d", id="window",
        ),
        pytest.param(
            VIEWS, ", ".join(f"{{at: +{at}, type: view, products: tent}}" for at in ("0m", "2d", "4d")),
            "{at: +4d, sent: push}",
            "it would come with a longer `within` than 1d and with `at_least: 3`", id="window and count",
        ),
        pytest.param(
            BOUGHT, ", ".join(f"{{at: {at}, type: {kind}, products: tent}}"
                              for at, kind in (("10:00", "view"), ("10:05", "add"), ("10:10", "list_view"))),
            "{at: 10:10, sent: push}", "it would come without `without: add`", id="sequence",
        ),
    ],
)  # fmt: skip
def test_it_says_what_it_would_have_taken(
    tmp_path: Path, rule: str, events: str, expected: str, said: str
) -> None:
    """One demand of the rule where one is enough, of a count the greatest number, else the fewest demands."""
    assert because(tmp_path, rule, events, expected) == [said]


def test_nothing_is_made_up(tmp_path: Path) -> None:
    """A moment at which the rule would do nothing whatever it asked for has no reason among its demands."""
    said = because(tmp_path, CART, "{at: 10:00, type: add, products: tent}", "{at: 13:13, sent: push}")
    assert said == []


EACH: Final = """\
rule: tried
subject: product
quiet: {after: 1h, opens: view}
again: 1d
steps: [{channels: [push], template: one}]
"""


@pytest.mark.parametrize(
    "expected",
    [
        "{at: 11:00, sent: push, about: tent}, {at: 11:00, sent: push, about: boat}",
        "{at: 11:00, sent: push, products: [boat]}, {at: 11:00, sent: push}",
        "{at: 11:00, sent: push}, {at: 11:00, sent: push}",
        "{at: 11:00, sent: push}, {at: 11:00, sent: push, step: 2}",
    ],
)
def test_what_comes_anyway_is_no_reason(tmp_path: Path, expected: str) -> None:
    """A message about something else, or one that is expected beside it, would not be what is missing."""
    assert because(tmp_path, EACH, "{at: 10:00, type: view, products: tent}", expected) == []


def test_each_of_two_alike_has_its_reason(tmp_path: Path) -> None:
    """Of two that a condition stops each would come."""
    events = ", ".join(f"{{at: 10:00, type: view, products: {product}}}" for product in ("tent", "boat"))
    rule = EACH.replace("again: 1d", "if: product.price > 500")
    said = because(tmp_path, rule, events, "{at: 11:00, sent: push}, {at: 11:00, sent: push, about: tent}")
    assert said == ["it would come without `if: product.price > 500`"] * 2
