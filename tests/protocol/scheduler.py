"""The scheduler: two workers of a lane, one step at a time, faults at chosen steps, others to settle it.

Several lanes of one world have one each, and `abreast` lets them take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from tests.protocol import retention
from tests.protocol.faults import (
    AWAY,
    BACK_IN_TIME,
    COORDINATION,
    DELAYS,
    DROPS,
    ECHOES,
    GROUP,
    LOST_WRITES,
    REPEATS,
    SWITCHES,
    UNANSWERED,
    AtOnce,
    Fault,
    Faults,
    of_operation,
)
from tests.protocol.membership import Membership
from tests.protocol.retention import Needs
from tests.protocol.steps import REFUSALS, Operation
from tests.protocol.world import Setup, Worker, World

# At these steps other rules are published; a run without faults is not yet at its end at the last one.
_PUBLICATIONS: Final = (14, 23, 40)
_SLEEP: Final = 6  # steps of others
_LONGEST: Final = 3_000  # steps; a run without faults takes less than a hundred


class Late(NamedTuple):
    """A request still on its way."""

    due: int
    effect: Callable[[], object]


class Stuck(Exception):
    """No end is in sight."""


class Scheduler:
    """Runs one lane from its first claim until everything is done."""

    def __init__(
        self,
        setup: Setup,
        faults: Faults,
        *,
        traced: bool = False,
        surveyed: bool = True,
        world: World | None = None,
    ) -> None:
        """`faults`: what happens at which step. A fault that cannot happen at its step does not.

        `surveyed`: whether all choices are noted, not only those at the steps of faults. `world`: that the
        lane shares with others; None: it has its own.
        """
        self.world = World(setup) if world is None else world
        self.choices: list[tuple[Fault, ...]] = []  # by step: what could have happened
        self.trace: list[str] = []
        self._traced, self._surveyed = traced, surveyed
        self._faults = faults
        self._late: list[Late] = []
        self._workers = {"A": Worker(self.world, "A")}
        self._current = "A"
        self._members = Membership(self.world.passing, self._workers, self._current)
        self._asleep: str | None = None  # paused, and no member any more
        self._wakes_at = 0
        self._back_at: int | None = None
        self._echo_at: int | None = None
        self._step = 0
        self._next: Fault | AtOnce | None = None
        self._gone: list[str] = []  # of what whoever began last needs
        self._ends = {record.topic: record.offset + 1 for record in self.world.inputs}

    @property
    def worlds(self) -> list[World]:
        """By lane: what it leaves."""
        return [self.world]

    @property
    def at_work(self) -> str:
        """The worker that has the lane."""
        return self._current

    def run(self) -> None:
        """All faults, then the settling. Raises Stuck."""
        while not self.rests():
            self.turn()
        self.let_end()
        if not self.runs_out("C"):
            self.bring_back()
        self.world.stands = not self.runs_out("D")

    def rests(self) -> bool:
        """Whether the owner has nothing to do. One that is away, or asleep, comes back before."""
        self._follow()
        if self._workers[self._current].rests and self._back_at is not None:
            self._come_back()
        if self._workers[self._current].rests and self._asleep is not None:
            self._wake_up(steps=_LONGEST)
            self._follow()
        return self._workers[self._current].rests

    def strike(self, fault: Fault | AtOnce | None) -> None:
        """Let this happen at the next turn."""
        self._next = fault

    def turn(self) -> None:
        """One step of the owner, or what happens instead. Raises Stuck."""
        self._deliver(self._step)
        if self.world.setup.publishes and self._step in _PUBLICATIONS:
            self._tell("-- rules are published")
            self.world.bundles.publish()
        if self._step == self._back_at:
            self._come_back()
        if self._step == self._echo_at and self._other_is_alive():
            self._do(self._workers[self._other()])
        if self._asleep is not None and self._step >= self._wakes_at:
            self._wake_up(steps=1)
        worker = self._workers[self._current]
        assert worker.pending is not None
        placed = self._next if self._next is not None else self._faults.get(self._step)
        self._next = None
        fault, further = placed if isinstance(placed, AtOnce) else (placed, None)
        noted = self._surveyed or fault is not None
        possible = self._possible(worker.pending) if noted else ()
        self.choices.append(possible)
        if fault is not None and fault in possible:
            self._happen(fault, worker, further)
        else:
            self._do(worker)
        self._step += 1
        if self._step > _LONGEST:
            raise Stuck

    # -- faults --

    def _possible(self, operation: Operation) -> tuple[Fault, ...]:
        found = [*SWITCHES, Fault.CRASH, *self._of(operation)]
        if self._asleep is None:
            found.append(Fault.PAUSE)
        if self._other_is_alive():
            found.append(Fault.ASIDE)
        elif self._members.at_rest:
            found += (Fault.JOIN, Fault.LEAVE, Fault.GROUP_MOVES)
        if self.world.images.now.sequence:
            found += BACK_IN_TIME
        found += retention.possible(self.world.images.now, self.world.broker, self._ends)
        if self.world.broker.in_transaction:
            found.append(Fault.TIME_OUT)
        return tuple(found)

    def _of(self, operation: Operation) -> tuple[Fault, ...]:
        command = operation.command
        scripted = command is not None and command.script is not None
        return of_operation(
            self.world.setup.mode,
            answers=operation.answers,
            changes=operation.changes,
            stored=command is not None,
            scripted=scripted,
            coordinated=operation.coordinated,
        )

    def _happen(self, fault: Fault, worker: Worker, further: Fault | None = None) -> None:
        self._tell(f"-- {fault.name}")
        if fault in GROUP:
            self._regroup(fault)
        elif fault in SWITCHES or fault is Fault.CRASH:
            self._move(fault, worker)
        elif fault in UNANSWERED:
            self._leave_unanswered(fault, worker)
            return
        elif fault in REPEATS:
            self._repeat(fault, worker)
        elif fault is Fault.ASIDE:
            self._do(self._workers[self._other()])
        elif fault is Fault.TIME_OUT:
            self.world.broker.time_out()
        elif fault in COORDINATION:
            self.world.broker.coordinator.disturb(fault)
        elif fault in DROPS:
            retention.drop(fault, self.world.images.now, self.world.broker, self._ends)
        elif fault in BACK_IN_TIME:
            self._go_back_in_time(fault)
        else:
            assert worker.pending is not None
            assert worker.pending.command is not None
            self.world.cluster.disturb(fault, worker.pending.command)
        self._do_at_last(self._workers[self._current], further)

    def _do_at_last(self, worker: Worker, fault: Fault | None) -> None:
        """What there is to do at this step by now, or what happens to that, too."""
        if fault is not None and worker.pending is not None and fault in self._possible(worker.pending):
            self._happen(fault, worker)
        else:
            self._do(worker)

    def _move(self, fault: Fault, worker: Worker) -> None:
        if fault is Fault.CRASH:
            self.crash()
            return
        if fault is Fault.TAKEOVER:
            worker.crash()
        self._back_at = self._step + AWAY[fault] if fault in AWAY else None
        self._echo_at = self._step + ECHOES[fault] if fault in ECHOES else None
        self._come_to(self._other())

    def crash(self) -> None:
        """End the owner without a trace, and start it again."""
        self._workers[self._current].crash()
        self._workers[self._current] = Worker(self.world, self._current)

    def _regroup(self, fault: Fault) -> None:
        if fault in (Fault.JOIN, Fault.GROUP_MOVES):
            self._members.join(self._other())
            if fault is Fault.GROUP_MOVES:
                self._members.move()
        elif fault is Fault.LEAVE:
            self._members.leave(self._current, self._other())
        else:
            asleep = self._current
            self._come_to(self._other())
            self._asleep, self._wakes_at = asleep, self._step + _SLEEP

    def _leave_unanswered(self, fault: Fault, worker: Worker) -> None:
        operation = worker.pending
        assert operation is not None
        self._tell(f"{worker.name} {operation.name} ({fault.name})")
        if fault is Fault.LOSE_REPLY:
            _arrive(operation)
        elif fault in DELAYS:
            self._late.append(Late(self._step + DELAYS[fault], operation.effect))
        worker.fail()

    def _repeat(self, fault: Fault, worker: Worker) -> None:
        operation = worker.pending
        assert operation is not None
        if REPEATS[fault]:
            self._late.append(Late(self._step + REPEATS[fault], operation.effect))
        else:
            _arrive(operation)

    def _go_back_in_time(self, fault: Fault) -> None:
        images = self.world.images
        if fault in LOST_WRITES:
            images.fail_over(LOST_WRITES[fault])
        else:
            images.go_back(whole=fault is Fault.RESTORE_FIRST)

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
        """The group goes on without the owner, who hears nothing of it; another one is a member by then."""
        self._members.replace(self._current, name)
        self._own(name)

    def _follow(self) -> None:
        """Let whoever the group has given the lane have it."""
        if self._members.at_rest:
            return
        self._members.keep()
        while self._workers[self._current].pending is None and self._members.moving:
            self._members.wait()
        owner = self._members.owner
        if owner is not None and owner != self._current:
            self._tell(f"-- the group gives the lane to {owner}")
            self._own(owner)

    def _own(self, name: str) -> None:
        self._current = name
        if self._asleep == name:
            self._asleep = None
        worker = self._workers.get(name)
        if worker is None or worker.pending is None or worker.stopping:
            self._workers[name] = Worker(self.world, name)

    def _wake_up(self, steps: int) -> None:
        """Go on where it was paused; then it hears that it is out, lets the lane go, and joins again."""
        assert self._asleep is not None
        worker = self._workers[self._asleep]
        for _ in range(steps):
            if worker.pending is None or (worker.idle and worker.stopping):
                break
            self._do(worker)
            worker.stop()
        if worker.pending is None:
            self._members.join(self._asleep)
            self._asleep = None

    def _come_back(self) -> None:
        self._back_at = None
        self._come_to(self._other())
        self._tell(f"-- back to {self._current}")

    def _deliver(self, now: int) -> None:
        if not self._late:
            return
        due = [late for late in self._late if late.due <= now]
        self._late = [late for late in self._late if late.due > now]
        for late in due:
            self._tell("-- a late request arrives")
            _arrive(late)

    # -- the end --

    def let_end(self) -> None:
        """Late requests arrive, and whoever lost the lane runs on until it notices. Raises Stuck."""
        self._tell("== settle")
        self._deliver(10**9 + self._step)
        for name in sorted(self._workers, key=lambda name: name == self._current):
            self._run_on(self._workers[name], until_claim=True)

    def bring_back(self) -> None:
        """Restore the newest image of the lane that the store ever had."""
        self._tell("-- the newest image of the store is brought back")
        self.world.images.restore(max(self.world.images.ever, key=lambda image: image.sequence))

    def runs_out(self, name: str) -> bool:
        """Run one more worker to the end of its work; whether it could. It refuses when it has to, only."""
        self.begin(name)
        self.go_on()
        return not self.refuses()

    def begin(self, name: str) -> None:
        """Let one more worker take the lane over."""
        self._current = name
        self._gone = Needs.of(self.world.images.now, self.world.broker).gone(self.world.broker)
        self._workers[name] = Worker(self.world, name)

    def go_on(self) -> bool:
        """Let it do what there is to do; whether there was anything. Raises Stuck."""
        return self._run_on(self._workers[self._current], until_claim=False)

    def refuses(self) -> bool:
        """Whether it has refused the lane."""
        refused = self._workers[self._current].refused
        if refused != bool(self._gone):
            how = "refuses" if refused else "does not refuse"
            self.world.problems.append(f"{self._current} {how}, and of what it needs is gone: {self._gone}")
        return refused

    def _run_on(self, worker: Worker, *, until_claim: bool) -> bool:
        for steps in range(_LONGEST):
            if worker.idle or worker.pending is None or (until_claim and worker.pending.name == "claim"):
                return steps > 0
            self._do(worker)
        raise Stuck

    def _tell(self, line: str) -> None:
        if self._traced:
            self.trace.append(f"{self._step} {line}")


def _arrive(late: Late | Operation) -> None:
    """Have the effect, with nobody there to hear the answer."""
    with suppress(*REFUSALS):
        late.effect()
