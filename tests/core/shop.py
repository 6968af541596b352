"""One lane in memory: events go in as bytes, decisions and messages come out; every part is the real one."""

from __future__ import annotations

import asyncio
import json
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from retarget.catalogue import Fanned, Listing, listing, pack
from retarget.decode import decode_canonical
from retarget.engine.door import Engine
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy, QuietHours
from retarget.engine.split import SplitEngine
from retarget.journeys import wire
from retarget.lane.batch import Batch
from retarget.lane.intake import TIMELESS, Arrival, FromCatalogue, Intake
from retarget.lane.lane import Lane
from retarget.lane.spreading import PORTION, Page, Spread
from retarget.rules.model import Rule
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import MINUTE, parse_time
from streams.lanes.granting import Granting
from streams.lanes.observer import Observer
from streams.lanes.patience import Insisting
from streams.lanes.rollout import NOTHING, Rollout
from streams.lanes.wall import RealWall
from streams.rulebook import load_rules
from streams.stores.memory import MemoryStore
from tests.factories import Event

RULES: Final = Path(__file__).resolve().parents[2] / "config" / "rules"
FAR: Final = 10**15
ALL: Final = 10**9
AWAKE: Final = QuietHours(enabled=False)


@cache
def shipped(names: frozenset[str] | None = None) -> tuple[Rule, ...]:
    """The rules that ship, or those of them that are named."""
    return tuple(r for r in load_rules([RULES], VOCABULARY) if names is None or r.name in names)


def a_rule(**keys: object) -> Rule:
    """A rule of these keys, as its author would write them."""
    rules, problems = read_rules([Document("a test", keys)], VOCABULARY)
    assert not problems, problems
    return rules[0]


@cache
def zone_of(name: str) -> tzinfo | None:
    """The zone of that name, None for an unknown one."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None


def a_policy(**changes: object) -> Policy:
    """The default policy for people who agreed and do not sleep, with changes."""
    return replace(Policy(zone_of=zone_of, consent_assumed=True, quiet_hours=AWAKE), **changes)


def engine_of(rules: Sequence[Rule], rollout: Rollout, policy: Policy) -> Engine:
    """These rules, ready to run, with what there is beside them."""
    engine, canary = Engine(rollout.matcher(rules)), rollout.of_canary(rules)
    return (
        engine if canary is None else SplitEngine(engine, Engine(canary[0]), canary[1], policy.hold_out_salt)
    )


class Shop:
    """A lane, what it has decided and sent, and the wall clock beside it (None: `now` is the clock)."""

    def __init__(
        self, rules: Iterable[Rule] | None = None, policy: Policy | None = None, *, lateness: int = 0,
        now: int | None = None, rollout: Rollout = NOTHING,
    ) -> None:  # fmt: skip
        self.policy = policy or a_policy()
        engine = engine_of(shipped() if rules is None else tuple(rules), rollout, self.policy)
        self.lane = Lane(engine, self.policy, lateness, now_is_clock=now is None)
        self.lane.waits.horizon = FAR
        self.now = now
        self.portion = PORTION
        self.number, self.pool = 0, MemoryStore()  # which lane this is, and where ceilings are shared
        self.pauses: Mapping[str, int] = {}
        self.decisions: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.dead: list[dict[str, Any]] = []
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.between: Callable[[], None] = lambda: None
        listed = FromCatalogue("c", "catalogue", lanes=1, max_bytes=10**6, loops=True)
        self._intake = Intake(0, {"t": decode_canonical}, 5 * MINUTE, listed)
        self.listings: dict[str, Listing] = {}
        self.followers: set[tuple[str, str]] = set()
        self.waits: dict[str, int | None] = {}  # as they would be stored
        self._read = 0
        self._latest = -1

    def read(self, *events: Event, cuts: Sequence[int] = (), limit: int = ALL) -> Shop:
        """Read events, a batch up to each place in `cuts`, at most `limit` of work in each."""
        arrivals = [self._arrival(event) for event in events]
        places = sorted({0, len(arrivals), *(cut for cut in cuts if cut <= len(arrivals))})
        for start, end in pairwise(places):
            waiting = arrivals[start:end]
            while waiting:
                batch = self._batch(waiting, limit=limit)
                waiting = waiting[batch.consumed :]
        while self.lane.short:
            self._batch([], limit=limit)
        return self

    def until(self, time: int, limit: int = ALL) -> Shop:
        """Let the clock come to `time`."""
        while True:
            batch = self._batch([], advance_to=time, limit=limit)
            if batch.worked < limit and not self.lane.goes_on:
                return self

    def end(self, limit: int = ALL) -> Shop:
        """Come to the end of the input, as `replay` does: the clock goes to the latest time seen."""
        if self._latest >= 0:
            self.until(self._latest, limit)
        return self._what_is_behind(limit)

    def _what_is_behind(self, limit: int) -> Shop:
        """Records of the catalogue of times to which no event has led."""
        while len(self.lane.hold):
            held = self.lane.hold.pop()
            self._read += 1
            place = (0, self._read)
            last = Arrival(held.topic, self._read, held.event, TIMELESS, source=place, at_once=True)
            while not self._batch([last], limit=limit).consumed:
                pass
            while self.lane.spreads:
                self._batch([], limit=limit)
        return self

    def _arrival(self, event: Event) -> Arrival:
        topic, value = "t", json.dumps(event).encode()
        if event.get("type") == "catalogue":
            topic, value = "c", pack(Fanned(0, event.get("place", self._read), None, value))
        arrival = self._intake.arrival(topic, self._read, -1, value)
        self._read += 1
        self._latest = max(self._latest, arrival.tells)
        return arrival

    def _batch(self, arrivals: Sequence[Arrival], *, advance_to: int = -1, limit: int) -> Batch:
        moment = Moment(self.policy)
        moment.pauses = self.pauses
        if self.now is not None:
            moment.now = self.now
        self._load(arrivals, advance_to)
        if self.lane.short:
            granting = Granting(self.number, self.pool, Insisting(RealWall(), Observer(), bool))
            self.lane.take(asyncio.run(granting.ask(self.lane, self.policy.lanes)))
        batch = self.lane.work(arrivals, moment, advance_to=advance_to, limit=limit)
        self._keep(batch)
        self.counts.update(batch.counts)
        where = {"decision": self.decisions, "message": self.messages, "dead": self.dead}
        for result in batch.results:
            where[result.kind].append(json.loads(result.value))
        self.between()
        return batch

    def with_margins(self, margins: Mapping[str, float]) -> Shop:
        """The same, where the catalogue has told these margins before anybody came."""
        self.listings = {product: Listing(margin=margin) for product, margin in margins.items()}
        self.lane.has_listings = True
        return self

    def _load(self, arrivals: Sequence[Arrival], advance_to: int) -> None:
        """What a lane loads of the catalogue before it works, a portion of those who follow each product."""
        lane = self.lane
        target = lane.target(arrivals, advance_to)
        records = [*lane.records(arrivals, target)]
        lane.listings = {p: self.listings.get(p) for p in (*records, *lane.regarded(arrivals, target))}
        places = [(spread.news.product, spread.after) for spread in lane.spreads]
        lane.pages = {place: self._page(*place) for place in (*places, *((p, "") for p in records))}

    def _page(self, product: str, after: str) -> Page:
        people = sorted(person for what, person in self.followers if what == product and person > after)
        return Page(people[: self.portion], whole=len(people) < self.portion)

    def _keep(self, batch: Batch) -> None:
        self.listings.update(batch.listed)
        self.waits.update(batch.waits)
        for product, persons in batch.following.items():
            for person, follows in persons.items():
                (self.followers.add if follows else self.followers.discard)((product, person))

    def under(self, rules: Iterable[Rule], lateness: int = 0, rollout: Rollout = NOTHING) -> Shop:
        """The same people under other rules, as a lane that takes them up has them from the store."""
        other = Shop(rules, self.policy, lateness=lateness, now=self.now, rollout=rollout)
        other.lane.clock, other._read, other._latest = self.lane.clock, self._read, self._latest
        other.listings, other.followers = self.listings, self.followers
        other.lane.has_listings, other.lane.heard = self.lane.has_listings, self.lane.heard
        for held in self.lane.hold:
            other.lane.hold.add(held)
        for journey in self.lane.journeys.values():
            other.lane.admit(wire.decode(wire.encode(journey)))
            if journey.alarm:
                other.lane.waits.arm(journey.alarm, journey.person)
        return other

    def through_the_store(self) -> None:
        """Take all that is kept through its stored form; set it as `between` to do so after every batch."""
        journeys = self.lane.journeys
        for person in journeys:
            journeys[person] = wire.decode(wire.encode(journeys[person]))
        self.listings = {
            product: listing.decode(listing.encode(kept)) for product, kept in self.listings.items()
        }
        told = msgspec.msgpack.encode(self.lane.spreads)
        self.lane.spreads = msgspec.msgpack.decode(told, type=list[Spread])

    def final(self, rule: str | None = None) -> list[dict[str, Any]]:
        """The decisions that are not deferrals."""
        return [d for d in self.decisions if d["outcome"] != "deferred" and rule in (None, d["rule"])]

    def sent(self, rule: str | None = None, operation: str = "send") -> list[dict[str, Any]]:
        """The messages of that operation."""
        return [m for m in self.messages if m["operation"] == operation and rule in (None, m["rule"])]

    def outcomes(self, rule: str | None = None) -> list[tuple[int, str]]:
        """The final decisions on messages as (step, reason or `sent`)."""
        return [(d["step"], d.get("reason") or "sent") for d in self.final(rule) if d["operation"] == "send"]

    def journeys(self) -> dict[str, bytes]:
        """Every journey as it would be stored."""
        return {person: wire.encode(journey) for person, journey in sorted(self.lane.journeys.items())}


Key = tuple[str, str, str, str, int, int, str, str, str, str]


def key(decision: Mapping[str, Any]) -> Key:
    """What two programs must agree on in a decision; the channel where something was sent."""
    subject, outcome = decision["subject"], decision["outcome"]
    return (
        decision["rule"], decision["person"], subject["kind"], subject["id"], decision["step"],
        parse_time(decision["due"]), outcome, decision.get("reason") or "",
        decision["channel"] if outcome == "sent" else "", decision["operation"],
    )  # fmt: skip
