from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retarget.rules.conditions import Condition, Formula, Problem, Window, parse_condition, parse_formula
from retarget.times import DAY, HOUR
from tests.core.rules.shop import VOCABULARY, Moment

FULL: Final = Moment(
    size=3,
    value=20.5,
    stage="carted",
    since_bought=2 * DAY,
    at=10 * DAY,
    known=True,
    tags=("vip",),
    event="add",
    counts={"add": 2, "view": 5},
)
NOTHING_KNOWN: Final = Moment()


def condition(text: str, subject: str | None = None) -> Condition:
    """The condition, which must be right."""
    found = parse_condition(text, VOCABULARY, subject)
    assert isinstance(found, Condition), found
    return found


def problems(text: str, subject: str | None = None) -> list[str]:
    """What is wrong with a text, which must be wrong."""
    found = parse_condition(text, VOCABULARY, subject)
    assert not isinstance(found, Condition)
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cart.size > 3", False),
        ("cart.size >= 3", True),
        ("3 <= cart.size < 4", True),
        ("1 < cart.size < 2 < 3", False),
        ("cart.size == 3 and cart.value == 20.5", True),
        ("cart.size == 3 and cart.value == 20.5 and person.known", True),
        ("cart.size == 4 or cart.value > 100 or person.known", True),
        ("cart.size == 4 or cart.value > 100", False),
        ("not cart.size == 3", False),
        ("not (cart.size == 4 and person.known)", True),
        ('person.stage in ["carted", "bought"]', True),
        ('person.stage not in ["carted", "bought"]', False),
        ('person.stage != "bought"', True),
        ('"vip" in person.tags', True),
        ('"new" in person.tags', False),
        ("person.known == true", True),
        ("True and not false", True),
        ("product.since_bought > days(1)", True),
        ("product.since_bought == hours(24) + 2 * hours(12)", True),
        ("product.since_bought / days(1) == 2", True),
        ("product.since_bought / 2 == days(1)", True),
        ("event.time - days(3) < event.time", True),
        ("event.time - event.time == seconds(0)", True),
        ("minutes(1.5) == seconds(90)", True),
        ("cart.size * 2 - 1 == 5 and cart.size % 2 == 1", True),
        ("-cart.size < -2", True),
        ("-(2 + 1) == -3", True),
        ("cart.value / cart.size > 6", True),
        ("cart.value / (cart.size - 3) > 0", False),
        ('count("add", "view", within=hours(48)) == 7', True),
        ("exists(cart.size)", True),
        ("(cart.size\n  > 2  # many\n and person.known)", True),
        ("cart.size > 2\nand person.known", True),
    ],
)
def test_a_condition_says_what_it_reads_like(text: str, expected: bool) -> None:  # noqa: FBT001
    """Every operator of the language gives the answer its sign promises."""
    assert expected is condition(text).evaluate(FULL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cart.size == 3", False),
        ("cart.size != 3", False),
        ("cart.size < cart.value", False),
        ("3 > cart.size", False),
        ("cart.size + 1 > 0", False),
        ("-cart.size < 1", False),
        ('person.stage in ["carted"]', False),
        ('person.stage not in ["carted"]', False),
        ('"vip" not in person.tags', False),
        ("person.known", False),
        ("person.known and person.known", False),
        ("person.known or person.known", False),
        ("not person.known", True),
        ("not cart.size > 3", True),
        ("exists(cart.size)", False),
        ("not exists(cart.size) or cart.size > 3", True),
        ('count("add", within=hours(1)) == 0', True),
    ],
)
def test_the_unknown_compares_as_false(text: str, expected: bool) -> None:  # noqa: FBT001
    """Comparing an unknown value is False, calculating with it is unknown, and no yes or no is a no."""
    assert expected is condition(text).evaluate(NOTHING_KNOWN)


ALL_NAMES: Final = (
    "cart.size, cart.value, event.time, event.type, listing.stock, listing.stock_before, order.number, "
    "person.known, person.stage, person.tags, product.since_bought"
)
ALL_STAGES: Final = "bought, carted, considering, viewed"
LANGUAGE: Final = "names, numbers, texts, lists, comparisons, and, or, not, in, + - * / %, calls"
ONE_TYPE: Final = 'a list holds literals of one type, such as ["viewed", "carted"]'
HOURS: Final = "write within=hours(48)"

NUMBERS = "numbers without separators and with a point, such as 1000000 or 49.90"

# Each text with its problems.
WRONG: Final[dict[str, list[str]]] = {
    "": ["column 1: empty; write a condition such as cart.size > 0"],
    "cart.sise > 0": [
        "column 1: unknown name 'cart.sise'; known: cart.size, cart.value; nearest: cart.size",
    ],
    "person.known and zz > 1": [f"column 18: unknown name 'zz'; known: {ALL_NAMES}"],
    "person.stage == 'bougth'": [
        f"column 1: unknown value of person.stage 'bougth'; known: {ALL_STAGES}; nearest: bought",
    ],
    "person.stage in ['viewed', 'gone']": [
        f"column 1: unknown value of person.stage 'gone'; known: {ALL_STAGES}",
    ],
    "product.since_bought > 30": [
        (
            "column 1: product.since_bought is a duration, 30 a number; "
            "write durations as minutes(30), hours(24), days(30)"
        ),
    ],
    "cart.size": ["column 1: cart.size is a number, not true or false; compare it"],
    "person.known and cart.size": ["column 18: cart.size is a number, not true or false; compare it"],
    "cart.size == '3'": ["column 1: cart.size is a number, '3' a text"],
    "person.stage > 'viewed'": [
        "column 1: person.stage is a text, which has no order; known: ==, !=, in, not in",
    ],
    "cart.size in cart.value": ['column 1: cart.value is a number; in needs a list such as ["a", "b"]'],
    "cart.size in person.tags": [
        "column 1: cart.size is a number, the elements of person.tags are text",
    ],
    "person.tags == ['vip']": ["column 1: a list is not compared by ==; known: in, not in"],
    "cart.size in [1, '2']": [f"column 14: {ONE_TYPE}"],
    "cart.size in []": [f"column 14: {ONE_TYPE}"],
    "cart.size in [cart.value]": [f"column 14: {ONE_TYPE}"],
    "cart.size + person.stage > 0": [
        (
            "column 1: cannot calculate number + text; known: number + number, duration + duration, "
            "time + duration, duration + time"
        ),
    ],
    "-person.stage == 1": ["column 1: cannot negate person.stage, a text; known: number, duration"],
    "cart.size / 0 + 1 % 0 > 1": [
        "column 1: cart.size / 0 divides by 0, which is never known; known: another number",
        "column 17: 1 % 0 divides by 0, which is never known; known: another number",
    ],
    "cart.value / (5 - 5) > 1": [
        "column 1: cart.value / (5 - 5) divides by 0, which is never known; known: another number"
    ],
    "cart.size is None": [
        "column 1: is is not part of the language; known: ==, !=, in, exists(name)",
        "column 14: None is no value; known: numbers, texts, true, false",
    ],
    "cart.size ** 2 > 1": [f"column 1: cart.size ** 2 is not part of the language; known: {LANGUAGE}"],
    "+cart.size > 1": [f"column 1: +cart.size is not part of the language; known: {LANGUAGE}"],
    "cart.size > 1e300": ["column 13: 1e300 is no value; known: numbers, texts, true, false"],
    "exists(3)": [
        'column 1: exists takes one name or call, such as exists(profile.country) or exists(trait("email"))'
    ],
    "cart.size > cart.size": ["column 1: both sides of > are cart.size; known: another value on one of them"],
    "0 < cart.size <= cart.size": [
        "column 1: both sides of <= are cart.size; known: another value on one of them"
    ],
    'count("add", within=days(1)) == count("add",  within=days(1))': [
        'column 1: both sides of == are count("add", within=days(1)); known: another value on one of them'
    ],
    "days(-1) < product.since_bought": [
        "column 1: days takes one number that is not negative, such as days(30)",
    ],
    "exist(cart.size)": [
        (
            "column 1: unknown function 'exist'; "
            "known: count, days, exists, hours, minutes, seconds; nearest: exists"
        ),
    ],
    "count('add') > 0": [f"column 1: count: within is missing; {HOURS}"],
    "count('ad', within=hours(0)) > 0": [
        "column 1: count: unknown type 'ad'; known: add, purchase, view; nearest: add",
        f"column 1: count: within must be longer than nothing; {HOURS}",
    ],
    "count(within=days(1)) > 0": ['column 1: count: type is missing; write "view"'],
    "count(person.stage, within=days(1)) > 0": [
        'column 1: count: type must be written out, found person.stage; write "view"',
    ],
    "count('add', within=48) > 0": [f"column 1: count: within is a duration, found 48, a number; {HOURS}"],
    "count('add', withn=days(1), within=days(1)) > 0": [
        "column 1: count: unknown argument 'withn'; known: within; nearest: within",
    ],
    "count('add', within=days(1), **person.tags) > 0": [
        "column 1: count: every named argument is written once, as name=value",
    ],
    "count('add', within=days(366)) > 0": ["column 1: count: within is at most 365 days"],
    "a) or (b": ["column 1: the brackets do not match, or there is a comma outside of them"],
    "cart.size > 2, 3": ["column 1: the brackets do not match, or there is a comma outside of them"],
    'category == "Tea AND more" AND cart.size > 2': ["column 28: found AND; known: and"],
    "count(view, within=days(1)) > 0": ['column 7: found view without quotes; write "view"'],
    "event.type == view": ['column 15: found view without quotes; write "view"'],
    "cart.size in [1,2] AND cart.size > 2": ["column 20: found AND; known: and"],
    "cart.size > 2 || cart.size < 1": ["column 15: found ||; known: or"],
    "cart.size > 2\n  OR cart.size < 1": ["line 2, column 3: found OR; known: or"],
    "cart.value >= 49,90": [f"column 15: found 49,90; known: {NUMBERS}"],
    "0,05 * cart.value > 1": [f"column 1: found 0,05; known: {NUMBERS}"],
    "cart.value >= 1.000.000": [f"column 15: found 1.000.000; known: {NUMBERS}"],
    "cart.size >": ["column 12: cannot be read from here on (invalid syntax)"],
    "é > 1 and\nperson.known and\n  zz > 1": [
        f"column 1: unknown name 'é'; known: {ALL_NAMES}",
        f"line 3, column 3: unknown name 'zz'; known: {ALL_NAMES}",
    ],
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_condition_says_where_and_what_is_known(text: str) -> None:
    """Each mistake has its column, what was found, what is known and the nearest name."""
    assert WRONG[text] == problems(text)


def test_a_name_of_another_subject_is_refused() -> None:
    """A condition about a product cannot ask for a cart."""
    assert problems("cart.size > 0", "product") == [
        "column 1: cart.size does not exist for the subject product; it exists for: cart"
    ]
    assert condition("cart.size > 0", "cart").evaluate(FULL)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "(lambda: 1)()",
        "[x for x in person.tags]",
        "f'{cart.size}' == '3'",
        "(x := 1) == 1",
        "1 if person.known else 2",
        "person.tags[0] == 'vip'",
        "'a' * 1000 == 'b'",
        "(" * 300 + "1" + ")" * 300,
        "not " * 900 + "person.known",
        "cart.size" + " + 1" * 900 + " > 1",
        "9" * 5000 + " > 1",
        "1" + "0" * 400 + " > cart.size",
        "'\\d' == person.stage",
        "person.known\x00",
        "person.stage == '\ud800",
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    """No way to run code, to use up memory or to exhaust the parser."""
    assert problems(text)


SCRAPS: Final[tuple[str, ...]] = (
    *(
        "cart.size",
        "person.stage",
        "event.time",
        "1",
        "1e9",
        "'bought'",
        "exists",
        "days",
        "count",
        "within=",
    ),
    *("and", "or", "not", "in", "is", "None", "(", ")", "[", "]", ",", ".", "#", "\\", "\n"),
    *("==", "<", "-", "*", "/", "%", "**"),
)


@given(st.text(max_size=60) | st.lists(st.sampled_from(SCRAPS), max_size=25).map(" ".join))
@example("1%0 > 1")
@example("(")
@example("\\")
def test_any_text_is_a_condition_or_has_problems(text: str) -> None:
    """No text makes anything else than a condition that can be judged, or at least one problem."""
    found = parse_condition(text, VOCABULARY)

    if isinstance(found, Condition):
        assert found.evaluate(FULL) in (True, False)
        assert found.evaluate(NOTHING_KNOWN) in (True, False)
    else:
        assert found
        assert all(isinstance(problem, Problem) and "\n" not in str(problem) for problem in found)


def test_windows_and_names_are_collected() -> None:
    """The engine learns which events to remember, and for how long, once for each window."""
    found = condition(
        'count("add", "view", within=hours(48)) > 1 and cart.size > 0 '
        'and not count("add", within=hours(1)) > 0 and count("add", "view", within=days(2)) < 9'
    )

    assert found.windows == (Window(("add", "view"), 48 * HOUR), Window(("add",), HOUR))
    assert found.names == {"cart.size"}


def test_conditions_are_equal_by_their_text() -> None:
    """Two rules with the same condition share it, whatever surrounds it."""
    assert condition(" cart.size > 0 ") == condition("cart.size > 0")
    assert hash(condition("cart.size > 0")) == hash(condition("cart.size > 0\n"))
    assert condition("cart.size > 0") != condition("cart.size > 1")
    assert condition("cart.size > 0") != "cart.size > 0"
    assert repr(condition("cart.size > 0")) == "Condition('cart.size > 0')"


@given(st.text(max_size=60) | st.lists(st.sampled_from(SCRAPS), max_size=25).map(" ".join))
@example("cart.size")
@example("1%0")
def test_any_text_is_a_number_or_has_problems(text: str) -> None:
    """The same of expected values."""
    found = parse_formula(text, VOCABULARY)

    if isinstance(found, Formula):
        assert isinstance(found.evaluate(FULL), float | None)
        assert isinstance(found.evaluate(NOTHING_KNOWN), float | None)
    else:
        assert found
        assert all(isinstance(problem, Problem) and "\n" not in str(problem) for problem in found)


def test_expected_values_are_equal_by_their_text() -> None:
    """Like conditions, which they never equal."""
    one, other = parse_formula(" cart.size ", VOCABULARY), parse_formula("cart.size", VOCABULARY)
    assert one == other
    assert hash(one) == hash(other)
    assert one != "cart.size"
    assert repr(one) == "Formula('cart.size')"
    assert isinstance(one, Formula)
    assert one.names == {"cart.size"}
