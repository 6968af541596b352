"""The store as a cluster: nodes that hold a lane or name another, below the real store, routes and links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis import exceptions as theirs

from streams.ports import Checkpoint
from streams.stores import RedisStore
from streams.stores.keys import lane_keys
from streams.stores.link import Argument, Link
from streams.stores.packing import Packing
from streams.stores.routes import Routes
from tests.protocol.commands import Command, asks_for_lane, carried_out, slot_of, understood
from tests.protocol.faults import Fault
from tests.protocol.steps import step
from tests.protocol.store import StoredImages

NODES: Final = 3
_APP: Final = "retarget"
MOVING_MS: Final = 4_000  # some tries of a lane that insists; far too many of one that does not wait


class Slot:
    """Where the keys with the same braces lie. Nodes have numbers."""

    def __init__(self) -> None:
        self.holder = 0
        self.until: int | None = None  # it is on its way to the next node until then
        self.split = False  # some of its keys are there already, the others not yet; else all are
        self.goes_on = False  # it moves once more as soon as somebody was told where it is

    @property
    def next(self) -> int:
        """Where it moves."""
        return (self.holder + 1) % NODES


class Cluster:
    """Nodes over the same images: a command has its effect at one of them, or a redirection for an answer."""

    def __init__(
        self,
        images: StoredImages,
        now: Callable[[], int] = lambda: 0,
        *,
        further: Sequence[StoredImages] = (),
    ) -> None:
        """`now`: ms that have passed; `further`: of the other lanes, after the first."""
        self.lanes = (images, *further)
        self._by_slot = {
            slot_of(lane_keys(_APP, len(self.lanes), lane).meta): one for lane, one in enumerate(self.lanes)
        }
        self._now = now
        self._slots: defaultdict[bytes, Slot] = defaultdict(Slot)
        self._forgotten: set[tuple[int, bytes]] = set()  # (node, digest of a script)

    def disturb(self, fault: Fault, command: Command) -> None:
        """Let what a command needs be moved, or on its way, or forgotten."""
        if fault is Fault.NO_SCRIPT:
            self.forget(command)
        elif fault in (Fault.MOVED, Fault.MOVED_TWICE):
            self.move(command.slot, twice=fault is Fault.MOVED_TWICE)
        else:
            self.begin_to_move(command.slot, split=fault is Fault.TRY_AGAIN)

    def move(self, slot: bytes, *, twice: bool = False) -> None:
        """Give a slot to the next node; `twice`: and to the one after it, once a client was told."""
        moved = self._slots[slot]
        moved.holder, moved.until, moved.goes_on = moved.next, None, twice

    def begin_to_move(self, slot: bytes, *, split: bool) -> None:
        """Bring a slot to the next node, key by key, which takes a while."""
        moving = self._slots[slot]
        moving.until, moving.split = self._now() + MOVING_MS, split

    def forget(self, command: Command) -> None:
        """Lose a script, as a server does that was started anew or took over."""
        assert command.script is not None
        self._forgotten |= {(node, command.script.digest) for node in range(NODES)}

    def answer(self, node: int, command: Command, *, asking: bool) -> Any:  # noqa: ANN401 - as the command says
        """What a node does. Raises the errors of redis."""
        self._require_here(node, command, asking=asking)
        if command.script is not None:
            known = node, command.script.digest
            if command.whole:
                self._forgotten.discard(known)
            elif known in self._forgotten:
                raise theirs.NoScriptError("No matching script. Please use EVAL.")
        return carried_out(command, self._images_of(command))

    def _images_of(self, command: Command) -> StoredImages:
        if len(self.lanes) == 1:
            return self.lanes[0]
        lane = asks_for_lane(command)
        return self.lanes[lane] if lane is not None else self._by_slot.get(command.slot, self.lanes[0])

    def _require_here(self, node: int, command: Command, *, asking: bool) -> None:
        slot = self._slots[command.slot]
        if slot.until is not None and self._now() >= slot.until:
            self.move(command.slot)
        moving = slot.until is not None
        if node != slot.holder and not (moving and asking and node == slot.next):
            told = slot.holder
            if slot.goes_on:
                self.move(command.slot)
            raise theirs.MovedError(f"1 {_address(told)}")
        if moving and slot.split and len(command.keys) > 1:
            raise theirs.TryAgainError("Multiple keys request during rehashing of slot")
        if moving and node == slot.holder:
            raise theirs.AskError(f"1 {_address(slot.next)}")


class ModelLink(Link):
    """The real link, but for the wire: each command is a step, which some node answers."""

    def __init__(self, cluster: Cluster, node: int = 0) -> None:
        self._cluster, self._node = cluster, node
        self._asking = False
        self.address = _address(node)

    async def _ask(self, command: tuple[Argument, ...]) -> Any:  # noqa: ANN401
        if command == (b"ASKING",):
            self._asking = True
            return b"OK"
        asked, asking, self._asking = understood(command), self._asking, False
        return await step(
            f"{asked.name} of node {self._node}" if self._node else asked.name,
            lambda: self._cluster.answer(self._node, asked, asking=asking),
            changes=asked.changes,
            lost=theirs.TimeoutError,
            command=asked,
        )

    def beside(self, host: str, port: int) -> Link:
        """See Link."""
        del host
        return ModelLink(self._cluster, port)

    async def close(self) -> None:
        """See Link."""


class ModelStore(RedisStore):
    """The real store above the modelled cluster; what it says of a checkpoint must be so."""

    def __init__(self, cluster: Cluster, lanes: int = 1) -> None:
        super().__init__(Routes(ModelLink(cluster)), _APP, lanes, Packing())
        self._lanes_stored = cluster.lanes

    async def checkpoint(self, lane: int, checkpoint: Checkpoint) -> int:
        """See JourneyStore."""
        sequence = await super().checkpoint(lane, checkpoint)
        images = self._lanes_stored[lane if len(self._lanes_stored) > 1 else 0]
        if sequence not in images.sequences:
            images.invented = sequence
        return sequence


def _address(node: int) -> str:
    return f"node:{node}"
