"""Conditions over traits, judged in the plainest way: what was told as another type, then what is said."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

TESTS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


class Compared(NamedTuple):
    """`trait_number("key") sign number`."""

    key: str
    sign: str
    number: float

    def __str__(self) -> str:
        return f'trait_number("{self.key}") {self.sign} {self.number}'


class Known(NamedTuple):
    """`exists(trait_number("key"))`."""

    key: str

    def __str__(self) -> str:
        return f'exists(trait_number("{self.key}"))'


class Joined(NamedTuple):
    """`not`, `and`, `or` over others."""

    word: str
    parts: tuple[Any, ...]

    def __str__(self) -> str:
        if self.word == "not":
            return f"not ({self.parts[0]})"
        return f" {self.word} ".join(f"({part})" for part in self.parts)


def number_of(value: object) -> float | None:
    """A number, also one written as text; a yes or no is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def keys_of(tree: Any) -> Iterator[str]:  # noqa: ANN401 - one of the three
    """Every trait that is looked at, whether it would matter or not."""
    if isinstance(tree, Joined):
        for part in tree.parts:
            yield from keys_of(part)
    else:
        yield tree.key


def is_misfit(tree: Any, traits: Mapping[str, object]) -> bool:  # noqa: ANN401
    """Whether one of its traits was told and is no number."""
    told = {key: traits[key] for key in keys_of(tree) if traits.get(key) not in (None, "", [], {})}
    return any(number_of(value) is None for value in told.values())


def holds(tree: Any, traits: Mapping[str, object]) -> bool:  # noqa: ANN401
    """The whole condition: false with a misfit, else what it says."""
    return not is_misfit(tree, traits) and _says(tree, traits)


def _says(tree: Any, traits: Mapping[str, object]) -> bool:  # noqa: ANN401
    if isinstance(tree, Joined):
        told = [_says(part, traits) for part in tree.parts]
        return {"not": not told[0], "and": all(told), "or": any(told)}[tree.word]
    number = number_of(traits.get(tree.key))
    if isinstance(tree, Known) or number is None:
        return number is not None
    return TESTS[tree.sign](number, tree.number)
