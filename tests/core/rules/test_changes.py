"""What a change of a rule is told in: over the whole declared grammar, whatever is changed in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.rules.changes import changes
from retarget.rules.grammar import RULE
from retarget.rules.model import Rule
from retarget.rules.places import Document, Reading
from retarget.rules.product_sets import ProductSets
from retarget.rules.records import Key, OrWord, Record, Short, Values, built
from retarget.rules.shapes import (
    ALL,
    Above,
    Amount,
    Duration,
    Expression,
    Limit,
    Named,
    Number,
    OneOf,
    OrAll,
    Several,
    Switch,
    Text,
)
from retarget.rules.triggers import CATALOGUE
from retarget.rules.versions import plain, version_of
from retarget.rules.vocabulary import VOCABULARY

# None of them ends with another one, so that what is alike on both sides is so for a reason.
_TEXTS: Final = ("nothing", "tents", "b1", "C3")
_DURATIONS: Final = ("250ms", "90s", "30m", "90m", "36h", "2d", "7d")
_CONDITIONS: Final = ("person.purchases > 1", "carts.size > 2", "count('view', within=days(3)) > 2")
# Keys whose lists are in an order that counts.
_ORDERED: Final = ("steps", "channels", "states", "variants")
_LISTED: Final = ("listing.price > 1", "listing.stock > 2")
_OF_PRODUCTS: Final = ("product.price > 1", "product.category == 'tents'")


_MADE: Final[dict[int, st.SearchStrategy[Any]]] = {}


def of(shape: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - any of the shapes
    """Whatever can be written where that is expected; made once, which takes long."""
    if id(shape) not in _MADE:
        _MADE[id(shape)] = _made(shape)
    return _MADE[id(shape)]


def _made(shape: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401, PLR0911 - one case for each shape
    match shape:
        case Record():
            return _record(shape)
        case Short(record, key):
            return st.one_of(of(_key(record, key).shape), of(record))
        case OrWord(record, word):
            return st.just(word) | of(record)
        case Several(item, _, least):
            return st.lists(of(item), min_size=least, max_size=4, unique_by=str)
        case OrAll(several):
            listed = of(several)
            return listed | st.just(ALL) | listed.map(lambda names: {ALL: names})
        case Named(item, name):
            return st.dictionaries(of(name), of(item), min_size=1).flatmap(_in_any_order)
        case ProductSets():
            sets = st.dictionaries(st.sampled_from(["s1", "s2"]), st.sampled_from(_OF_PRODUCTS), min_size=1)
            return sets.flatmap(_in_any_order)
    return _single(shape)


def _single(shape: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401, PLR0911 - one case for each shape
    match shape:
        case Text():
            return st.sampled_from([text for text in _TEXTS if re.fullmatch(shape.pattern, text)])
        case Number(least, most, whole):
            return st.integers(least, most) if whole else st.floats(least, most)
        case Above(most):
            return st.floats(0, most, exclude_min=True) | st.integers(1, most)
        case Duration():
            words = [*shape.words, *([0] if shape.zero else [])]
            return st.sampled_from([*_DURATIONS, *words])
        case Limit():
            return st.sampled_from(["1/1h", "100/1h", "1/2d", "1/250ms"])
        case OneOf(known=known, family=family):
            return st.sampled_from([*known, f"{family}one", f"{family}two"] if family else known)
        case Amount():
            return st.integers(1, 9) | st.just("2 * person.purchases")
        case Switch():
            return st.booleans()
    listing = isinstance(shape, type(_key(CATALOGUE, "when").shape))
    assert isinstance(shape, Expression), shape
    return st.sampled_from(_LISTED if listing else _CONDITIONS)


def _in_any_order(of: dict[Any, Any]) -> st.SearchStrategy[dict[Any, Any]]:
    return st.permutations(list(of.items())).map(dict)


def _key(record: Record, name: str) -> Key:
    return next(key for key in record.keys if key.name == name)


def _record(record: Record) -> st.SearchStrategy[dict[str, Any]]:
    """With one of those of which there is one, and any of the others."""
    chosen = st.sampled_from(record.exactly_one) if record.exactly_one else st.just("")
    each = {one: _with(record, one) for one in record.exactly_one or ("",)}
    return chosen.flatmap(each.__getitem__)


def _with(record: Record, one: str) -> st.SearchStrategy[dict[str, Any]]:
    free = [key for key in record.keys if key.name not in record.exactly_one]
    needed = {key.name: of(key.shape) for key in free if key.required}
    if one:
        needed[one] = of(_key(record, one).shape)
    more = {key.name: of(key.shape) for key in free if not key.required and key.name != "description"}
    return st.fixed_dictionaries(needed, optional=more)


def other(shape: Any, value: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - whatever can be written
    """What was written, changed in one place, which may be deep in it."""
    if isinstance(shape, Record) and isinstance(value, Mapping) and value:
        return st.sampled_from(sorted(value)).flatmap(lambda name: _changed(shape, value, name)) | of(shape)
    if isinstance(shape, OrWord | Short):
        return other(shape.record, value) if isinstance(value, Mapping) else of(shape)
    if isinstance(shape, Several) and isinstance(value, list) and value:
        last = other(shape.item, value[-1]).map(lambda new: [*value[:-1], new])
        return last.filter(_different) | st.permutations(value) | of(shape)
    if isinstance(shape, Named):
        one = st.sampled_from(sorted(value)).flatmap(
            lambda name: other(shape.item, value[name]).map(lambda new: {**value, name: new})
        )
        return one | _in_any_order(value) | of(shape)
    return of(shape)


def _different(elements: list[Any]) -> bool:
    return len({str(element) for element in elements}) == len(elements)


def _changed(record: Record, value: Mapping[str, Any], name: str) -> st.SearchStrategy[dict[str, Any]]:
    return other(_key(record, name).shape, value[name]).map(lambda new: {**value, name: new})


def read(data: Values) -> Rule:
    """The rule that is written so, whatever is wrong between its parts."""
    reading = Reading(Document("rule", data), VOCABULARY)
    rule: Rule = built(RULE.read(data, reading.root))
    return replace(rule, version=version_of(rule))


def right(data: Values) -> Rule:
    """The same, where its audiences and offers at least are right."""
    reading = Reading(Document("rule", data), VOCABULARY)
    RULE.read(data, reading.root)
    assume(not re.search(r"(audience|offer)\S*: (found|missing)", "\n".join(reading.lines)))
    return read(data)


def said(before: Rule, after: Rule) -> tuple[str, ...]:
    """What is told of the change."""
    return tuple(
        line for change in changes([before], [replace(after, name=before.name)]) for line in change.says
    )


@given(st.data())
@settings(max_examples=200)
def test_no_change_is_told_in_the_same_words_on_both_sides(data: st.DataObject) -> None:
    """Whatever is changed, and however deep in a rule."""
    before = data.draw(of(RULE))
    after = data.draw(other(RULE, before))
    for line in said(right(before), right(after)):
        now, instead, was = line.rpartition(" instead of ")
        assert not instead or not f" {now.removesuffix(',')}".endswith(f" {was}"), line


def meaning(rule: Rule) -> Any:  # noqa: ANN401 - plain data
    """What counts in a rule: of most lists the order does not, nor what their version is."""
    return _unordered(plain(rule), ordered=False)


def _unordered(value: Any, *, ordered: bool) -> Any:  # noqa: ANN401 - plain data
    if isinstance(value, dict):
        inner = {key: _unordered(one, ordered=key in _ORDERED) for key, one in value.items()}
        return {**inner, "version": ""}
    if isinstance(value, list):
        found = [_unordered(one, ordered=False) for one in value]
        return found if ordered else sorted(found, key=repr)
    return value


@given(st.data())
@settings(max_examples=200)
def test_two_changes_are_not_told_in_the_same_words(data: st.DataObject) -> None:
    """Whatever is changed, and however deep in a rule: who reads it knows which of the two it is."""
    before = data.draw(of(RULE))
    key = data.draw(st.sampled_from(sorted({*before} - {"rule"})))
    one, two = (right(data.draw(_changed(RULE, before, key))) for _ in range(2))
    if meaning(one) != meaning(two):
        assert said(right(before), one) != said(right(before), two)


STATES: Final = """
rule: r
subject: person
becomes: {a: person.purchases > 1, b: carts.size > 0}
steps: [{audience: {by_state: {a: aa, b: bb}}}]
"""
SENT: Final = """
rule: r
subject: person
event: view
steps: [{channels: [push, email], template: t, offer: {percent: 5, expires: 2d, codes: spring}}]
"""


BY_SPRING: Final = " off for 2 days by codes of the pool spring"
STATED: Final = "step 1: into the audience {} in the state a and {} in the state b"


@pytest.mark.parametrize(
    ("text", "was", "now", "expected"),
    [
        (SENT, "[push, email]", "[email, push, sms]",
         ["step 1: also on sms", "step 1: tried in the order email, push and sms"]),
        (SENT, "[push, email]", "[push, email, sms]", ["step 1: also on sms"]),
        (SENT, "[push, email]", "[email]", ["step 1: no longer on push"]),
        (SENT, "spring", "summer",
         [f"step 1: offers 5 %{BY_SPRING.replace('spring', 'summer')} instead of 5 %{BY_SPRING}"]),
        (SENT, "percent: 5", "percent: 5.0000001",
         [f"step 1: offers 5.0000001 %{BY_SPRING} instead of 5 %{BY_SPRING}"]),
        (SENT, "event: view", "event: view\nhold_out: 0.007",
         ["0.7 % of the people are held out instead of 0 %"]),
        (STATES, "a: person.purchases > 1, b: carts.size > 0", "b: carts.size > 0, a: person.purchases > 1",
         ["states in the order b and a"]),
        (STATES, "{a: person", "{c: person.known, a: person",
         ["also has the state c", "states in the order c, a and b", "state c: if person.known"]),
        (STATES, "{a: aa, b: bb}", "{a: bb, b: aa}",
         [f"{STATED.format('bb', 'aa')} instead of {STATED.format('aa', 'bb').removeprefix('step 1: ')}"]),
    ],
)  # fmt: skip
def test_what_counts_is_told(text: str, was: str, now: str, expected: list[str]) -> None:
    """Which channel comes first, which state, into which audience, by whose codes."""
    before, after = (read(yaml.safe_load(one)) for one in (text, text.replace(was, now)))
    assert list(said(before, after)) == expected


def test_nothing_is_told_of_another_order_that_does_not_count() -> None:
    """Endings have none."""
    rule = "{rule: r, subject: cart, count: {of: add, at_least: 2, within: 1h}, unless: [%s], steps: [{}]}"
    before, after = (
        read(yaml.safe_load(rule % ends)) for ends in ("purchase, checkout", "checkout, purchase")
    )
    assert said(before, after) == ("nothing but the order or the spelling of its parts",)
