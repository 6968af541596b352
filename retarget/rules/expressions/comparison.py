"""Comparisons: which types go together, and how two values are compared. Unknown values compare as False."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from retarget.rules.expressions import nearness
from retarget.rules.expressions.terms import Complaint, Read, Term, Type, misfit
from retarget.rules.names import unknown

_Test = Callable[[Any, Any], bool]
_TESTS: Final[Mapping[str, _Test]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda element, many: element in many,
    "not in": lambda element, many: element not in many,
}
_ORDERED: Final[frozenset[Type]] = frozenset({"number", "duration", "time"})


def comparison(text: str, sign: str, left: Term, right: Term) -> Term | Complaint:
    """`left sign right`; `!=` and `not in` with an unknown value are False too: ask with `exists`."""
    complaint = _mismatch(sign, left, right) or _no_choice(left, right) or _no_choice(right, left)
    if complaint:
        return complaint
    return Term(text=text, type="bool", read=_reader(sign, left, right), certain=True)


def _mismatch(sign: str, left: Term, right: Term) -> Complaint | None:
    if sign in ("in", "not in"):
        return _no_element(sign, left, right)
    if left.type == "list" or right.type == "list":
        return f"a list is not compared by {sign}; known: in, not in"
    if left.type != right.type:
        return f"{left.text} is a {left.type}, {right.text} a {right.type}{_remedy(left, right)}"
    if sign not in ("==", "!=") and left.type not in _ORDERED:
        return f"{left.text} is a {left.type}, which has no order; known: ==, !=, in, not in"
    return None


def _no_element(sign: str, left: Term, right: Term) -> Complaint | None:
    if right.type != "list":
        return f'{right.text} is a {right.type}; {sign} needs a list such as ["a", "b"]'
    if right.of is not None and left.type != right.of:
        return f"{left.text} is a {left.type}, the elements of {right.text} are {right.of}"
    return None


def _remedy(left: Term, right: Term) -> str:
    if {left.type, right.type} == {"duration", "number"}:
        return "; write durations as minutes(30), hours(24), days(30)"
    return ""


def _no_choice(known: Term, said: Term) -> Complaint | None:
    """A literal that a name with choices never has would make the comparison silently False for ever."""
    if known.choices is None or not said.constant:
        return None
    values = said.value if said.type == "list" else (said.value,)
    wrong = [value for value in values if value not in known.choices]
    return unknown(f"value of {known.text}", wrong[0], known.choices) if wrong else None


def _reader(sign: str, left: Term, right: Term) -> Read:
    numbers = left.type == right.type == "number"
    if right.constant:
        return _against_constant(sign, left, right, numbers=numbers)
    test: _Test = nearness.TESTS[sign] if numbers else _TESTS[sign]
    one, other = left.read, right.beside(left.value) if right.beside and left.constant else right.read

    def run(scene: object) -> bool:
        value, limit = one(scene), other(scene)
        try:
            return value is not None and limit is not None and test(value, limit)
        except TypeError:  # not of the type that its name has: as good as unknown
            misfit(scene)
            return False

    return run


def _against_constant(sign: str, left: Term, right: Term, *, numbers: bool) -> Read:
    test: _Test = _TESTS[sign]
    one: Read = left.read
    limit: Any = frozenset(right.value) if right.type == "list" else right.value
    if numbers and left.beside:
        one = left.beside(limit)
    elif numbers:
        test, limit = nearness.against(sign, limit)

    def run(scene: object) -> bool:
        value = one(scene)
        try:
            return value is not None and test(value, limit)
        except TypeError:
            misfit(scene)
            return False

    return run
