"""What a lane knows: clock, hold, waits, journeys, and what it must be given before it works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from retarget.catalogue import Listing
from retarget.engine.ceilings import Granted, Grants, Risen, Short
from retarget.engine.door import Engine
from retarget.engine.guard import Heard
from retarget.engine.pacing import Paced
from retarget.engine.policy import Policy
from retarget.engine.pools import Drawn
from retarget.journeys.model import Journey
from retarget.lane.batch import NEVER
from retarget.lane.crossing import Strayed
from retarget.lane.fitting import fit
from retarget.lane.handing import led_by
from retarget.lane.hold import Hold
from retarget.lane.intake import Arrival
from retarget.lane.joining import Home, beside, concerned, erased
from retarget.lane.spreading import Pages, Spread
from retarget.lane.waits import Waits


class LaneState:
    """All of a lane but its work."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        lateness: int,
        *,
        now_is_clock: bool,
        partition: int = 0,
        home: Home | None = None,
    ) -> None:
        """`home`: in which lane a person is; None: there is only this one."""
        self.home = home
        self.engine, self._policy, self._lateness = engine, policy, lateness
        self._now_is_clock = now_is_clock
        self.partition = partition
        self.clock = NEVER
        self.hold = Hold(engine.ending_types)
        self.waits = Waits()
        self.journeys: dict[str, Journey] = {}
        # Of anonymous people who are known by now: where what they do belongs.
        self.redirects: dict[str, Journey] = {}
        # How many crossings have left, and the last that was taken of each lane; stored with the positions.
        self.sent = 0
        self.crossed: dict[int, int] = {}
        # What each channel's rate has given away; stored with the positions.
        self.paced: Paced = {}
        # What it has given of each pool of codes; stored likewise.
        self.drawn: Drawn = {}
        # How near each rule is to its ceiling; stored likewise.
        self.risen: Risen = {}
        # What it may send of each, and what it lacks to go on; stored likewise.
        self.granted: Grants = {}
        self.short: Short = {}
        # News of the catalogue under way, the next record of each of its partitions, whether there was any.
        self.spreads: list[Spread] = []
        self.fanned: dict[int, int] = {}
        self.has_listings = False
        # Loaded before `work`: listings by product (None: unlisted), and who follows which.
        self.listings: dict[str, Listing | None] = {}
        self.pages: Pages = {}
        # The latest events by which the guard knows that all is heard; stored likewise.
        self.heard: Heard = {}

    def admit(self, journey: Journey) -> None:
        """Take in a journey as it was stored, under whatever rules."""
        if journey.moved:
            self.redirects[journey.person] = journey
            return
        if journey.episodes or journey.deferred:
            fit(journey, self.engine.of(journey.person).matcher)
        self.journeys[journey.person] = journey

    def take(self, grants: Mapping[str, Granted]) -> None:
        """Take in what the lane has asked for, before the batch that is to have it."""
        self.granted.update(grants)
        for rule in grants:
            self.short.pop(rule, None)

    @property
    def goes_on(self) -> bool:
        """Whether the last batch has left something to be done before anything new is read."""
        return bool(self.spreads or self.short)

    def target(self, arrivals: Iterable[Arrival], advance_to: int = NEVER) -> int:
        """How far these arrivals, or a tick, move the clock."""
        tells = max([arrival.tells for arrival in arrivals], default=NEVER)
        return max(self.clock, tells - self._lateness if tells >= 0 else NEVER, advance_to)

    def has_news(self, arrivals: Sequence[Arrival]) -> bool:
        """Whether the catalogue has anything to do with this lane; most know of none."""
        return self.has_listings or any(one.event is not None and not one.person for one in arrivals)

    def records(self, arrivals: Sequence[Arrival], target: int) -> Iterator[str]:
        """The products of the catalogue's records to be worked off up to `target`, in order."""
        held = [held.event for held in self.hold.until(target) if not held.event.person]
        arrived = [one.event for one in arrivals if one.event is not None and not one.person]
        for event in (*held, *arrived):
            yield from (item.product_id for item in event.items if item.product_id)

    def regarded(self, arrivals: Sequence[Arrival], target: int) -> Iterator[str]:
        """The products that people look at up to `target`, where the catalogue may know them."""
        if self.engine.follows:
            events = [held.event for held in self.hold.until(target)]
            events += [arrival.event for arrival in arrivals if arrival.event is not None]
            events += [one.crossing.event for one in arrivals if isinstance(one.crossing, Strayed)]
            for event in events:
                yield from (item.product_id for item in event.items if item.product_id)

    @property
    def follows(self) -> bool:
        """Whether anybody is to hear of the catalogue's news."""
        return self.engine.follows

    def needs(self, arrivals: Sequence[Arrival], target: int) -> set[str]:
        """The persons whose journeys must be loaded before `work`."""
        known, redirects = self.journeys, self.redirects
        found = {held.event.person for held in self.hold.until(target)}
        found |= {arrival.person for arrival in arrivals}
        found.update(self.waits.until(target))
        if self.home is None:
            found |= beside(self.hold, arrivals, target)
        found.discard("")
        return {person for person in found if person not in known and person not in redirects}

    def led_to(self, arrivals: Sequence[Arrival], target: int) -> set[str]:
        """Who must be loaded where this lane is alone: whom redirects lead to, and what led to the erased."""
        if self.home is not None:
            return set()
        found = led_by(self.redirects, concerned(self.hold, arrivals, target)) if self.redirects else set()
        gone = erased(self.hold, arrivals, target)
        for person in gone | led_by(self.redirects, gone):
            if person in self.journeys:
                found |= self.journeys[person].joined.keys()
        return found - self.journeys.keys() - self.redirects.keys()
