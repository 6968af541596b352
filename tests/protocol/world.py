"""The world of a lane: a broker, a store, the input, and workers that run the real LaneRunner in it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, Final, Literal, NamedTuple

from retarget.errors import LaneRefused
from streams.lanes.bundle import Bundle
from streams.lanes.observer import Observer
from streams.lanes.runner import LaneRunner
from streams.ports import Record
from streams.topics import MERGE
from tests.protocol import workload
from tests.protocol.broker import Broker
from tests.protocol.cluster import Cluster, ModelStore
from tests.protocol.day import Day
from tests.protocol.logs import IdempotentModel, TransactionalModel, crossings
from tests.protocol.passing import Passing
from tests.protocol.retention import is_for_want
from tests.protocol.steps import REFUSALS, Operation, step
from tests.protocol.store import StoredImages
from tests.protocol.workload import Shape

Mode = Literal["transactional", "idempotent"]
MODES: Final[tuple[Mode, ...]] = ("transactional", "idempotent")
_LOGS: Final[Mapping[Mode, type[TransactionalModel | IdempotentModel]]] = {
    "transactional": TransactionalModel,
    "idempotent": IdempotentModel,
}
_STEP_MS: Final = 1


class Setup(NamedTuple):
    """One kind of world."""

    mode: Mode
    shape: Shape
    publishes: bool = False  # rules are published in mid-stream, and taken back
    pace: tuple[int, ...] = (1, 1)  # of lanes that take turns, how many steps each has at a time


class ModelBundles:
    """What is published, for all workers at once. One that is not at hand is fetched, which may fail."""

    def __init__(self, shape: Shape) -> None:
        self._published, self._other = workload.bundle(shape), workload.other_bundle(shape)

    def publish(self) -> None:
        """Publish the other one."""
        self._published, self._other = self._other, self._published

    def newest(self) -> Bundle:
        """See Bundles."""
        return self._published

    async def named(self, bundle: str) -> Bundle:
        """See Bundles."""
        (found,) = [one for one in (self._published, self._other) if one.id == bundle]
        return await step("bundle", lambda: found)

    def refused(self) -> str:
        """See Bundles."""
        return ""

    async def watch(self) -> None:
        """See Bundles."""


class ModelWall:
    """The clock of the day, and no waiting: only operations take turns."""

    def __init__(self, passing: Passing, day: Day) -> None:
        self._passing, self._day = passing, day

    def now(self) -> int:
        """See Wall."""
        return self._day.now()

    async def sleep(self, seconds: float) -> None:
        """See Wall."""
        self._passing.add(int(seconds * 1000))


class ModelFeed:
    """The input in its one order of arrival, from the frontier on; read again, it is cut another way.

    Nothing is given out before its time has come. Where that comes bit by bit, some fetches take so long that
    nothing is there although there is a backlog.
    """

    def __init__(self, inputs: Sequence[Record], cuts: Iterator[int], broker: Broker, day: Day) -> None:
        """`cuts`: how many records fewer than asked for the next chunk has; shared by all workers.

        `broker` has what lanes have told each other, which comes before anything else.
        """
        self._inputs, self._cuts, self._broker, self._day = inputs, cuts, broker, day
        self._left: list[Record] = []
        self._crossed = 0
        self._seen: int | None = None  # when there was nothing further

    async def start(self, frontier: dict[str, int]) -> None:
        """See Feed."""
        self._left = [record for record in self._inputs if record.offset >= frontier[record.topic]]
        self._crossed = frontier.get(MERGE, 0)
        self._seen = None

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:
        """See Feed."""
        del wait_ms, idle_ms
        return await step("take", lambda: self._take(records), answers=False)

    def _take(self, records: int) -> list[Record]:
        crossed = crossings(self._broker, self._crossed)[:records]
        if crossed:
            self._crossed = crossed[-1].offset + 1
            return crossed
        if self._day.is_slow():
            return []  # and what was known of the end of the input is as old as it was
        there = self._day.arrived(self._left)
        taken = there[: records - next(self._cuts)] if there else []
        for record in taken:  # a fetch of what is gone is an error, which ends the process
            self._broker.require(record.topic, record.offset, record.offset + 1)
        self._left = self._left[len(taken) :]
        self._seen = self._day.now() if len(taken) == len(there) else None
        return taken

    def caught_up_at(self) -> int | None:
        """See Feed."""
        return None if crossings(self._broker, self._crossed) else self._seen

    @property
    def is_behind(self) -> bool:
        """Whether something is there that was not given out."""
        return bool(self._day.arrived(self._left))

    @property
    def is_over(self) -> bool:
        """Whether nothing will ever come, and the lane knows it."""
        return not self._left and self._day.is_over and self.caught_up_at() == self._day.end


class Alarms(Observer):
    """Keeps what must never be told in these worlds."""

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems

    def mismatch(self, sequence: int) -> None:
        """See Observer."""
        self._problems.append(f"replay of batch {sequence} came to other outputs")


class World:
    """Everything of a lane that outlives a worker."""

    def __init__(self, setup: Setup, beside: World | None = None) -> None:
        """`beside`: another lane of the same world: broker, store, what is published, and time are one."""
        self.setup = setup
        self.lane: int = 0 if beside is None else beside.lane + 1
        self.passing: Passing = Passing() if beside is None else beside.passing
        lanes = setup.shape.lanes
        shared = None if beside is None else beside.broker
        self.broker: Broker = Broker(self.passing, lane=self.lane, lanes=lanes, beside=shared)
        self.bundles: ModelBundles = ModelBundles(setup.shape) if beside is None else beside.bundles
        self.images: StoredImages = StoredImages(None if beside is None else beside.images)
        self.inputs = workload.records(setup.shape, self.lane)
        self.day: Day = Day(self.passing, setup.shape) if beside is None else beside.day
        self.problems: list[str] = []
        self.stands = False  # at the end the lane refuses, and what it needs is gone
        self.tokens: list[str] = []
        self.cuts = cycle((0, 1))  # a chunk taken once more always differs
        self.cluster = Cluster(self.images, self.passing.now)  # until all lanes are there

    @staticmethod
    def of_all_lanes(setup: Setup) -> list[World]:
        """One world, as each of its lanes has it."""
        found: list[World] = []
        for _ in range(setup.shape.lanes):
            found.append(World(setup, found[-1] if found else None))
        first, *further = (one.images for one in found)
        store = Cluster(first, found[0].passing.now, further=further)
        for one in found:
            one.cluster = store
        return found


class Worker:
    """One owner of the lane: its coroutine, driven by hand from operation to operation."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self._found_nothing = False
        self.refused = False  # it has ended because something that it asked for was dropped
        self._world = world
        self.stopping = False
        self.feed = ModelFeed(world.inputs, world.cuts, world.broker, world.day)
        self._runner = _runner(world, self.feed)
        self._running: Coroutine[Any, Any, None] = self._runner.run()
        self.pending: Operation | None = None
        self._go_on(None)

    def do(self) -> None:
        """Carry the pending operation out and go on with its answer."""
        assert self.pending is not None
        operation = self.pending
        self._world.passing.add(_STEP_MS)
        try:
            answer = operation.effect()
        except REFUSALS as problem:
            self._go_on(problem)
            return
        nothing = operation.name == "take" and not answer
        self._go_on(answer)
        self._found_nothing = nothing and self.pending is not None and self.pending.name == "take"

    @property
    def idle(self) -> bool:
        """Whether it has found nothing to do, and nothing has come since."""
        return self._found_nothing and self.feed.is_over

    @property
    def rests(self) -> bool:
        """Whether it has nothing to do, or is at its end."""
        return (self.idle and not self.stopping) or self.pending is None

    def fail(self) -> None:
        """Go on as if no answer had come."""
        assert self.pending is not None
        self._go_on(self.pending.lost("no answer"))

    def stop(self) -> None:
        """Finish the batch at hand and end, as a worker does whose lane is taken away."""
        self.stopping = True
        self._runner.stop()

    def crash(self) -> None:
        """End without a trace."""
        self._running.close()
        self.pending = None

    def _go_on(self, answer: object) -> None:
        self._found_nothing = False
        try:
            if isinstance(answer, Exception):
                self.pending = self._running.throw(answer)
            else:
                self.pending = self._running.send(answer)
        except StopIteration:
            self.pending = None
        except LaneRefused as refused:
            self.refused = is_for_want(refused)
            if not self.refused:
                self._world.problems.append(f"refused: {refused}")
            self.pending = None


def _runner(world: World, feed: ModelFeed) -> LaneRunner:
    mode, shape = world.setup.mode, world.setup.shape
    return LaneRunner(
        world.lane,
        shape.topics,
        world.bundles,
        store=ModelStore(world.cluster, shape.lanes),
        log=_LOGS[mode](world.broker, world.inputs, world.tokens),
        feed=feed,
        wall=ModelWall(world.passing, world.day),
        limits=shape.limits,
        ticks=shape.ticks,
        observer=Alarms(world.problems),
    )
