"""Faults: what can happen to a lane, each at any step where it makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto
from functools import cache
from typing import Final, NamedTuple


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
    PAUSE = auto()  # the group goes on without this member; woken up, it hears of it, stops and joins again
    JOIN = auto()  # the lane is given to a new member of the group, once this one has let go of it
    LEAVE = auto()  # this member finishes its batch and leaves the group
    GROUP_MOVES = auto()  # the same as JOIN, and the group's coordinator moves before all have joined
    COORDINATOR_MOVES = auto()  # another node is asked for transactions from now on, once it has loaded them
    COORDINATOR_FALLS = auto()  # the same, once it has put down the request, whose answer says so
    COORDINATOR_AWAY = auto()  # for longer than anybody waits, there is none
    DROP_DONE = auto()  # the brokers drop, by retention, what the store does not need any more
    DROP_UNREAD = auto()  # they drop an input that the store does not know yet
    DROP_JOURNAL = auto()  # they drop the whole journal


class AtOnce(NamedTuple):
    """Two at one and the same step: the second one hits what the first one leaves to be done."""

    first: Fault
    second: Fault

    @property
    def name(self) -> str:
        """Both."""
        return f"{self.first.name} and {self.second.name}"


Faults = Mapping[int, Fault | AtOnce]

AWAY: Final = {Fault.AWAY_3: 3, Fault.AWAY_9: 9}
ECHOES: Final = {Fault.ECHO_4: 4, Fault.ECHO_6: 6}
DELAYS: Final = {Fault.DELAY_2: 2, Fault.DELAY_9: 9, Fault.DELAY_ALL: 10**9}
REPEATS: Final = {Fault.TWICE: 0, Fault.TWICE_9: 9, Fault.TWICE_30: 30}
LOST_WRITES: Final = {Fault.FAIL_OVER_1: 1, Fault.FAIL_OVER_3: 3}
GROUP: Final = (Fault.PAUSE, Fault.JOIN, Fault.LEAVE, Fault.GROUP_MOVES)
SWITCHES: Final = (Fault.SWITCH, *AWAY, *ECHOES, Fault.TAKEOVER)
HANDOVERS: Final = (*SWITCHES, *GROUP)
REDIRECTIONS: Final = (Fault.MOVED, Fault.MOVED_TWICE, Fault.ASK, Fault.TRY_AGAIN)
BACK_IN_TIME: Final = (*LOST_WRITES, Fault.RESTORE_FIRST, Fault.RESTORE_HALF)
COORDINATION: Final = (Fault.COORDINATOR_MOVES, Fault.COORDINATOR_FALLS, Fault.COORDINATOR_AWAY)
DROPS: Final = (Fault.DROP_DONE, Fault.DROP_UNREAD, Fault.DROP_JOURNAL)
# What no lane comes back from: it has to refuse.
FATAL: Final[tuple[Fault, ...]] = (Fault.DROP_UNREAD, Fault.DROP_JOURNAL)
# Nothing is left to be done at a step whose operation has no answer.
UNANSWERED: Final = (Fault.LOSE_REQUEST, Fault.LOSE_REPLY, *DELAYS)
_OF_CHANGES: Final = (Fault.LOSE_REPLY, *DELAYS)


@cache
def of_operation(
    mode: str, *, answers: bool, changes: bool, stored: bool, scripted: bool, coordinated: bool
) -> tuple[Fault, ...]:
    """What can happen to one operation, wherever the world stands. `stored`: it is one of the store."""
    found: list[Fault] = []
    if answers:
        found.append(Fault.LOSE_REQUEST)
    if changes:
        found += _OF_CHANGES
        if mode == "idempotent":
            found += REPEATS  # a transactional producer numbers its requests
    if stored:
        found += REDIRECTIONS
    if scripted:
        found.append(Fault.NO_SCRIPT)
    if coordinated:
        found += COORDINATION
    return tuple(found)
