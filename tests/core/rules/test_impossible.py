"""Conditions that can never hold, and words by which nobody is sorted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.rules.conditions import Condition, parse_condition
from retarget.rules.devices import by_device
from retarget.rules.impossible import always_holds, never_holds
from retarget.rules.sensitive import WORDS, sensitive
from tests.core.rules.shop import VOCABULARY, Moment


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("false", "false"),
        ("1 > 2", "1 > 2"),
        ("cart.size < 0", "cart.size < 0"),
        ("0 > cart.size", "0 > cart.size"),
        ("cart.value > 5 and cart.value <= 5", "cart.value <= 5"),
        ("5 < cart.value < 3", "5 < cart.value < 3"),
        ("cart.value == 3 and cart.value == 4", "cart.value == 4"),
        ("product.since_bought > days(3) and product.since_bought < hours(2)",
         "product.since_bought < hours(2)"),
        ('person.stage == "viewed" and person.stage in ["carted", "bought"]',
         'person.stage in ["carted", "bought"]'),
        ('count("add", within=hours(4)) < 0', 'count("add", within=hours(4)) < 0'),
        ("cart.size < 0 or 1 == 2", "cart.size < 0 or 1 == 2"),
        ("person.known and (cart.size < 0 or false)", "cart.size < 0 or false"),
        ("not true", "not true"),
        ("person.known and not (1 < 2)", "not (1 < 2)"),
        ("not (person.purchases >= 0)", "not (person.purchases >= 0)"),
        ("not (0 <= person.purchases or cart.size > 3)", "not (0 <= person.purchases or cart.size > 3)"),
        ("not not (cart.size < 0)", "not not (cart.size < 0)"),
        ('days_with("view", within=days(3)) >= 5', 'days_with("view", within=days(3)) >= 5'),
        ('days_with("add", within=hours(26), about="person") > 3',
         'days_with("add", within=hours(26), about="person") > 3'),
        ('days_with("view", within=minutes(1)) == 3', 'days_with("view", within=minutes(1)) == 3'),
        ('not (count("add", within=hours(4)) > -1)', 'not (count("add", within=hours(4)) > -1)'),
    ],
)  # fmt: skip
def test_what_can_never_hold_is_found(text: str, part: str) -> None:
    """With the part by which it cannot."""
    assert never_holds(text) == part


@pytest.mark.parametrize(
    "text",
    [
        "true", "cart.value < 0", "cart.size >= 3 and cart.size <= 3", "cart.size < 0 or cart.size > 5",
        "not (cart.size < 0)", "cart.value - 5 < 0", 'person.stage != "a" and person.stage != "b"',
        "cart.size < cart.value and cart.value < cart.size", "cart.size >",
        "not (cart.size >= 0)", "not (person.purchases >= 1)", "not (person.purchases != 0)",
        "not person.known", "not (person.purchases >= 0 and person.known)",
        'days_with("view", within=days(3)) >= 4', 'days_with("view", within=minutes(1)) == 2',
        'count("view", within=days(3)) >= 5',
    ],
)  # fmt: skip
def test_what_may_hold_is_let_alone(text: str) -> None:
    """Where the text alone is no proof, nothing is said."""
    assert never_holds(text) is None


def test_what_always_holds() -> None:
    """Only what says so."""
    assert always_holds("true")
    assert always_holds("1 < 2")
    assert always_holds("person.purchases >= 0 and not false")
    assert not always_holds("cart.size >= 0"), "which may be unknown"


def test_the_types_of_the_event_are_known() -> None:
    """What is judged at a chat never sees a view; elsewhere any type may come."""
    chat, both = frozenset({"chat"}), frozenset({"chat", "view"})
    assert never_holds('person.known and event.type == "view"', chat) == 'event.type == "view"'
    assert never_holds('event.type in ["view", "add"] or false', chat) is not None
    assert never_holds('event.type == "view"', both) is None
    assert never_holds('event.type == "view"') is None
    assert never_holds('not (event.type == "view")', chat) is None


_COMPARISONS = st.tuples(
    st.sampled_from(["cart.size", "cart.value"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.integers(-2, 3),
)
_CONDITIONS = st.recursive(
    _COMPARISONS.map(lambda parts: " ".join(map(str, parts))),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=5,
)


@given(_CONDITIONS, st.integers(0, 4), st.sampled_from([-3, -2, -1.5, 0, 1, 1.5, 2, 3, 4]))
def test_what_is_called_impossible_does_not_hold(text: str, size: int, value: float) -> None:
    """No scene makes true what was refused."""
    if never_holds(text) is not None:
        condition = parse_condition(text, VOCABULARY, "cart")
        assert isinstance(condition, Condition)
        assert not condition.evaluate(Moment(size=size, value=value))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pregnancy-tests", ("pregnancy", "health")),
        ("Sexual orientation", ("sexual_orientation", "sexual life")),
        ('event.query == "HIV test"', ("hiv", "health")),
        ("trade-union-members", ("trade_union", "politics")),
        ("race-bikes", None),
        ("gaiters", None),
        ("archive", None),
        ("disabled_until_may", None),
    ],
)
def test_words_by_which_nobody_is_sorted(text: str, found: tuple[str, str] | None) -> None:
    """They are found at the beginning of a word, however it is written, and not inside one."""
    assert sensitive(text) == found


def test_each_kind_has_its_words() -> None:
    """Every word of the list is found by itself."""
    for kind, words in WORDS.items():
        for word in words:
            found = sensitive(word.partition("(")[0])
            assert found is not None
            assert found[1] == kind


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('trait("device") == "x"', 'trait("device")'),
        ('person.known and exists(trait("userAgent"))', 'trait("userAgent")'),
        ('trait_number("os_version") > 3', 'trait_number("os_version")'),
        ('event.source == "iPhone"', 'event.source == "iPhone"'),
        ('not event.name in ["android_open", "web_open"]', 'event.name in ["android_open", "web_open"]'),
        ('trait("last seen on") == "Mobile App"', 'trait("last seen on") == "Mobile App"'),
        ('segment("acme", "deviceClass") == "a"', 'segment("acme", "deviceClass")'),
        ('segment("acme", "group") == "iPhone users"', 'segment("acme", "group") == "iPhone users"'),
        ('2 * score("acme", "likely iphone user")', 'score("acme", "likely iphone user")'),
        ('score("device graph", "x") > 1', 'score("device graph", "x")'),
        ('10 + trait_number("device_class")', 'trait_number("device_class")'),
    ],
)
def test_classes_of_devices_are_found(text: str, part: str) -> None:
    """Traits that are one, and values that give one away, however they are spelled."""
    assert by_device(text) == part


@pytest.mark.parametrize(
    "text",
    [
        'event.query == "tablet"', 'event.source == "newsletter"', 'trait("device_id") == "d1"',
        'trait("boss") == "x"', 'trait("cosmos") == "mobility"', 'event.channel == "shop"',
        'score("acme", "mobility") > 1', 'segment("acme", "buys") == "tents"', 'trait("phone") == "1"',
        'event.name == "macaroni" and count("view", within=days(1)) > 2', "cart.size >",
    ],
)  # fmt: skip
def test_what_is_no_class_of_device_is_let_alone(text: str) -> None:
    """A shop may sell tablets, and know its people by their devices' ids."""
    assert by_device(text) is None
