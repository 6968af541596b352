"""The clock of one lane: what is held, what is late, and in which order things happen."""

from .catalogue import RECORDS
from .journeys import Journeys
from .model import Event, person_of
from .waits import Wait, order

NEED_NO_PERSON = ("heartbeat", *RECORDS)


class Lane:
    """One lane in `replay`: record timestamps do not exist, only events move the clock."""

    def __init__(self, journeys: Journeys, *, lateness_ms: int) -> None:
        self.journeys = journeys
        self.lateness = lateness_ms
        self.clock: int | None = None
        self.largest: int | None = None
        self.held: list[Event] = []

    def read(self, event: Event) -> None:
        """Take the next record of the input."""
        if not person_of(event) and event["type"] not in NEED_NO_PERSON:
            return
        if event["type"] == "catalogue":
            self.learn(event)
            return
        time: int = event["time"]
        if self.largest is None or time > self.largest:
            self.largest = time
        known = list(self.held)
        if self.clock is not None and time <= self.clock:
            self.apply(event, self.clock, known)
            self.work_off(self.clock, known)
        else:
            self.held.append(event)
            self.work_off(time - self.lateness, known)

    def learn(self, record: Event) -> None:
        """Take a record of the catalogue, which moves no clock: it is held until its time, as an event is."""
        if self.clock is None or record["time"] <= self.clock:
            self.apply(record, record["time"] if self.clock is None else self.clock, list(self.held))
        else:
            self.held.append(record)

    def apply(self, event: Event, now: int, known: list[Event]) -> None:
        """Let an event, or a record of the catalogue, count; `known` are the events read but held."""
        if event["type"] in RECORDS:
            self.journeys.hear(event, now, known)
        else:
            self.journeys.apply(event, now, known)

    def end(self) -> None:
        """Take the end of the input: the clock goes to the largest time seen."""
        if self.largest is not None:
            self.work_off(self.largest, list(self.held))
            for record in sorted(self.held, key=lambda one: int(one["time"])):
                self.apply(record, max(self.largest, record["time"]), list(self.held))

    def work_off(self, target: int, known: list[Event]) -> None:
        """Move the clock to `target` through all waits and held events on the way."""
        while True:
            wait = self.next_wait(target)
            event = self.next_held(target)
            if wait is not None and (event is None or wait.due() <= event["time"]):
                self.journeys.decide(wait, self.still_held(known), self.move_to(wait.due()))
            elif event is not None:
                self.held = [other for other in self.held if other is not event]
                self.apply(event, self.move_to(event["time"]), self.still_held(known))
            else:
                self.move_to(target)
                return

    def still_held(self, known: list[Event]) -> list[Event]:
        """Those of `known` that the clock has not reached yet."""
        return [other for other in known if any(other is held for held in self.held)]

    def move_to(self, time: int) -> int:
        """Move the clock, which never goes back; gives the clock."""
        self.clock = time if self.clock is None else max(self.clock, time)
        return self.clock

    def next_wait(self, target: int) -> Wait | None:
        """The first wait that is due by `target`."""
        due = [wait for wait in self.journeys.waits if wait.due() <= target]
        return min(due, key=order, default=None)

    def next_held(self, target: int) -> Event | None:
        """The first held event of a time up to `target`; ties in input order, but the catalogue first."""
        reached = [event for event in self.held if event["time"] <= target]
        return min(reached, key=lambda event: (event["time"], rank(event)), default=None)


def rank(event: Event) -> int:
    """The place of events of one time: what the catalogue's own topic says, what touchpoints say of it."""
    if event["type"] == "catalogue":
        return 0
    return 1 if event["type"] in RECORDS else 2
