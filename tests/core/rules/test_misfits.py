"""A value told as another type than a condition asks for: the whole condition is false, and counted once."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.journeys.model import Journey
from retarget.rules.conditions import Condition, Formula, parse_condition, parse_formula
from retarget.rules.scene import Scene
from retarget.rules.vocabulary import VOCABULARY
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, a_profile, a_view, an_event
from tests.oracle import conditions as oracle

STEPS: Final = [{"channels": ["push"], "template": "t"}]
KEYS: Final = st.sampled_from(["age", "size", "visits"])
LEAVES: Final = st.builds(
    oracle.Compared, KEYS, st.sampled_from(sorted(oracle.TESTS)), st.integers(0, 3)
) | st.builds(oracle.Known, KEYS)
TREES: Final = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(oracle.Joined, st.just("not"), st.tuples(inner))
        | st.builds(oracle.Joined, st.sampled_from(["and", "or"]), st.tuples(inner, inner))
        | st.builds(oracle.Joined, st.sampled_from(["and", "or"]), st.tuples(inner, inner, inner))
    ),
    max_leaves=6,
)
TOLD: Final = st.dictionaries(KEYS, st.sampled_from([0, 1, 2, "3", "old", "", None, [], [1], True, {"a": 1}]))


@given(TREES, TOLD)
def test_conditions_agree_with_the_oracle(tree: Any, told: dict[str, object]) -> None:  # noqa: ANN401
    """However `not`, `and` and `or` are nested, and in whatever order; counted once, if at all."""
    condition = parse_condition(str(tree), VOCABULARY, "person")
    assert isinstance(condition, Condition)
    scene = Scene(Journey(person="u1", traits=told))
    assert condition.evaluate(scene) is oracle.holds(tree, told)
    assert sum(scene.misfits.values()) == oracle.is_misfit(tree, told)


@pytest.mark.parametrize(
    "condition",
    [
        'not (trait_number("age") > 5)',
        'not exists(trait_number("age"))',
        'event.type == "view" or trait_number("age") > 5',
        'trait_number("age") > 5 or event.type == "view"',
        'event.type == "view" and not (trait_number("age") > 5 and person.purchases == 0)',
        'profile.country == "DE" or event.type == "view"',
        'not (score("x", "churn") > 0.5)',
    ],
)
def test_nothing_that_holds_beside_it_makes_up_for_it(condition: str) -> None:
    """Nor does `not` turn it into a yes; with a value that fits, or none, each of these holds."""
    rule = a_rule(rule="r", subject="person", event="view", steps=STEPS, **{"if": condition})

    def told(value: object, country: object) -> list[Event]:
        said = an_event("score", source="x", consent={"state": "granted"}, traits={"churn": value})
        return [a_profile(age=value, country=country), said, a_view(at=NOON + 1)]

    fits = Shop([rule]).read(*told(0.1, "FR"))
    assert (len(fits.sent()), fits.counts["misfit", "r"]) == (int("exists" not in condition), 0)
    wrong = Shop([rule]).read(*told("old", ["DE"]))
    assert (wrong.sent(), wrong.dead, wrong.counts["misfit", "r"]) == ([], [], 1)


def test_an_expected_value_that_looks_at_it_is_unknown() -> None:
    """It counts as 0, as whatever is unknown does, and is counted here."""
    formula = parse_formula('trait_number("age") * 2', VOCABULARY, "person")
    assert isinstance(formula, Formula)
    scene = Scene(Journey(person="u1", traits={"age": "old"}))
    assert (formula.evaluate(scene), sum(scene.misfits.values())) == (None, 1)
