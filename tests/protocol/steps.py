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


class Misplaced(Exception):
    """A request has come to a node that is not, or not yet, the coordinator; it has the error's name."""


# What an operation may come to instead of an answer.
REFUSALS: Final = (Fenced, UnknownOutcome, RedisError, LaneRefused, Misplaced)


class Operation(NamedTuple):
    """One call to the outside. `effect` does it and gives the answer, or raises one of REFUSALS."""

    name: str
    effect: Callable[[], Any]
    changes: bool = False  # it leaves something behind, so a late or repeated arrival matters
    answers: bool = True  # its answer may stay out
    lost: type[Exception] = UnknownOutcome  # what is raised then
    command: Command | None = None  # to the store
    coordinated: bool = False  # it goes to the coordinator of transactions


async def at_once(operations: Coroutine[Operation, Any, T]) -> T:
    """Carry out every operation of a call as it comes, as a part that never fails would; its answer."""
    try:
        operation = operations.send(None)
        while True:
            operation = following(operation, operations)
    except StopIteration as end:
        return cast("T", end.value)


def following(operation: Operation, of: Coroutine[Operation, Any, object]) -> Operation:
    """Carry out one operation of a call, which goes on with what it comes to; the next one."""
    try:
        answer = operation.effect()
    except REFUSALS as refused:
        return of.throw(refused)
    return of.send(answer)


@types.coroutine
def step(
    name: str,
    effect: Callable[[], T],
    *,
    changes: bool = False,
    answers: bool = True,
    lost: type[Exception] = UnknownOutcome,
    command: Command | None = None,
    coordinated: bool = False,
) -> Generator[Operation, Any, T]:
    """Hand an operation to the scheduler and wait for its answer."""
    answer: T = yield Operation(name, effect, changes, answers, lost, command, coordinated)
    return answer
