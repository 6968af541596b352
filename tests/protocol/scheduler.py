"""The scheduler: two workers, one step at a time, faults at chosen steps, new workers to settle the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import IntEnum, auto
from typing import Final, NamedTuple

from tests.protocol.steps import REFUSALS, Operation
from tests.protocol.store import Image
from tests.protocol.world import Setup, Worker, World


class Fault(IntEnum):
    """What can happen at a step, before or instead of its operation."""

    SWITCH = auto()  # the lane moves to the other worker, this one only thinks it is still the owner
    AWAY_3 = auto()  # the same, and it comes back after so many steps
    AWAY_9 = auto()
    ECHO_4 = auto()  # the same, and it does one more step after so many steps
    ECHO_6 = auto()
    ASIDE = auto()  # the other worker does one step first
    CRASH = auto()  # the worker starts again
    TAKEOVER = auto()  # the worker ends, the other one goes on
    LOSE_REQUEST = auto()
    LOSE_REPLY = auto()
    DELAY_2 = auto()  # no answer, and the request arrives after so many steps
    DELAY_9 = auto()
    DELAY_ALL = auto()  # no answer, and the request arrives when all is done
    TWICE = auto()  # a client's own retry: the request arrives twice
    TWICE_9 = auto()  # the second time after so many steps
    TWICE_30 = auto()
    FAIL_OVER_1 = auto()  # the store loses its last writes
    FAIL_OVER_3 = auto()
    RESTORE_FIRST = auto()  # the store comes back as it once was
    RESTORE_HALF = auto()
    TIME_OUT = auto()  # the coordinator ends the open transaction
    MOVED = auto()  # another node of the store has the lane
    MOVED_TWICE = auto()  # and as soon as that was told, yet another one
    ASK = auto()  # the lane is on its way to another node
    TRY_AGAIN = auto()  # and not all of it is there
    NO_SCRIPT = auto()  # the store has forgotten the script


Faults = Mapping[int, Fault]

_AWAY: Final = {Fault.AWAY_3: 3, Fault.AWAY_9: 9}
_ECHOES: Final = {Fault.ECHO_4: 4, Fault.ECHO_6: 6}
_DELAYS: Final = {Fault.DELAY_2: 2, Fault.DELAY_9: 9, Fault.DELAY_ALL: 10**9}
_REPEATS: Final = {Fault.TWICE: 0, Fault.TWICE_9: 9, Fault.TWICE_30: 30}
_LOST_WRITES: Final = {Fault.FAIL_OVER_1: 1, Fault.FAIL_OVER_3: 3}
HANDOVERS: Final = (Fault.SWITCH, *_AWAY, *_ECHOES, Fault.TAKEOVER)
_MOVES: Final = (*HANDOVERS, Fault.CRASH)
_REDIRECTIONS: Final = (Fault.MOVED, Fault.MOVED_TWICE, Fault.ASK, Fault.TRY_AGAIN)
_OF_CHANGES: Final = (Fault.LOSE_REPLY, *_DELAYS)
# At these steps other rules are published; a run without faults is not yet at its end at the last one.
_PUBLICATIONS: Final = (14, 23, 40)
_LONGEST: Final = 3_000  # steps; a run without faults takes less than a hundred


class Late(NamedTuple):
    """A request still on its way."""

    due: int
    effect: Callable[[], object]


class Stuck(Exception):
    """No end is in sight."""


class Scheduler:
    """Runs one world from its first claim until everything is done."""

    def __init__(self, setup: Setup, faults: Faults, *, traced: bool = False) -> None:
        """`faults`: what happens at which step. A fault that cannot happen at its step does not."""
        self.world = World(setup)
        self.choices: list[tuple[Fault, ...]] = []  # by step: what could have happened
        self.trace: list[str] = []
        self._traced = traced
        self._faults = faults
        self._late: list[Late] = []
        self._workers = {"A": Worker(self.world, "A")}
        self._current = "A"
        self._back_at: int | None = None
        self._echo_at: int | None = None
        self._step = 0

    def run(self) -> None:
        """All faults, then the settling. Raises Stuck."""
        while not self._rests():
            self._turn()
        self._settle()

    def _rests(self) -> bool:
        """Whether the owner has nothing to do. One that is away comes back before."""
        worker = self._workers[self._current]
        if (worker.idle or worker.pending is None) and self._back_at is not None:
            self._come_back()
            worker = self._workers[self._current]
        return worker.idle or worker.pending is None

    def _turn(self) -> None:
        self._deliver(self._step)
        if self.world.setup.publishes and self._step in _PUBLICATIONS:
            self._tell("-- rules are published")
            self.world.bundles.publish()
        if self._step == self._back_at:
            self._come_back()
        if self._step == self._echo_at and self._other_is_alive():
            self._do(self._workers[self._other()])
        worker = self._workers[self._current]
        assert worker.pending is not None
        possible = self._possible(worker.pending)
        self.choices.append(possible)
        fault = self._faults.get(self._step)
        if fault is not None and fault in possible:
            self._happen(fault, worker)
        else:
            self._do(worker)
        self._step += 1
        if self._step > _LONGEST:
            raise Stuck

    # -- faults --

    def _possible(self, operation: Operation) -> tuple[Fault, ...]:
        found = list(_MOVES)
        if self._other_is_alive():
            found.append(Fault.ASIDE)
        if operation.answers:
            found.append(Fault.LOSE_REQUEST)
        if operation.changes:
            found += _OF_CHANGES
            if self.world.setup.mode == "idempotent":
                found += _REPEATS  # a transactional producer numbers its requests
        if self.world.images.now.sequence:
            found += (Fault.FAIL_OVER_1, Fault.FAIL_OVER_3, Fault.RESTORE_FIRST, Fault.RESTORE_HALF)
        if self.world.broker.in_transaction:
            found.append(Fault.TIME_OUT)
        if operation.command is not None:
            found += _REDIRECTIONS
            if operation.command.script is not None:
                found.append(Fault.NO_SCRIPT)
        return tuple(found)

    def _happen(self, fault: Fault, worker: Worker) -> None:
        self._tell(f"-- {fault.name}")
        if fault in _MOVES:
            self._move(fault, worker)
        elif fault in _DELAYS or fault in (Fault.LOSE_REPLY, Fault.LOSE_REQUEST):
            self._leave_unanswered(fault, worker)
            return
        elif fault in _REPEATS:
            self._repeat(fault, worker)
        elif fault is Fault.ASIDE:
            self._do(self._workers[self._other()])
        elif fault is Fault.TIME_OUT:
            self.world.broker.time_out()
        elif fault in _REDIRECTIONS or fault is Fault.NO_SCRIPT:
            self._redirect(fault, worker)
        else:
            self._go_back_in_time(fault)
        self._do(self._workers[self._current])

    def _move(self, fault: Fault, worker: Worker) -> None:
        if fault is Fault.CRASH:
            worker.crash()
            self._workers[worker.name] = Worker(self.world, worker.name)
            return
        if fault is Fault.TAKEOVER:
            worker.crash()
        self._back_at = self._step + _AWAY[fault] if fault in _AWAY else None
        self._echo_at = self._step + _ECHOES[fault] if fault in _ECHOES else None
        self._come_to(self._other())

    def _leave_unanswered(self, fault: Fault, worker: Worker) -> None:
        operation = worker.pending
        assert operation is not None
        self._tell(f"{worker.name} {operation.name} ({fault.name})")
        if fault is Fault.LOSE_REPLY:
            _arrive(operation)
        elif fault in _DELAYS:
            self._late.append(Late(self._step + _DELAYS[fault], operation.effect))
        worker.fail()

    def _repeat(self, fault: Fault, worker: Worker) -> None:
        operation = worker.pending
        assert operation is not None
        if _REPEATS[fault]:
            self._late.append(Late(self._step + _REPEATS[fault], operation.effect))
        else:
            _arrive(operation)

    def _redirect(self, fault: Fault, worker: Worker) -> None:
        assert worker.pending is not None
        command, cluster = worker.pending.command, self.world.cluster
        assert command is not None
        if fault is Fault.NO_SCRIPT:
            cluster.forget(command)
        elif fault in (Fault.MOVED, Fault.MOVED_TWICE):
            cluster.move(command.slot, twice=fault is Fault.MOVED_TWICE)
        else:
            cluster.begin_to_move(command.slot, split=fault is Fault.TRY_AGAIN)

    def _go_back_in_time(self, fault: Fault) -> None:
        images = self.world.images
        if fault in _LOST_WRITES:
            images.fail_over(_LOST_WRITES[fault])
        else:
            images.restore(Image() if fault is Fault.RESTORE_FIRST else images.ever[len(images.ever) // 2])

    # -- workers --

    def _do(self, worker: Worker) -> None:
        if worker.pending is not None:
            self._tell(f"{worker.name} {worker.pending.name}")
            worker.do()

    def _other(self) -> str:
        return "B" if self._current == "A" else "A"

    def _other_is_alive(self) -> bool:
        other = self._workers.get(self._other())
        return other is not None and other.pending is not None

    def _come_to(self, name: str) -> None:
        self._current = name
        worker = self._workers.get(name)
        if worker is None or worker.pending is None:
            self._workers[name] = Worker(self.world, name)

    def _come_back(self) -> None:
        self._back_at = None
        self._come_to(self._other())
        self._tell(f"-- back to {self._current}")

    def _deliver(self, now: int) -> None:
        due = [late for late in self._late if late.due <= now]
        self._late = [late for late in self._late if late.due > now]
        for late in due:
            self._tell("-- a late request arrives")
            _arrive(late)

    def _settle(self) -> None:
        """Late requests arrive, whoever lost the lane runs on until it notices, then others take it over."""
        self._tell("== settle")
        self._deliver(10**9 + self._step)
        for name in sorted(self._workers, key=lambda name: name == self._current):
            self._run_on(self._workers[name], until_claim=True)
        for name in "CD":
            self._run_on(Worker(self.world, name), until_claim=False)

    def _run_on(self, worker: Worker, *, until_claim: bool) -> None:
        for _ in range(_LONGEST):
            if worker.idle or worker.pending is None or (until_claim and worker.pending.name == "claim"):
                return
            self._do(worker)
        raise Stuck

    def _tell(self, line: str) -> None:
        if self._traced:
            self.trace.append(f"{self._step} {line}")


def _arrive(late: Late | Operation) -> None:
    """Have the effect, with nobody there to hear the answer."""
    with suppress(*REFUSALS):
        late.effect()
