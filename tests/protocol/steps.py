"""Steps: every external operation of a lane is one, so that a scheduler can stand between any two of them."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from redis.exceptions import RedisError

from retarget.errors import LaneRefused
from streams.ports import Fenced, UnknownOutcome

if TYPE_CHECKING:
    from tests.protocol.commands import Command

T = TypeVar("T")
# What an operation may come to instead of an answer.
REFUSALS: Final = (Fenced, UnknownOutcome, RedisError, LaneRefused)


class Operation(NamedTuple):
    """One call to the outside. `effect` does it and gives the answer, or raises one of REFUSALS."""

    name: str
    effect: Callable[[], Any]
    changes: bool = False  # it leaves something behind, so a late or repeated arrival matters
    answers: bool = True  # its answer may stay out
    lost: type[Exception] = UnknownOutcome  # what is raised then
    command: Command | None = None  # to the store


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
        except REFUSALS as refused:
            problem = refused


@types.coroutine
def step(
    name: str,
    effect: Callable[[], T],
    *,
    changes: bool = False,
    answers: bool = True,
    lost: type[Exception] = UnknownOutcome,
    command: Command | None = None,
) -> Generator[Operation, Any, T]:
    """Hand an operation to the scheduler and wait for its answer."""
    answer: T = yield Operation(name, effect, changes, answers, lost, command)
    return answer
