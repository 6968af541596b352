"""Steps: every external operation of a lane is one, so that a scheduler can stand between any two of them."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, NamedTuple, TypeVar, cast

from streams.ports import Fenced, UnknownOutcome

T = TypeVar("T")


class Operation(NamedTuple):
    """One call to the outside. `effect` does it and gives the answer, or raises Fenced or UnknownOutcome."""

    name: str
    effect: Callable[[], Any]
    changes: bool = False  # it leaves something behind, so a late or repeated arrival matters
    answers: bool = True  # its answer may stay out: UnknownOutcome


async def at_once(operations: Coroutine[Operation, Any, T]) -> T:
    """Carry out every operation of a call as it comes, as a part that never fails would; its answer."""
    answer: Any = None
    problem: Exception | None = None
    while True:
        try:
            operation = operations.throw(problem) if problem is not None else operations.send(answer)
        except StopIteration as end:
            return cast("T", end.value)
        answer, problem = None, None
        try:
            answer = operation.effect()
        except (Fenced, UnknownOutcome) as refused:
            problem = refused


@types.coroutine
def step(
    name: str, effect: Callable[[], T], *, changes: bool = False, answers: bool = True
) -> Generator[Operation, Any, T]:
    """Hand an operation to the scheduler and wait for its answer."""
    answer: T = yield Operation(name, effect, changes, answers)
    return answer
