"""One call of `Lane.work`: the measured hot loop of the engine, so a few lines are longer than elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retarget.engine.moment import Moment, Result, RulesFailed
from retarget.engine.tidying import remnant
from retarget.journeys.model import Journey
from retarget.lane.batch import NEVER, Batch
from retarget.lane.hold import CATALOGUE, PEOPLE, WORDS, Held
from retarget.lane.intake import Arrival, failed, failed_wait
from retarget.lane.joining import Joining
from retarget.lane.state import LaneState
from retarget.lane.telling import Telling
from retarget.touchpoints import Touchpoint

# So much is held at most for records of the catalogue that tell of times to come; more count at once.
LISTINGS_HELD: Final = 10_000


class Run:
    """What a lane does with some arrivals, up to a limit."""

    __deletable__ = ("_telling", "_joining")  # mypyc wants to know

    def __init__(self, lane: LaneState, moment: Moment, limit: int) -> None:
        self._lane, self._moment, self._limit = lane, moment, limit
        self._engine, self._hold, self._waits = lane.engine, lane.hold, lane.waits
        self._now_is_clock, self._lateness = lane._now_is_clock, lane._lateness  # noqa: SLF001
        self._batch = Batch()
        self._woken: set[str] = set()
        self._telling = Telling(lane, moment, batch=self._batch, set_aside=self._set_aside, arm=self._arm)
        self._joining = Joining(
            lane, moment, batch=self._batch, apply=self._apply, set_aside=self._set_aside, arm=self._arm,
            awake=self._woken.add, limit=limit,
        )  # fmt: skip
        self._late = 0
        self._repeats = 0
        moment.clock = lane.clock
        moment.held_of = lane.hold.endings_of
        moment.paced, moment.risen, moment.listings = lane.paced, lane.risen, lane.listings
        moment.partition, moment.drawn = lane.partition, lane.drawn
        moment.heard, moment.granted, moment.short = lane.heard, lane.granted, lane.short
        if self._now_is_clock:
            moment.now = lane.clock

    def read(self, arrivals: Sequence[Arrival]) -> int:  # noqa: C901, PLR0912 - measured hot loop
        """Take arrivals in, one by one; how many. Where the limit is reached first, the rest stays unread."""
        lane, moment, hold, waits = self._lane, self._moment, self._hold, self._waits
        batch, heap, apply = self._batch, waits.heap, self._apply
        lateness, now_is_clock, limit = self._lateness, self._now_is_clock, self._limit
        clock, redirects, short = lane.clock, lane.redirects, lane.short
        for index, arrival in enumerate(arrivals):
            target = arrival.tells - lateness
            if target < clock:  # noqa: PLR1730 - a call of max costs more
                target = clock
            if (heap and heap[0][0] <= target) or hold.first <= target or target > waits.horizon:
                if not self.work_off(target):
                    return index
                clock = lane.clock
            elif target > clock:
                clock = lane.clock = moment.clock = target
                if now_is_clock:
                    moment.now = target
            event = arrival.event
            if redirects and event is not None and arrival.person in redirects:
                event = self._joining.led(arrival)
                if event is None:
                    continue
            if event is None or not arrival.person:
                if not self._take(arrival):
                    return index
                if lane.spreads or short:
                    return index + 1
            elif event.time > clock:
                hold.add(Held(event.time, PEOPLE, arrival.topic, arrival.offset, event))
            elif batch.worked >= limit:
                return index
            else:
                if event.time < clock:
                    self._late += 1
                apply(event, arrival.topic, arrival.offset)
                if short:
                    return index + 1
        return len(arrivals)

    def _take(self, arrival: Arrival) -> bool:
        """Take in what is about nobody; False for a record of the catalogue whose people are not loaded.

        Nor is what another lane has to tell taken in beyond the limit, where there is work in it.
        """
        lane, event, source = self._lane, arrival.event, arrival.source
        if arrival.crossing is not None:
            return self._joining.take(arrival)
        if source is not None and source[1] < lane.fanned.get(source[0], 0):
            self._repeats += 1
            return True
        if event is not None:
            lane.has_listings = True
            ahead = event.time > lane.clock != NEVER and not arrival.at_once
            if ahead and self._hold.listings < LISTINGS_HELD:
                self._hold.add(Held(event.time, CATALOGUE, arrival.topic, arrival.offset, event))
            elif self._telling.is_ready(event):
                self._telling.relist(event)
            else:
                return False
        if source is not None:
            lane.fanned[source[0]] = source[1] + 1
        self._tell_others(arrival)
        return True

    def tell_on(self) -> bool:
        """Tell the news under way to as many as are loaded; whether all have heard of all."""
        return self._telling.spread()

    def _tell_others(self, arrival: Arrival) -> None:
        for product, record in arrival.forwards:
            self._batch.results.append(Result("catalogue", "", product, record))
        if arrival.dead is not None:
            letter = Result("dead", "", f"{arrival.topic}-{arrival.offset}", arrival.dead)
            self._batch.results.append(letter)
            self._moment.counts["dead", arrival.reason] += 1

    def work_off(self, target: int) -> bool:
        """Move the clock to `target` through waits and held events; False when something stops it."""
        lane, hold, waits = self._lane, self._hold, self._waits
        bound = min(target, waits.horizon)
        while not (lane.spreads or lane.short):
            due, event_time = self._next_due(bound), hold.first
            if due is not None and due <= event_time:
                if self._batch.worked >= self._limit:
                    return False
                self._move_to(due)
                self._wake(*waits.pop())
            elif event_time <= bound:
                if self._batch.worked >= self._limit:
                    return False
                held = hold.pop()
                if held.rank == CATALOGUE and not self._telling.is_ready(held.event):
                    hold.add(held)
                    return False
                self._move_to(event_time)
                act = self._apply if held.rank != WORDS else self._joining.hear
                act(held.event, held.topic, held.offset)
            else:
                if bound == target > lane.clock:
                    self._move_to(target)
                return bound == target
        return False

    def _next_due(self, bound: int) -> int | None:
        """The due of the first wait up to `bound`; stale ones go.

        They count for nothing: which there are depends on when waits were loaded, in a replay at other times.
        """
        waits = self._waits
        while (due := waits.next_due()) is not None and due <= bound:
            if self._alarm(waits.heap[0][1]) == due:
                return due
            waits.pop()
        return None

    def _move_to(self, time: int) -> None:
        lane = self._lane
        if time > lane.clock:
            lane.clock = self._moment.clock = time
            if self._now_is_clock:
                self._moment.now = time

    def _journey(self, person: str) -> Journey:
        journey = self._lane.journeys.get(person)
        if journey is None:
            journey = self._lane.journeys[person] = Journey(person=person)
        return journey

    def _apply(self, event: Touchpoint, topic: str, offset: int) -> None:
        person = event.user_id or event.anonymous_id or ""
        if not person:
            self._telling.relist(event)
            return
        moment = self._moment
        journey = self._lane.journeys.get(person)
        if journey is None:
            journey = self._joining.newcomer(person, event, (topic, self._lane.partition, offset))
            if journey is None:
                return
        self._batch.worked += 1
        try:
            if self._engine.apply(journey, event, moment):
                self._batch.changed[person] = journey
            else:
                self._repeats += 1
        except Exception as error:  # noqa: BLE001 - one event that a rule fails on must not stop the lane
            self._batch.changed[person] = journey
            self._set_aside(person, failed(event, (topic, self._lane.partition, offset), error))
        if moment.armed:
            self._arm()
        if moment.met:
            self._joining.tell()
        if moment.forgotten:  # by an erasure: nobody waits for them any more
            self._woken.update(moment.forgotten)
            self._forget()

    def _wake(self, due: int, person: str) -> None:
        if person in self._lane.redirects:
            self._woken.add(person)
            self._joining.lapse(person)
            return
        journey, moment = self._journey(person), self._moment
        self._batch.worked += 1
        self._woken.add(person)
        self._batch.changed[person] = journey
        try:
            if self._engine.wake(journey, due, moment):
                self._batch.lateness.append(max(moment.now - due, 0))
        except RulesFailed as error:
            self._set_aside(person, failed_wait(due, self._lane.partition, error))
        except Exception as error:  # noqa: BLE001 - nor one wait
            self._engine.abandon(journey, due, moment)
            self._set_aside(person, failed_wait(due, self._lane.partition, error))
        if moment.forgotten:
            self._forget()
        if moment.armed:
            self._arm()

    def _set_aside(self, person: str, letter: bytes) -> None:
        self._batch.results.append(Result("dead", "", person, letter))
        self._moment.counts["dead", "rule_failed"] += 1
        self._moment.failures = {}

    def _arm(self) -> None:
        for due, person in self._moment.armed:
            self._waits.arm(due, person)
            self._woken.add(person)
        self._moment.armed.clear()

    def _alarm(self, person: str) -> int | None:
        journey = self._lane.journeys.get(person) or self._lane.redirects.get(person)
        return journey.alarm or None if journey is not None else None

    def _forget(self) -> None:
        """Let journeys go whose time is over; who comes back begins anew."""
        journeys, batch = self._lane.journeys, self._batch
        for person in self._moment.forgotten:
            rest = remnant(journeys.pop(person), self._engine.of(person).matcher)
            del batch.changed[person]
            batch.forgotten.append(person)
            if rest is not None:
                journeys[person] = batch.changed[person] = rest
        self._moment.forgotten.clear()

    def finish(self, consumed: Sequence[Arrival]) -> Batch:
        """The batch as it stands, with what was read; it goes no further."""
        batch, moment = self._batch, self._moment
        batch.consumed = len(consumed)
        batch.frontier = {arrival.topic: arrival.offset + 1 for arrival in consumed}
        batch.results.extend(moment.results)
        moment.results = []
        batch.forgotten = [person for person in batch.forgotten if person not in batch.changed]
        batch.clock = self._lane.clock
        batch.waits = {person: self._alarm(person) for person in sorted(self._woken)}
        moment.counts["applied",] += batch.worked
        batch.following = moment.following
        moment.counts["late",] += self._late
        moment.counts["repeat",] += self._repeats
        for rule, misfits in self._engine.misfits().items():
            moment.counts["misfit", rule] += misfits
        batch.counts = moment.counts
        # They refer to this run: with them it would live on, and all its results, until the collector comes.
        self._joining.end()
        del self._telling, self._joining
        return batch
