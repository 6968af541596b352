"""The coordinator of a lane's transactions, where it is, and how a client finds it: below the logs.

What a coordinator knows lies in a log, so that the next one goes on with it. To retry is the client's part
(aiokafka, and streams.kafka.ending): a lane sees that it takes longer, or an outcome that is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from streams.ports import UnknownOutcome
from tests.protocol.faults import Fault
from tests.protocol.passing import Passing
from tests.protocol.steps import Misplaced, step

ELECTION_MS: Final = 150  # until somebody can be told where it is
LOADING_MS: Final = 150  # and until it has read what the one before has left
AWAY_MS: Final = 20_000  # longer than anybody waits for it
DEADLINE_MS: Final = 15_000
BACKOFF_MS: Final = 100
_NODES: Final = 2


class Coordinator:
    """One of two nodes; elections and loading take their time."""

    def __init__(self, passing: Passing) -> None:
        self.passing = passing
        self.node = 0
        self._elected_at = self._loaded_at = 0
        self.falls = False  # as soon as it has put down the next request, it moves, and answers nothing else

    def disturb(self, fault: Fault) -> None:
        """Let it move now, or after the next request, or be away for longer than a client waits."""
        if fault is Fault.COORDINATOR_FALLS:
            self.falls = True
        else:
            self.move(AWAY_MS if fault is Fault.COORDINATOR_AWAY else ELECTION_MS)

    def move(self, election_ms: int = ELECTION_MS) -> None:
        """Have another node be it."""
        self.node = (self.node + 1) % _NODES
        self._elected_at = self.passing.now() + election_ms
        self._loaded_at = self._elected_at + LOADING_MS

    def where(self) -> int:
        """The answer to FindCoordinator. Raises Misplaced."""
        if self.passing.now() < self._elected_at:
            raise Misplaced("COORDINATOR_NOT_AVAILABLE")
        return self.node

    def answer(self, node: int, request: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the request says
        """What a node does with a request. Raises Misplaced, and what the request raises."""
        if node != self.where():
            raise Misplaced("NOT_COORDINATOR")
        if self.passing.now() < self._loaded_at:
            raise Misplaced("COORDINATOR_LOAD_IN_PROGRESS")
        try:
            answer = request()
        finally:
            fallen, self.falls = self.falls, False
        if fallen:
            self.move()
            raise Misplaced("NOT_COORDINATOR")
        return answer


class Client:
    """A producer's dealings with the coordinator; it knows where it was, and asks anew when it is told."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._node: int | None = None

    async def add(self, name: str, write: Callable[[], int]) -> int:
        """Have partitions added to the transaction, then write to them."""

        def ask() -> int:
            self._answer(lambda: None)
            return write()

        offset: int = await self._tried(name, ask)
        return offset

    async def ask(self, name: str, request: Callable[[], Any], *, once: bool = False) -> Any:  # noqa: ANN401
        """The answer to a request; `once`: only the first one. Raises UnknownOutcome."""
        return await self._tried(name, lambda: self._answer(request), once=once)

    async def _tried(self, name: str, ask: Callable[[], Any], *, once: bool = False) -> Any:  # noqa: ANN401
        passing = self._coordinator.passing
        deadline = passing.now() + DEADLINE_MS
        while passing.now() < deadline:
            try:
                return await step(name, ask, changes=True, coordinated=True)
            except Misplaced as told:
                if once:
                    raise UnknownOutcome("the end of the transaction was not acknowledged") from told
                if str(told) == "COORDINATOR_LOAD_IN_PROGRESS":
                    passing.add(BACKOFF_MS)
                else:
                    self._node = await step("find coordinator", lambda: self._find(deadline))
        raise UnknownOutcome("no coordinator until the deadline")

    def _answer(self, request: Callable[[], Any]) -> Any:  # noqa: ANN401
        if self._node is None:
            self._node = self._coordinator.where()
        return self._coordinator.answer(self._node, request)

    def _find(self, deadline: int) -> int | None:
        """Ask where it is again and again."""
        while self._coordinator.passing.now() < deadline:
            try:
                return self._coordinator.where()
            except Misplaced:
                self._coordinator.passing.add(BACKOFF_MS)
        return None
