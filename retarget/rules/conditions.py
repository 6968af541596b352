"""Conditions: what an author writes after `if` and `when`, checked at load, judged well within a microsecond.

The language has the names of a vocabulary, literals, comparisons, `in`, `and`, `or`, `not`, `exists(name)`,
arithmetic, `seconds(n) minutes(n) hours(n) days(n)` and calls with literal arguments. A value may be unknown:
comparing it is False, calculating with it is unknown. What looks at a value told as another type is
False as a whole, whatever else holds. Nothing an author writes is ever run: it is translated into closures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import TypeVar

import msgspec

from retarget.rules.expressions.syntax import Problem, place_of, tree_of
from retarget.rules.expressions.terms import (
    Argument,
    Function,
    Name,
    Read,
    Scene,
    Term,
    Vocabulary,
    Window,
    misfit,
)
from retarget.rules.expressions.translate import Translation

__all__ = [
    "Argument", "Condition", "Formula", "Function", "Name", "Problem", "Scene", "Vocabulary", "Window",
    "parse_condition", "parse_formula",
]  # fmt: skip

_Found = TypeVar("_Found")


class Condition(msgspec.Struct, frozen=True, eq=False):
    """A checked condition; equal to every other of the same text.

    `evaluate` judges a scene. `windows` are the events it looks back on, `names` the names it reads,
    `texts` what its calls are given, touchpoint types among them.
    """

    text: str
    evaluate: Callable[[Scene], bool]
    windows: tuple[Window, ...] = ()
    names: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Condition) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"


class Formula(msgspec.Struct, frozen=True, eq=False):
    """A checked number; equal to every other of the same text.

    `evaluate` works it out in a scene, None where it is unknown. All else is as in a Condition.
    """

    text: str
    evaluate: Callable[[Scene], float | None]
    windows: tuple[Window, ...] = ()
    names: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Formula) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"


def parse_condition(
    text: str, vocabulary: Vocabulary, subject: str | None = None
) -> Condition | tuple[Problem, ...]:
    """The condition `text` about a subject of that kind (None: any), or everything that is wrong with it."""
    text = text.strip()
    tree = tree_of(text)
    if isinstance(tree, Problem):
        return (tree,)
    translation = Translation(text, vocabulary, subject)
    term = translation.yes_or_no(tree)
    if term is None:
        return tuple(sorted(translation.problems))
    judge = _fitting(_judge(term), translation.misfits, otherwise=False)
    return Condition(text, judge, *_looked_at(translation))


def parse_formula(
    text: str, vocabulary: Vocabulary, subject: str | None = None
) -> Formula | tuple[Problem, ...]:
    """The number `text` about a subject of that kind (None: any), or everything that is wrong with it."""
    text = text.strip()
    tree = tree_of(text)
    if isinstance(tree, Problem):
        return (tree,)
    translation = Translation(text, vocabulary, subject)
    term = translation.term(tree)
    problems = list(translation.problems)
    if term is not None and term.type != "number":
        problems.append(Problem(*place_of(text, tree), f"{term.text} is a {term.type}, not a number"))
    if term is None or problems:
        return tuple(sorted(problems))
    work_out = _fitting(_known(term), translation.misfits, otherwise=None)
    return Formula(text, work_out, *_looked_at(translation))


def _looked_at(translation: Translation) -> tuple[tuple[Window, ...], frozenset[str], frozenset[str]]:
    return tuple(translation.windows), frozenset(translation.names), frozenset(translation.texts)


def _fitting(read: Callable[[Scene], _Found], misfits: Sequence[Read], *, otherwise: _Found
             ) -> Callable[[Scene], _Found]:  # fmt: skip
    """`read`, unless something that it looks at was told as another type: that is noted once."""
    if not misfits:
        return read

    def fitting(scene: Scene) -> _Found:
        for was_misfit in misfits:
            if was_misfit(scene):
                misfit(scene)
                return otherwise
        return read(scene)

    return fitting


def _known(term: Term) -> Callable[[Scene], float | None]:
    """What is no number after all, or too large for one, is unknown."""
    read = term.read

    def work_out(scene: Scene) -> float | None:
        value = read(scene)
        try:
            return float(value) if isfinite(value) else None
        except (TypeError, OverflowError):
            return None

    return work_out


def _judge(term: Term) -> Callable[[Scene], bool]:
    """What gives True or False even where a yes or no of the vocabulary is unknown."""
    read = term.read
    return read if term.certain else lambda scene: bool(read(scene))
