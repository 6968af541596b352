from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from retarget.errors import BadInput
from retarget.rules.conditions import Condition, Vocabulary
from retarget.rules.grammar import RULE, STEP, VARIANT
from retarget.rules.model import (
    NEVER,
    Audience,
    Becomes,
    Count,
    Ending,
    Event,
    Offer,
    Quiet,
    Rule,
    Step,
    SubjectKind,
)
from retarget.rules.parse import Document, parse_rules
from retarget.rules.parts import AUDIENCE, ENDING
from retarget.rules.places import Reading
from retarget.rules.product_sets import WORDS
from retarget.rules.records import Record
from retarget.rules.schema import json_schema
from retarget.rules.sending import OFFER
from retarget.rules.shapes import BAD
from retarget.rules.triggers import COUNT, QUIET
from retarget.rules.vocabulary import NAMES
from retarget.times import DAY, HOUR, MINUTE
from tests.core.rules.shop import VOCABULARY

Plain = dict[str, Any]
RECORDS: Final = (RULE, COUNT, QUIET, ENDING, AUDIENCE, STEP, VARIANT, OFFER)
HERE: Final = Path(__file__).parent
# Product sets ask for these names.
WITH_PRODUCTS: Final = Vocabulary(
    {**VOCABULARY.names, **{word: NAMES[word] for word in WORDS}}, VOCABULARY.functions
)
DURATION: Final = "a duration such as 30m, 24h or 1d 12h, at most 3650d"


def cart_rule(**changes: Any) -> Plain:  # noqa: ANN401 - whatever an author writes
    """A rule that is right, but for `changes`; None takes a key away."""
    right: Plain = {
        "rule": "abandoned_cart",
        "subject": "cart",
        "quiet": {"after": "30m", "opens": ["add", "remove"]},
        "steps": [
            {"channels": ["push", "email"], "template": "cart-1"},
            {"after": "24h", "channels": ["email"], "template": "cart-2"},
        ],
    }
    return {key: value for key, value in {**right, **changes}.items() if value is not None}


def stage_rule(**changes: Any) -> Plain:  # noqa: ANN401 - whatever an author writes
    """The same by `becomes`."""
    states = {"bought": 'person.stage == "bought"', "rest": True}
    step = {"audience": {"by_state": {"bought": "a", "rest": "b"}}}
    return {"rule": "ad_stage", "subject": "person", "becomes": states, "steps": [step], **changes}


def parsed(data: object) -> Rule:
    """The rule, which must be right."""
    return parse_rules([Document("r.yaml", data)], VOCABULARY)[0]


def problems(*data: object) -> list[str]:
    """What is wrong with rules that must be wrong, without the file and line."""
    with pytest.raises(BadInput) as raised:
        parse_rules([Document("r.yaml", one) for one in data], VOCABULARY)
    return [problem.removeprefix("r.yaml:1: ") for problem in raised.value.problems]


def text_of(condition: Condition | None) -> str:
    """The text of a condition that must be there."""
    assert condition is not None
    return condition.text


def test_a_full_rule_becomes_the_model() -> None:
    """Every key arrives where the engine looks for it, durations in ms."""
    rule = parsed(
        cart_rule(
            description="Somebody filled a cart and went away.",
            quiet={
                "after": "30m",
                "opens": ["add", "cart"],
                "touches": ["add", "remove"],
                "when": "cart.size > 0",
            },
            **{"if": "cart.size > 1"},
            unless=["purchase", {"event": "checkout", "same": "subject"}, {"when": "cart.size == 0"}],
            again="24h",
            priority=80,
            purpose="service",
            tags=["cart", "reminder"],
            expires="96h",
            hold_out=0.1,
            why="You left something in your cart.",
            steps=[
                {"channels": ["push", "email"], "template": "a", "audience": {"add": "b", "expires": "7d"}},
                {"after": "72h", "channels": ["email"], "template": "c", "if": "cart.value > 20"},
            ],
        )
    )

    assert isinstance(rule.trigger, Quiet)
    assert (rule.trigger.after, rule.trigger.opens) == (30 * MINUTE, ("add", "cart"))
    assert rule.trigger.touches == ("add", "remove")
    assert [text_of(c) for c in (rule.trigger.when, rule.condition)] == ["cart.size > 0", "cart.size > 1"]
    assert rule.unless[:2] == (Ending(event="purchase"), Ending(event="checkout", same="subject"))
    assert text_of(rule.unless[2].when) == "cart.size == 0"
    assert (rule.again, rule.expires, rule.hold_out) == (24 * HOUR, 96 * HOUR, 0.1)
    assert (rule.priority, rule.purpose, rule.tags) == (80, "service", ("cart", "reminder"))
    audience = Audience(add="b", expires=7 * DAY)
    assert rule.steps[0] == Step(channels=("push", "email"), template="a", audience=audience)
    assert rule.steps[1].after == 72 * HOUR
    assert text_of(rule.steps[1].condition) == "cart.value > 20"


@pytest.mark.parametrize(
    ("change", "trigger"),
    [
        (
            {"quiet": {"after": "1d", "opens": "anything"}},
            Quiet(after=DAY, opens=("anything",), touches=("anything",)),
        ),
        (
            {"quiet": {"after": "1d", "opens": "add", "touches": []}},
            Quiet(after=DAY, opens=("add",), touches=()),
        ),
        ({"quiet": None, "event": "purchase"}, Event(of=("purchase",))),
        ({"quiet": None, "event": ["purchase", "refund"]}, Event(of=("purchase", "refund"))),
        (
            {"quiet": None, "count": {"of": "add", "at_least": 4, "within": "48h", "distinct": "product"}},
            Count(of=("add",), at_least=4, within=48 * HOUR, distinct="product"),
        ),
    ],
)  # fmt: skip
def test_each_trigger_is_read(change: Plain, trigger: object) -> None:
    """One type or a list; touches are the opening types unless said."""
    assert parsed(cart_rule(**change)).trigger == trigger


def test_states_keep_their_order() -> None:
    """The first state whose condition holds wins, so the author's order is the rule's."""
    trigger = parsed(stage_rule()).trigger

    assert isinstance(trigger, Becomes)
    assert list(trigger.states) == ["bought", "rest"]
    assert text_of(trigger.states["rest"]) == "true"


def test_offers_and_all_channels_are_read() -> None:
    """Numbers and durations where the engine looks for them; `all` in its three forms."""
    offer = {"amount": 5, "currency": "EUR", "expires": "96h", "minimum_basket": 50, "least_margin": 0}
    rule = parsed(
        cart_rule(
            expires="48h",
            steps=[
                {"channels": "all", "template": "a", "offer": offer},
                {"after": "24h", "channels": {"all": ["push", "email"]}, "template": "b", "offer": "same"},
                {"after": "25h", "channels": ["push", "email"], "template": "c"},
            ],
        )
    )

    assert rule.steps[0].offer == Offer(
        amount=5.0, currency="EUR", expires=96 * HOUR, minimum_basket=50.0, least_margin=0.0
    )
    assert rule.steps[1].offer == "same"
    assert [rule.offering_step(number) for number in (1, 2, 3)] == [1, 1, 3]
    assert [step.every for step in rule.steps] == [True, True, False]
    assert [len(step.channels) for step in rule.steps] == [7, 2, 2]
    assert "service" not in rule.steps[0].channels


def test_a_variant_may_say_all_and_offer_more() -> None:
    """Its channels and its offer are its own; a version knows the difference."""
    offer = {"percent": 10, "expires": "1d"}
    variants = {"one": {}, "all": {"channels": {"all": ["sms"]}, "offer": offer}}
    step = {"channels": ["email"], "template": "a", "variants": variants}
    plain = parsed(cart_rule(steps=[{**step, "variants": {"one": {}, "all": {"channels": ["sms"]}}}]))
    rule = parsed(cart_rule(steps=[step]))

    found = rule.steps[0].variants["all"]
    assert (found.channels, found.every, found.offer) == (("sms",), True, Offer(percent=10.0, expires=DAY))
    assert rule.steps[0].offers == (found.offer,)
    assert rule.version != plain.version


def test_never_and_every_time() -> None:
    """`again` knows two words beside durations."""
    assert [parsed(cart_rule(again=said)).again for said in ("never", 0, "0", "1h")] == [NEVER, 0, 0, HOUR]


def wrong_rules() -> Iterator[tuple[str, list[str]]]:
    """Each change of `wrong_rules.txt` with its problems."""
    for block in (HERE / "wrong_rules.txt").read_text(encoding="utf-8").split("\n\n")[1:]:
        change, *lines = block.strip().split("\n")
        yield change, [line.strip() for line in lines]


@pytest.mark.parametrize(("change", "expected"), list(wrong_rules()))
def test_each_mistake_has_its_line(change: str, expected: list[str]) -> None:
    """What was found, what is known and the nearest name, with the path; nothing else is complained about."""
    kind, _, keys = change.partition(": ")
    right = {"cart": cart_rule, "stage": stage_rule}[kind]

    assert expected == problems(right(**yaml.safe_load(keys)))


@pytest.mark.parametrize("data", [None, [], "rule", 3, object(), {}, {"rule": []}, {3: 4}])
def test_what_is_no_rule_at_all_is_refused(data: object) -> None:
    """Whatever a document holds, the answer is a sentence."""
    assert problems(data)


def test_a_duration_that_no_clock_can_hold_is_refused() -> None:
    """A slip of the finger must not overflow later."""
    assert problems(cart_rule(again="9" * 400 + "d")) == [
        f"$.again: found the text {'9' * 60!r}…; known: {DURATION}, or 0, or never"
    ]


def test_all_problems_are_reported_at_once() -> None:
    """An author mends a file in one go, from top to bottom."""
    lines: dict[tuple[str | int, ...], int] = {(): 3, ("steps",): 9, ("steps", 1, "after"): 12, ("again",): 7}
    first = cart_rule(again="x", steps=[{"channels": ["sms"]}, {"after": "0", "audience": {"add": "a"}}])
    second = cart_rule(subject=3)

    with pytest.raises(BadInput) as raised:
        parse_rules([Document("a.yaml", first, lines), Document("b.yaml", second)], VOCABULARY)

    assert raised.value.problems == (
        f"a.yaml:7: $.again: found the text 'x'; known: {DURATION}, or 0, or never",
        "a.yaml:9: $.steps[0].template: missing; known: channels need a template, such as cart-reminder-1",
        "a.yaml:12: $.steps[1].after: found 0s; known: later than the step before it, at 0s",
        "b.yaml:1: $.subject: found the number 3; known: " + ", ".join(get_args(SubjectKind)),
        "b.yaml:1: $.rule: found 'abandoned_cart' a second time; the first is at a.yaml:3",
    )


def test_the_version_is_the_meaning() -> None:
    """Spelling out a default or writing a duration otherwise changes no version; another meaning does."""
    version = parsed(cart_rule()).version
    touching = {"after": "1800s", "opens": ["add", "remove"], "touches": ["add", "remove"]}

    assert parsed(cart_rule(quiet=touching, priority=50, tags=[])).version == version
    assert len(version) == 12
    changed: list[Plain] = [
        {"priority": 51},
        {"why": "Because."},
        {"again": "never"},
        {"if": "cart.size > 0"},
    ]
    others = {parsed(cart_rule(**change)).version for change in changed}
    assert len(others - {version}) == len(changed)


def test_the_order_of_states_is_part_of_the_version() -> None:
    """Another precedence is another rule."""
    turned = dict(reversed(stage_rule()["becomes"].items()))

    assert parsed(stage_rule(becomes=turned)).version != parsed(stage_rule()).version


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.what)
def test_examples_and_defaults_are_right(record: Record) -> None:
    """What the manual and the messages show can be written like that."""
    for key in record.keys:
        reading = Reading(Document("example", None), WITH_PRODUCTS)
        for value in (key.example, key.default):
            found = None if value is None else key.shape.read(value, reading.root)
            assert found is not BAD, key.name
        assert reading.lines == []


def test_the_schema_knows_every_key() -> None:
    """Editors complete what the parser takes, with the same sentences."""
    schema = json_schema()

    assert list(schema["properties"]) == [key.name for key in RULE.keys]
    assert schema["required"] == ["rule", "subject", "steps"]
    assert {"required": ["becomes"]} in schema["oneOf"]
    assert schema["properties"]["count"]["properties"]["at_least"]["maximum"] == 64
    assert schema["properties"]["purpose"]["default"] == "marketing"
    assert all(found["description"] for found in schema["properties"].values())


_WORDS: Final = ("add", "purchase", "30m", "0", "never", "anything", "cart.size > 0", "subject", "cart")
_SCALARS: Final = st.one_of(
    st.sampled_from(_WORDS),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(max_size=3),
)


def _wrapped(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(_SCALARS, inner, max_size=3)


_ANY: Final = st.recursive(_SCALARS, _wrapped, max_leaves=8)


def _of(record: Record) -> st.SearchStrategy[Plain]:
    return st.dictionaries(st.sampled_from([key.name for key in record.keys]), _ANY, max_size=6)


_PARTS: Final = st.fixed_dictionaries(
    {},
    optional={
        "after": st.sampled_from(["0", "1h", "2d"]),
        "audience": _of(AUDIENCE),
        "channels": st.sampled_from([["push", "email"], "all", {"all": ["push"]}]),
        "template": st.just("a"),
        "offer": _of(OFFER) | st.just("same") | st.just({"percent": 10, "expires": "1h"}),
        "variants": st.dictionaries(st.sampled_from(["a", "b"]), _of(VARIANT)),
    },
)
_RULES: Final = st.fixed_dictionaries(
    {},
    optional={
        **{key.name: _ANY | st.just(key.example) for key in RULE.keys},
        "count": _of(COUNT), "quiet": _of(QUIET), "unless": st.lists(_of(ENDING) | _ANY, max_size=3),
        "steps": st.lists(_of(STEP) | _ANY | _PARTS, max_size=3),
    },
)  # fmt: skip


@given(_ANY | _RULES)
def test_any_data_is_a_rule_or_bad_input(data: object) -> None:
    """No data makes anything else than a rule or problems of one line each."""
    try:
        assert isinstance(parsed(data), Rule)
    except BadInput as error:
        assert error.problems  # noqa: PT017 - either way is fine
        assert all(line.startswith("r.yaml:1: $") and "\n" not in line for line in error.problems)  # noqa: PT017
