"""Whatever stands in the free fields of an event, no rule fails on it, and the person stays storable."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.decode import KNOWN_KEYS
from retarget.journeys.model import Journey
from retarget.rules.conditions import (
    Condition,
    Formula,
    Name,
    Vocabulary,
    parse_condition,
    parse_formula,
)
from retarget.rules.scene import Scene
from retarget.rules.vocabulary import NAMES, VOCABULARY
from retarget.times import DAY, HOUR, LATEST
from retarget.touchpoints import IMPERSONAL, TYPES
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event, a_profile, a_view

WORDS: Final = (
    "email", "push_token", "push_tokens", "phone", "locale", "country", "gender", "persona", "title",
    "first_name", "last_name", "timezone", "zone", "tz", "state", "purpose", "channel", "basis",
    "text_version", "preferences", "channels", "tags", "frequency", "per_day", "off", "quiet_hours", "id",
    "name", "source", "region", "city",
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=6),
    st.sampled_from(["granted", "denied", "email", "push", "marketing", "DE", "\x1f|", "ü"]),
)  # fmt: skip
GARBAGE = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), GARBAGE, max_size=5)
ITEMS = st.fixed_dictionaries(
    {"product_id": st.sampled_from(["p1", "p2"])},
    optional={
        "quantity": st.floats(-1e308, 1e308),
        "price": st.floats(-1e308, 1e308),
        "category": st.text(max_size=3),
    },
)
_TEXT: Final = {"channel", "source", "query", "name", "currency", "coupon", "store_id", "cart_id", "order_id",
                "checkout_id", "session_id", "trace", "medium"}  # fmt: skip
_LEANING: Final = ("profile", "identify", "consent", "view", "add", "purchase", "unsubscribe", "custom")


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """A history in which every free field holds anything that JSON can say."""
    kinds = st.sampled_from(_LEANING) | st.sampled_from(sorted(TYPES - IMPERSONAL))
    found: list[Event] = []
    time = NOON
    for number in range(draw(st.integers(1, 12))):
        time += draw(st.sampled_from([0, HOUR, DAY, 2 * DAY]))
        event: Event = {"id": f"e{number}", "type": draw(kinds), "time": time, "user_id": "u1"}
        for field in ("traits", "campaign", "geo", "consent"):
            if draw(st.booleans()):
                event[field] = draw(FIELDS)
        for field in draw(st.sets(st.sampled_from(sorted(_TEXT)), max_size=3)):
            event[field] = draw(st.text(max_size=5) | st.integers())
        if draw(st.booleans()):
            event["items"] = draw(st.lists(ITEMS, max_size=3))
        event["sentiment"] = draw(st.text(max_size=3) | st.floats(-1, 1))
        event["value"] = draw(st.floats(-1e308, 1e308))
        found.append(event)
    return found


_COMPARED: Final = {
    "number": ("{0} > 3", "{0} * 2 - 1 < {0} / 0.5", "{0} in [1, 2]", "{0} % 3 == 1"),
    "text": ('{0} != "DE"', '{0} in ["DE", "FR"]', '{0} not in ["a"]'),
    "duration": ("{0} > minutes(5)", "{0} / 2 + hours(1) < {0} * 3"),
    "time": ("exists({0})",),
    "bool": ("{0} or not {0}", "{0} == true"),
    "list": ('"a" in {0}', '"a" not in {0}'),
}


def _conditions(subject: str) -> str:
    """One condition that reads every name there is for that subject, in every way."""
    parts = []
    for name, word in NAMES.items():
        if word.event_only or (word.subjects is not None and subject not in word.subjects):
            continue
        forms = _COMPARED[word.type]
        choices = word.choices
        if choices is not None and word.type == "list":
            forms = (f'"{choices[0]}" in {{0}}', f'"{choices[-1]}" not in {{0}}')
        elif choices is not None:
            forms = (f'{{0}} == "{choices[0]}"', f'{{0}} in ["{choices[-1]}"]')
        parts += [form.format(name) for form in forms]
    return " or ".join(f"({part})" for part in ["exists(profile.locale)", *parts])


_OF_ITEMS: Final = ("purchase",)
_OF_PEOPLE: Final = ("profile", "identify", "custom", "view", "add", "consent")
SUBJECTS: Final = ("person", "product", "category", "cart", "order")
TRYING: Final = tuple(
    a_rule(rule=f"tries_{subject}_{number}", subject=subject, **{"if": condition},
           event=[*_OF_ITEMS, *(_OF_PEOPLE if subject == "person" else ())],
           steps=[{"channels": ["email", "push", "sms"], "template": "t"}])
    for subject in SUBJECTS
    for number, condition in enumerate((_conditions(subject), f"not ({_conditions(subject)})"))
)  # fmt: skip


@given(events())
@settings(max_examples=150)
def test_no_rule_fails_on_garbage_in_free_fields(history: list[Event]) -> None:
    """Shipped rules and conditions over all names: nothing is a `rule_failed`, and journeys can be stored."""
    shop = Shop([*shipped(), *TRYING], a_policy())
    shop.between = shop.through_the_store
    shop.read(*history, cuts=range(len(history))).until(NOON + 100 * DAY)
    assert [letter for letter in shop.dead if letter["reason"] == "rule_failed"] == []


_ANYTHING: Final = st.dictionaries(
    st.sampled_from(sorted(KNOWN_KEYS)),
    GARBAGE | st.lists(FIELDS, max_size=2) | st.text(min_size=500, max_size=520),
    max_size=8,
)
_LIKELY: Final = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(_LEANING), "user_id": st.just("u1"), "time": st.just(NOON)}
)


@given(st.lists(st.builds(lambda any_, likely: any_ | likely, _ANYTHING, _LIKELY), min_size=1, max_size=8))
@settings(max_examples=200)
def test_any_value_in_any_field_is_applied_or_a_dead_letter(history: list[Event]) -> None:
    """The rules that ship: never an exception, every event has an end, and what is stored can be read."""
    shop = Shop([*shipped(), *TRYING], a_policy())
    shop.between = shop.through_the_store
    shop.read(*history, cuts=range(len(history))).until(LATEST + DAY)
    dead = [letter["offset"] for letter in shop.dead]
    assert len(dead) == len(set(dead))
    assert "rule_failed" not in {letter["reason"] for letter in shop.dead}
    impersonal = sum(
        event.get("type") in IMPERSONAL for event in history if isinstance(event.get("type"), str)
    )
    assert len(shop.lane.hold) == 0
    assert shop.counts["applied",] + len(dead) + impersonal >= len(history)


def test_a_consent_whose_words_are_no_texts_can_be_stored() -> None:
    """What it rests on and what was shown may be anything; the journey is read back from the store."""
    said = {"state": "granted", "basis": {"law": 6}, "text_version": [2024]}
    shop = Shop([])
    shop.between = shop.through_the_store
    shop.read({"id": "1", "type": "consent", "user_id": "u1", "time": NOON, "consent": said})
    word = shop.lane.journeys["u1"].consents["*|*"]
    assert (word.granted, word.basis, word.text_version) == (True, "{'law': 6}", "[2024]")
    assert shop.counts["ignored", "consent"] == 2


WRONG: Final[tuple[object, ...]] = ([], {}, [1], {"a": 1}, True, False)


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(
    "condition",
    [
        'profile.country != "DE"',
        'profile.country in ["DE"]',
        'profile.country not in ["DE"]',
        "exists(profile.country)",
    ],
)
def test_a_trait_of_the_wrong_type_is_unknown(condition: str, value: object) -> None:
    """Neither equal nor unequal to anything: the condition is False."""
    rule = a_rule(rule="r", subject="person", event="view", **{"if": condition},
                  steps=[{"channels": ["push"], "template": "t"}])  # fmt: skip
    shop = Shop([rule])
    shop.read({"id": "1", "type": "profile", "user_id": "u1", "time": NOON, "traits": {"country": value}},
              {"id": "2", "type": "view", "user_id": "u1", "time": NOON})  # fmt: skip
    assert (shop.decisions, shop.dead) == ([], [])
    assert shop.counts["misfit", "r"] == int(value not in ([], {}))  # what is empty tells nothing


@pytest.mark.parametrize(
    ("value", "misfits"),
    [("old", 1), ([3], 1), (True, 1), (None, 0), ("", 0), ("7", 0), (7, 0), ("1e999", 1)],
)
def test_a_text_where_a_number_is_asked_for_is_counted(value: object, misfits: int) -> None:
    """The rule's name tells whose condition it was; what fits, or was never told, is not counted."""
    rule = a_rule(rule="r", subject="person", event="view", **{"if": 'trait_number("age") > 99'},
                  steps=[{"channels": ["push"], "template": "t"}])  # fmt: skip
    shop = Shop([rule, *shipped()]).read(a_profile(age=value), a_view(), a_view())
    assert (shop.final("r"), shop.dead) == ([], [])
    counted = {key: n for key, n in shop.counts.items() if key[0] == "misfit"}
    assert counted == ({("misfit", "r"): 2 * misfits} if misfits else {})


def test_a_day_that_is_none_is_counted() -> None:
    """A rule that waits for a date is told none."""
    rule = a_rule(rule="r", subject="person", date={"trait": "birthday"},
                  steps=[{"channels": ["push"], "template": "t"}])  # fmt: skip
    shop = Shop([rule]).read(a_profile(birthday=[1]), a_profile(birthday="2024-05-01"), a_profile(other=1))
    assert shop.counts["misfit", "r"] == 1


def _reading(value: object) -> Vocabulary:
    """A vocabulary whose names do not keep to their types."""
    names = {f"bad.{kind}": Name(type=kind, doc="", read=lambda _: value)
             for kind in ("number", "text", "duration", "time", "bool", "list")}  # fmt: skip
    return Vocabulary({**VOCABULARY.names, **names}, VOCABULARY.functions)


@pytest.mark.parametrize(
    "value",
    [[], {}, "text", {"a": []}, object(), 10**400, b"\xff"],
    ids=["list", "object", "text", "nested", "thing", "huge", "bytes"],
)
@pytest.mark.parametrize(
    "condition",
    ["bad.number > 3", "bad.number * 2 > bad.number", "bad.duration / 2 > hours(1)", "-bad.number < 0",
     'bad.text in ["a", "b"]', '"a" in bad.list', "bad.time - bad.time > hours(1)",
     "bad.number < bad.number + 1", "bad.number % 3 == 0", "bad.duration > minutes(30)"],
)  # fmt: skip
def test_a_value_that_is_not_of_its_type_is_no_exception(condition: str, value: Any) -> None:  # noqa: ANN401
    """Whatever a name of the vocabulary gives, the condition comes to True or False."""
    found = parse_condition(condition, _reading(value))
    assert isinstance(found, Condition)
    assert found.evaluate(None) in (True, False)
    scene = Scene(Journey(person="u1"))
    scene.about(
        a_rule(rule="r", subject="person", event="view", steps=[{"channels": ["email"], "template": "t"}]),
        "u1",
    )
    found.evaluate(scene)
    assert set(scene.misfits) <= {"r"}


def test_a_value_that_is_not_of_its_type_is_counted() -> None:
    """A bug in the vocabulary shows in a metric."""
    scene = Scene(Journey(person="u1"))
    for text in ("bad.number > 3", "bad.number < bad.number + 1 + 1", "-bad.number < 0", 'bad.text in ["a"]'):
        found = parse_condition(text, _reading([]))
        assert isinstance(found, Condition)
        assert found.evaluate(scene) is False
    assert scene.misfits[""] == 4


@pytest.mark.parametrize(
    "value",
    [[], {}, "text", object(), 10**400, b"\xff", float("nan"), None],
    ids=["list", "object", "text", "thing", "huge", "bytes", "nan", "nothing"],
)
@pytest.mark.parametrize("formula", ["bad.number", "bad.number * 2", "-bad.number"])
def test_a_number_that_is_none_is_unknown(formula: str, value: Any) -> None:  # noqa: ANN401
    """Whatever a name of the vocabulary gives, an expected value is a number or unknown."""
    found = parse_formula(formula, _reading(value))
    assert isinstance(found, Formula)
    assert found.evaluate(None) is None
