"""Two lanes in memory: each is the real one, and what they have for each other crosses when it is told to."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from retarget.decode import decode_canonical
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys import wire
from retarget.lane.batch import Batch
from retarget.lane.intake import Arrival, Intake
from retarget.lane.lane import Lane
from retarget.rules.model import Rule
from retarget.times import MINUTE
from streams.lanes.outputs import outputs
from streams.lanes.rollout import NOTHING
from tests.core.shop import ALL, FAR, a_policy, engine_of, shipped
from tests.factories import Event

CROSSING: Final = "crossing"


def by_first_letter(person: str) -> int:
    """Anonymous people, whose names begin with `a`, have lane 0; everybody else has lane 1."""
    return 0 if person.startswith("a") else 1


class Lanes:
    """Two lanes, what they have decided and sent, and what is on its way between them."""

    def __init__(
        self, rules: Iterable[Rule] | None = None, policy: Policy | None = None, *, lateness: int = 0
    ) -> None:
        self.policy = policy or a_policy()
        self.lanes: list[Lane] = []
        self._intakes: list[Intake] = []
        rules = shipped() if rules is None else tuple(rules)
        for number in range(2):
            engine = engine_of(rules, NOTHING, self.policy)
            lane = Lane(
                engine, self.policy, lateness, now_is_clock=True, partition=number, home=by_first_letter
            )
            lane.waits.horizon = FAR
            self.lanes.append(lane)
            self._intakes.append(Intake(number, {"t": decode_canonical}, 5 * MINUTE, None, CROSSING))
        self.on_the_way: deque[tuple[int, bytes]] = deque()
        self.left = -1  # where the clock of lane 0 was when the first of its people had gone elsewhere
        self.told: list[tuple[int, bytes]] = []  # all that has ever been on the way
        self.decisions: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}  # under which each message left, by its id
        self.dead: list[dict[str, Any]] = []
        self.counts: Counter[tuple[str, ...]] = Counter()
        self._offset = 0

    def read(self, *events: Event, lane: int | None = None, beats: bool = True) -> Lanes:
        """Read events, each in the lane of its key, or in the one given; nothing crosses yet.

        `beats`: the other lane hears of the time by a heartbeat.
        """
        for event in events:
            person = event.get("user_id") or event.get("anonymous_id") or ""
            number = by_first_letter(person) if lane is None else lane
            self._read(number, event)
            if beats:
                self._read(1 - number, {"type": "heartbeat", "time": event["time"]})
        return self

    def _read(self, number: int, event: Event) -> None:
        self._work(number, [self._arrival(number, "t", json.dumps(event).encode())])

    def cross(self, most: int = ALL) -> Lanes:
        """Let what is on its way arrive, and what comes of it."""
        while self.on_the_way and most:
            number, value = self.on_the_way.popleft()
            self._work(number, [self._arrival(number, CROSSING, value)])
            most -= 1
        return self

    def until(self, time: int) -> Lanes:
        """Let the clocks of all lanes come to `time`, and everything cross."""
        for number in range(len(self.lanes)):
            self._work(number, [], advance_to=time)
        self.cross()
        for number in range(len(self.lanes)):
            self._work(number, [], advance_to=time)
        return self

    def stored(self) -> Lanes:
        """Take every journey through its stored form."""
        for lane in self.lanes:
            kept = [*lane.journeys.values(), *lane.redirects.values()]
            lane.journeys.clear()
            lane.redirects.clear()
            for journey in kept:
                lane.admit(wire.decode(wire.encode(journey)))
        return self

    def sent(self, rule: str | None = None, operation: str = "send") -> list[dict[str, Any]]:
        """The messages of that operation."""
        return [m for m in self.messages if m["operation"] == operation and rule in (None, m["rule"])]

    def _arrival(self, number: int, topic: str, value: bytes) -> Arrival:
        self._offset += 1
        return self._intakes[number].arrival(topic, self._offset, -1, value)

    def _work(self, number: int, arrivals: Sequence[Arrival], *, advance_to: int = -1) -> Batch:
        lane = self.lanes[number]
        batch = lane.work(arrivals, Moment(self.policy), advance_to=advance_to, limit=ALL)
        assert batch.consumed == len(arrivals)
        self.counts.update(batch.counts)
        if self.left < 0 and self.lanes[0].redirects:
            self.left = self.lanes[0].clock
        where = {"decision": self.decisions, "message": self.messages, "dead": self.dead}
        for result, output in zip(batch.results, outputs(batch.results), strict=True):
            if result.kind == "message":
                self.keys[json.loads(result.value)["message_id"]] = output.key.decode()
            if result.kind == "merge":
                self.on_the_way.append((by_first_letter(result.person), result.value))
                self.told.append(self.on_the_way[-1])
            else:
                where[result.kind].append(json.loads(result.value))
        return batch
