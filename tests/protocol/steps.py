"""Steps: every external operation of a lane is one, so that a scheduler can stand between any two of them."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Operation(NamedTuple):
    """One call to the outside. `effect` does it and gives the answer, or raises Fenced or UnknownOutcome."""

    name: str
    effect: Callable[[], Any]
    changes: bool = False  # it leaves something behind, so a late or repeated arrival matters
    answers: bool = True  # its answer may stay out: UnknownOutcome


@types.coroutine
def step(
    name: str, effect: Callable[[], T], *, changes: bool = False, answers: bool = True
) -> Generator[Operation, Any, T]:
    """Hand an operation to the scheduler and wait for its answer."""
    answer: T = yield Operation(name, effect, changes, answers)
    return answer
