"""Lanes abreast: the lanes of one world take turns, each with its own two workers and its own faults.

They share broker and store: what one has told the other lies in a partition that an open transaction of
either holds up, and a store that goes back takes both back. A worker that is killed loses all its lanes.
"""

from __future__ import annotations

from itertools import cycle
from typing import Final

from tests.protocol.faults import AtOnce, Fault, Faults
from tests.protocol.scheduler import Scheduler, Stuck
from tests.protocol.world import Setup, World

_LONGEST: Final = 6_000


class Abreast:
    """Runs all lanes of a world until everything is done. Faults are at steps of all of them together."""

    def __init__(self, setup: Setup, faults: Faults, *, traced: bool = False, surveyed: bool = True) -> None:
        """See Scheduler."""
        self.worlds = World.of_all_lanes(setup)
        self._placed, self._traced = faults, traced
        self._lanes = [
            Scheduler(setup, {}, traced=traced, surveyed=surveyed, world=world) for world in self.worlds
        ]
        self.choices: list[tuple[Fault, ...]] = []
        self.trace: list[str] = []

    def run(self) -> None:
        """All faults, then the settling. Raises Stuck."""
        turns = cycle(
            [number for number, times in enumerate(self.worlds[0].setup.pace) for _ in range(times)]
        )
        while not self._rest():
            number = next(turns)
            if not self._lanes[number].rests():
                self._turn(number)
            if len(self.choices) > _LONGEST:
                raise Stuck
        self._settle()

    def _rest(self) -> bool:
        resting = [lane.rests() for lane in self._lanes]  # asked of each: it may bring its owner back
        return all(resting)

    def _turn(self, number: int) -> None:
        lane = self._lanes[number]
        fault = self._placed.get(len(self.choices))
        lane.strike(fault)
        lane.turn()
        self.choices.append(lane.choices[-1])
        if fault is Fault.CRASH or (isinstance(fault, AtOnce) and Fault.CRASH in fault):
            for other in self._lanes:
                if other is not lane and other.at_work == lane.at_work:
                    other.crash()
        self._hear()

    def _settle(self) -> None:
        for lane in self._lanes:
            lane.let_end()
        self._run_out("C")
        for lane in self._lanes:
            if lane.refuses():
                lane.bring_back()
        self._run_out("D")
        for lane in self._lanes:
            lane.world.stands = lane.refuses()

    def _run_out(self, name: str) -> None:
        """Another worker takes all lanes over; what one has to tell another may be work for it."""
        for lane in self._lanes:
            lane.begin(name)
        going_on = True
        while going_on:
            going_on = True in [lane.go_on() for lane in self._lanes]
        self._hear()

    def _hear(self) -> None:
        if self._traced:
            for number, lane in enumerate(self._lanes):
                self.trace += [f"lane {number}, {line}" for line in lane.trace]
                lane.trace.clear()
