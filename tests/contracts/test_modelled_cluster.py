"""The cluster of the fault simulator against a real one: the same commands, the same redirections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import pytest
from redis import Redis as Node
from redis import exceptions as theirs

from streams.embedded.processes import LOOPBACK
from streams.stores import scripts
from streams.stores.keys import lane_keys
from streams.stores.link import Argument
from tests.contracts.test_redis_cluster import LANES, begin_move, end_move, port_of, tell
from tests.contracts.test_redis_cluster import nodes as nodes  # noqa: PLC0414 - a fixture
from tests.protocol.cluster import MOVING_MS, Cluster
from tests.protocol.commands import understood
from tests.protocol.store import StoredImages

pytestmark = pytest.mark.embedded

KEYS: Final = lane_keys("retarget", LANES, LANES - 1)
ANN: Final = KEYS.journey + b"ann"
READ: Final = (b"HMGET", KEYS.meta, b"seq", b"meta")
LOAD: Final = (b"EVALSHA", scripts.LOAD.digest, 2, KEYS.meta, ANN)
ALONE: Final = (b"EVALSHA", scripts.LOAD.digest, 1, KEYS.meta)
WHOLE: Final = (b"EVAL", scripts.LOAD.text, 2, KEYS.meta, ANN)
CHECKPOINT: Final = (
    b"EVAL", scripts.CHECKPOINT.text, 4, KEYS.meta, KEYS.waits, KEYS.followers, ANN,
    0, 1, b"", 1, 0, 0, 0, b"a",
)  # fmt: skip


class Side(Protocol):
    """Two nodes, of which one holds the lane and the other one gets it."""

    def ask(self, place: int, words: Sequence[Argument], *, asking: bool) -> object:
        """What the holder (0) or the other one (1) says. Raises the errors of redis."""

    def split(self) -> None:
        """Begin to move the lane: its sequence is there already, not so what else it has."""

    def all_there(self) -> None:
        """Move the rest of its keys."""

    def end(self) -> None:
        """Tell everybody where the lane is now."""

    def flush(self) -> None:
        """Let the node that got it forget all scripts."""


class Real:
    """Two nodes of a cluster."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes[::-1]  # the last lane lies on the second one

    def ask(self, place: int, words: Sequence[Argument], *, asking: bool) -> object:
        """See Side."""
        if asking:
            tell(self._nodes[place], b"ASKING")
        return tell(self._nodes[place], *words)

    def split(self) -> None:
        """See Side."""
        self._move = begin_move(self._nodes[::-1], LANES - 1)
        self._bring(KEYS.meta)

    def all_there(self) -> None:
        """See Side."""
        self._bring(ANN)

    def end(self) -> None:
        """See Side."""
        end_move(*self._move)

    def flush(self) -> None:
        """See Side."""
        tell(self._nodes[1], "SCRIPT", "FLUSH")

    def _bring(self, key: bytes) -> None:
        tell(self._nodes[0], "MIGRATE", LOOPBACK, port_of(self._nodes[1]), key, 0, 5000)

    def place_of(self, port: int) -> int:
        """The node with this port."""
        return [port_of(node) for node in self._nodes].index(port)


class Modelled:
    """The same of the simulator."""

    def __init__(self) -> None:
        self._ms = 0
        self._cluster = Cluster(StoredImages(), lambda: self._ms)
        self._slot = understood(READ).slot

    def ask(self, place: int, words: Sequence[Argument], *, asking: bool) -> object:
        """See Side."""
        return self._cluster.answer(place, understood(tuple(words)), asking=asking)

    def split(self) -> None:
        """See Side."""
        self._cluster.begin_to_move(self._slot, split=True)

    def all_there(self) -> None:
        """See Side."""
        self._cluster.begin_to_move(self._slot, split=False)

    def end(self) -> None:
        """See Side."""
        self._ms += MOVING_MS

    def flush(self) -> None:
        """See Side."""
        self._cluster.forget(understood(LOAD))

    def place_of(self, port: int) -> int:
        """See Real."""
        return port


def said(side: Real | Modelled, place: int, words: Sequence[Argument], *, asking: bool = False) -> object:
    """The answer, or the kind of the refusal and the node that it names."""
    try:
        return side.ask(place, words, asking=asking)
    except theirs.AskError as told:  # MOVED is one, too
        return type(told).__name__, side.place_of(told.port)
    except (theirs.TryAgainError, theirs.NoScriptError) as told:
        return type(told).__name__


def all_said(side: Real | Modelled) -> list[Any]:
    """What both nodes say to each command, one after the other, while a lane moves."""
    told: list[Any] = []

    def everything() -> None:
        for place in (0, 1):
            told.extend(
                (place, asking, said(side, place, words, asking=asking))
                for words in (READ, LOAD, ALONE)
                for asking in (False, True)
            )

    told.append(said(side, 1, CHECKPOINT))
    told.append(said(side, 0, CHECKPOINT))
    told += [said(side, place, WHOLE) for place in (0, 1)]
    everything()
    side.split()
    told.append(said(side, 1, WHOLE, asking=True))
    side.all_there()
    told.append(said(side, 1, WHOLE, asking=True))
    everything()
    side.end()
    everything()
    side.flush()
    told += [said(side, 1, words) for words in (LOAD, READ, WHOLE, LOAD)]
    told.append(said(side, 0, LOAD))
    return told


def test_both_nodes_say_the_same_while_a_lane_moves(nodes: list[Node]) -> None:
    """Who answers, who names the other one and how, with ASKING and without, before and after it."""
    assert all_said(Modelled()) == all_said(Real(nodes))


def test_a_lane_that_is_split_says_the_same(nodes: list[Node]) -> None:
    """Its sequence is there already: asked for alone it is to be had there, with anything else nowhere."""
    told = []
    for side in (Modelled(), Real(nodes)):
        said(side, 0, CHECKPOINT)
        said(side, 0, WHOLE)
        side.split()
        told.append([
            said(side, place, words, asking=asking)
            for place in (0, 1)
            for words in (READ, WHOLE)
            for asking in (False, True)
        ])  # fmt: skip
    assert told[0] == told[1]
