"""Joining: a lane's part in telling who is whom, over all lanes.

The lane of a known person that hears of an anonymous id tells that id's lane (`Joins`). There, when the clock
has come to the word's time, what was known of the anonymous person leaves for the known one's lane
(`History`), and a redirect stays, by which later events of that id follow (`Strayed`), until the known one is
erased (`Parts`). Each is an output of its batch and an input of the other lane, like every other record; so a
crash between the two is none.

A lane that is alone (`home` is None: a replay) does all that on the spot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from retarget.engine.door import Engine
from retarget.engine.moment import Met, Moment, Parted, Result, RulesFailed
from retarget.engine.packing import packed
from retarget.journeys import tokens, wire
from retarget.journeys.model import Journey
from retarget.lane.batch import NEVER, Batch
from retarget.lane.crossing import (
    MOST_HOPS,
    PARTING,
    WORD,
    Crossing,
    History,
    Joins,
    Leaves,
    Parts,
    Strayed,
    pack,
)
from retarget.lane.fitting import fit
from retarget.lane.handing import NOTED_EVERY, Handing, mark_of, redirect_of
from retarget.lane.hold import CATALOGUE, PEOPLE, WORDS, Held, Hold
from retarget.lane.intake import Arrival, failed_wait, of_nobody
from retarget.touchpoints import Touchpoint

# So many held events of an anonymous person follow at once, or one word would fill a batch by itself.
LED_AT_ONCE: Final = 1_000
Place = tuple[str, int, int]  # topic, partition, offset
Home = Callable[[str], int]


class _Lane(Protocol):
    """What joining looks at of a lane."""

    engine: Engine
    partition: int
    clock: int
    hold: Hold
    journeys: dict[str, Journey]
    redirects: dict[str, Journey]
    home: Home | None
    sent: int
    crossed: dict[int, int]


class Joining:
    """Who is whom, in one batch."""

    __deletable__ = ("_hands",)  # mypyc wants to know

    def __init__(  # noqa: PLR0913 - what it does goes through the run
        self,
        lane: _Lane,
        moment: Moment,
        *,
        batch: Batch,
        apply: Callable[[Touchpoint, str, int], None],
        set_aside: Callable[[str, bytes], None],
        arm: Callable[[], None],
        awake: Callable[[str], None],
        limit: int,
    ) -> None:
        """`apply` works an event in; `set_aside` and `arm` as in `Telling`; `awake`: their wait is over.

        `limit`: so much is worked off in this batch.
        """
        self._lane, self._moment, self._batch = lane, moment, batch
        self._apply, self._set_aside, self._arm, self._awake = apply, set_aside, arm, awake
        self._limit = limit
        self._hands = Handing(lane, moment, batch=batch, numbered=self._next, send=self._send)

    def end(self) -> None:
        """Let go of what refers to this: the batch is done."""
        del self._hands

    # -- what events say --

    def tell(self) -> None:
        """Tell the lanes of anonymous people who they are, as far as the last event has said so."""
        met, self._moment.met = self._moment.met, []
        for one in met:
            if self._lane.home is None:
                self._hear(one)
            elif isinstance(one, Met):
                told = [*one.tokens]
                self._send(Joins(*self._next(), one.anonymous, one.person, one.at, one.event_id, told))
            else:
                self._send(Parts(*self._next(), one.anonymous, one.person, one.at))

    def newcomer(self, person: str, event: Touchpoint, place: Place) -> Journey | None:
        """The journey of somebody who has none; None where the event is not theirs, and was sent on."""
        lane = self._lane
        if person in lane.redirects:
            self._lead(event, lane.redirects[person], place)
        elif self._moment.policy.is_nobody(person):
            self._of_nobody(event, place)
        elif lane.home is not None and lane.home(person) != lane.partition:
            self._stray(person, event, "key")
        else:
            journey = lane.journeys[person] = Journey(person=person)
            return journey
        return None

    def led(self, arrival: Arrival) -> Touchpoint | None:
        """The event of an anonymous person who has been joined, as one of whom they are; None: sent on."""
        event = arrival.event
        assert event is not None
        redirect = self._lane.redirects[arrival.person]
        if self._lane.home is not None:
            self._lead(event, redirect, (arrival.topic, self._lane.partition, arrival.offset))
            return None
        if not self._hands.follow(redirect, event):
            return None
        arrival.person = event.person
        return event

    def _lead(self, event: Touchpoint, redirect: Journey, place: Place) -> None:
        if not self._hands.follow(redirect, event):
            return
        if self._lane.home is None:
            self._apply(event, place[0], place[2])
        else:
            self._stray(event.person, event, "redirect", led=redirect.person)

    def _of_nobody(self, event: Touchpoint, place: Place) -> None:
        """An id that stands for nobody is none."""
        if event.user_id is None or event.anonymous_id is None:
            self._batch.worked += 1
            self._batch.results.append(Result("dead", "", event.person, of_nobody(event, place)))
            self._moment.counts["dead", "no_person"] += 1
            return
        event.user_id = None
        if self._lane.home is None:
            self._apply(event, place[0], place[2])
        else:
            self._stray(event.anonymous_id, event, "nobody")

    def _stray(self, person: str, event: Touchpoint, why: str, hops: int = 0, led: str = "") -> None:
        self._batch.worked += 1
        self._moment.counts["sent_on", why] += 1
        self._send(Strayed(*self._next(), person, event, hops, led))

    def _next(self) -> tuple[int, int]:
        """From which lane, and the how manyth."""
        self._lane.sent += 1
        return self._lane.partition, self._lane.sent

    def _send(self, crossing: Crossing) -> None:
        self._batch.results.append(Result("merge", "", crossing.person, pack(crossing)))

    # -- what other lanes say --

    def take(self, arrival: Arrival) -> bool:
        """Take in what another lane has for a person of this one, once; False: not in this batch any more."""
        lane, crossing = self._lane, arrival.crossing
        assert crossing is not None
        if crossing.number <= lane.crossed.get(crossing.lane, 0):
            self._moment.counts["repeat",] += 1
            return True
        is_apart = bool(self._moment.policy.apart) and self._is_of_one_apart(crossing)
        held = held_of(arrival)
        is_ahead = held is not None and held.time > lane.clock != NEVER
        # A leaving works nothing off: a replay, which works off as much as the first run, could not tell.
        is_work = not (is_apart or is_ahead or isinstance(crossing, Leaves))
        if is_work and self._batch.worked >= self._limit:
            return False
        lane.crossed[crossing.lane] = crossing.number
        if is_apart:
            self._moment.counts["unjoined", "apart"] += 1
        elif held is not None and is_ahead:
            lane.hold.add(held)
        else:
            if held is not None and held.time < lane.clock:
                self._moment.counts["late",] += 1
            self._act_on(arrival, crossing)
        return True

    def _is_of_one_apart(self, crossing: Crossing) -> bool:
        """Whether it was written when somebody was believed to be another, which they are not any more."""
        if isinstance(crossing, History):
            name = wire.decode(crossing.journey).person
        else:
            led = crossing.led if isinstance(crossing, Strayed) else crossing.person
            name = crossing.anonymous if isinstance(crossing, Leaves) else led
        return name in self._moment.policy.apart

    def _act_on(self, arrival: Arrival, crossing: Crossing) -> None:
        if isinstance(crossing, Joins):
            self._join(Met(crossing.person, crossing.to, crossing.at, crossing.event_id, crossing.tokens))
        elif isinstance(crossing, Parts):
            self._part(Parted(crossing.person, crossing.to, crossing.at))
        elif isinstance(crossing, History):
            self._receive(crossing)
        elif isinstance(crossing, Leaves):
            self._hands.lose(crossing)
        else:
            self._come_home(crossing, arrival)

    def hear(self, word: Touchpoint, _topic: str, _offset: int) -> None:
        """Act on a word whose time has come."""
        said = word.anonymous_id or "", word.name or "", word.time
        told = tokens.told(word.traits)
        self._hear(Parted(*said) if word.type == PARTING else Met(*said, word.id or "", told))

    def _hear(self, word: Met | Parted) -> None:
        if isinstance(word, Met):
            self._join(word)
        else:
            self._part(word)

    def _come_home(self, strayed: Strayed, arrival: Arrival) -> None:
        event, person = strayed.event, strayed.person
        redirect = self._lane.redirects.get(person)
        if redirect is not None and strayed.hops < MOST_HOPS:
            if self._hands.follow(redirect, event):
                self._stray(event.person, event, "redirect", strayed.hops + 1, person)
        elif strayed.led and self._is_forgotten(person, event.time):
            self._batch.worked += 1
        else:
            self._apply(event, arrival.topic, arrival.offset)

    def _join(self, met: Met) -> None:
        """Let the history of an anonymous person go to the known one, and their events from now on."""
        lane, person = self._lane, met.anonymous
        self._batch.worked += 1
        redirect, journey = lane.redirects.get(person), lane.journeys.get(person)
        if redirect is not None:
            self._hands.hand_on(redirect, met)
            return
        if journey is not None and journey.user_id is not None:
            # Two known people are never one.
            self._moment.counts["unjoined", "known"] += 1
            return
        if lane.home is None and met.person not in lane.journeys:
            return  # whoever it was has left meanwhile
        self._redirect(met, journey)
        if journey is not None:
            lane.engine.depart(journey, max(met.at, lane.clock), self._moment)
            self._look_at_failures(person, met.at)
            journey.audiences, journey.key = [], b""
            del lane.journeys[person]
            self._leave(journey, met)
        self._lead_held(person)

    def _redirect(self, met: Met, journey: Journey | None) -> None:
        lane, moment = self._lane, self._moment
        redirect = redirect_of(met, journey)
        lane.redirects[met.anonymous] = self._batch.changed[met.anonymous] = redirect
        self._hands.learn(redirect, [*tokens.told(journey.traits if journey else None), *met.tokens])
        moment.arm(redirect, max(met.at, lane.clock) + moment.policy.kept)
        self._arm()

    def _leave(self, journey: Journey, met: Met) -> None:
        if self._lane.home is None:
            self._unite(met.person, journey, met.at)
        else:
            self._send(History(*self._next(), met.person, packed(journey, self._moment), at=met.at))

    def _lead_held(self, person: str) -> None:
        """Let what is read of an anonymous person, but not yet reached, follow at once.

        What is more than `LED_AT_ONCE` follows when its time comes.
        """
        lane = self._lane
        for held in lane.hold.take_of(person, LED_AT_ONCE if lane.home is not None else None):
            self._hands.follow(lane.redirects[person], held.event)
            if lane.home is None:
                lane.hold.add(held)
            else:
                self._stray(held.event.person, held.event, "redirect", led=person)

    def _receive(self, history: History) -> None:
        self._batch.worked += 1
        redirect = self._lane.redirects.get(history.person)
        if redirect is not None and history.hops < MOST_HOPS:
            lane, number = self._next()
            to = self._hands.owner(redirect, redirect.last)
            self._send(replace(history, lane=lane, number=number, person=to, hops=history.hops + 1))
            return
        self._unite(history.person, wire.decode(history.journey), history.at)

    def _unite(self, person: str, other: Journey, at: int) -> None:
        lane, moment = self._lane, self._moment
        journey = lane.journeys.get(person)
        if journey is None:
            journey = lane.journeys[person] = Journey(person=person)
        if other.episodes or other.deferred:
            fit(other, lane.engine.of(person).matcher)
        if self._is_forgotten(person, at):
            lane.engine.of(person).forget(other, lane.clock, "", moment)
            self._look_at_failures(person, lane.clock)
            return
        self._batch.changed[person] = journey
        lane.engine.join(journey, other, moment)
        self._look_at_failures(person, lane.clock)
        self._arm()

    def _is_forgotten(self, person: str, told: int) -> bool:
        """Whether something that comes from another id was on its way when the person was forgotten."""
        journey = self._lane.journeys.get(person)
        if journey is None or not journey.was_erased(told):
            return False
        self._moment.counts["unjoined", "erased"] += 1
        return True

    def _look_at_failures(self, person: str, at: int) -> None:
        if self._moment.failures:
            failures = RulesFailed(self._moment.failures)
            self._set_aside(person, failed_wait(max(at, 0), self._lane.partition, failures))

    # -- when a redirect is over --

    def _part(self, parted: Parted) -> None:
        """Let nothing lead from an anonymous id to this person any more: who has it now is somebody new."""
        self._batch.worked += 1
        redirect = self._lane.redirects.get(parted.anonymous)
        if redirect is None:
            return
        self._hands.part(redirect, parted)
        if not redirect.moved:
            self._drop(redirect)
            self._awake(parted.anonymous)

    def lapse(self, person: str) -> None:
        """Forget a redirect that nobody has used for long."""
        redirect = self._lane.redirects[person]
        self._batch.worked += 1
        redirect.alarm = 0
        end = redirect.last + NOTED_EVERY + self._moment.policy.kept
        if end > self._moment.clock:
            self._batch.changed[person] = redirect
            self._moment.arm(redirect, end)
            self._arm()
            return
        self._drop(redirect)

    def _drop(self, redirect: Journey) -> None:
        name = redirect.person
        del self._lane.redirects[name]
        self._batch.changed.pop(name, None)
        self._batch.forgotten.append(name)
        self._moment.counts["dropped", "redirect"] += 1
        if redirect.erased:
            self._lane.journeys[name] = self._batch.changed[name] = mark_of(redirect)


def held_of(arrival: Arrival) -> Held | None:
    """An arrival as it waits for its time; None of what does not."""
    crossing, event = arrival.crossing, arrival.event
    if event is not None:
        rank = PEOPLE if arrival.person else CATALOGUE
        return Held(event.time, rank, arrival.topic, arrival.offset, event)
    if isinstance(crossing, Strayed):
        return Held(crossing.event.time, PEOPLE, arrival.topic, arrival.offset, crossing.event)
    if isinstance(crossing, Joins | Parts):
        word = Touchpoint(type=PARTING, name=crossing.to, time=crossing.at, anonymous_id=crossing.person)
        if isinstance(crossing, Joins):
            word.type, word.id = WORD, crossing.event_id
            word.traits = {tokens.TRAITS[0]: crossing.tokens}
        return Held(crossing.at, WORDS, arrival.topic, arrival.offset, word)
    return None


def beside(hold: Hold, arrivals: Sequence[Arrival], target: int) -> set[str]:
    """The anonymous ids that stand beside people up to `target`: a lane that is alone acts on the spot."""
    events = [held.event for held in hold.until(target)]
    events += [arrival.event for arrival in arrivals if arrival.event is not None]
    return {event.anonymous_id for event in events if event.user_id and event.anonymous_id}


def concerned(hold: Hold, arrivals: Sequence[Arrival], target: int) -> set[str]:
    """Everybody of whom there is something up to `target`, by either id."""
    persons = {arrival.person for arrival in arrivals}
    persons |= {held.event.anonymous_id or "" for held in hold.until(target)}
    return persons | {one.event.anonymous_id or "" for one in arrivals if one.event is not None}


def erased(hold: Hold, arrivals: Sequence[Arrival], target: int) -> set[str]:
    """Everybody who is told to be forgotten up to `target`."""
    events = [held.event for held in hold.until(target)]
    events += [arrival.event for arrival in arrivals if arrival.event is not None]
    return {event.person for event in events if event.type == "erase"}
