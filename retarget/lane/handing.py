"""Handing on: whose a device is that people sign in on one after the other, and who is pushed to there.

What is done on it is theirs who have it by then. Pushes find the device whoever has it: so the lane of its
id keeps the tokens that were told there, and when it goes to somebody else, the former owner hears that these
are theirs no longer (`Leaves`). A lane that is alone (`home` is None) does it on the spot.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final, Protocol

from retarget.engine import identity
from retarget.engine.door import Engine
from retarget.engine.moment import Met, Moment, Parted
from retarget.journeys import tokens
from retarget.journeys.model import Journey
from retarget.lane.batch import Batch
from retarget.lane.crossing import Crossing, Leaves
from retarget.times import DAY
from retarget.touchpoints import Touchpoint

# To how many people in turn a device is known to have gone.
OWNERS_KEPT: Final = 16
# A redirect notes that it is used as often as this.
NOTED_EVERY: Final = 30 * DAY
_TOKENS: Final = tokens.TRAITS[0]


class _Lane(Protocol):
    """What handing on looks at of a lane."""

    engine: Engine
    journeys: dict[str, Journey]
    home: Callable[[str], int] | None


class Handing:
    """Whose devices are, in one batch."""

    def __init__(
        self,
        lane: _Lane,
        moment: Moment,
        *,
        batch: Batch,
        numbered: Callable[[], tuple[int, int]],
        send: Callable[[Crossing], None],
    ) -> None:
        """`numbered`: this lane, and the how manyth of its crossings is next; `send` lets one leave."""
        self._lane, self._moment, self._batch = lane, moment, batch
        self._numbered, self._send = numbered, send

    def owner(self, redirect: Journey, time: int) -> str:
        """Whose the events of that time are; that there are some is noted."""
        if time > redirect.last + NOTED_EVERY:
            redirect.last = time
            self._batch.changed[redirect.person] = redirect
        return redirect.owner(time)

    def follow(self, redirect: Journey, event: Touchpoint) -> bool:
        """Make it an event of whom the redirect leads to. It does not say who is whom, as two ids would.

        False: it is of a time before the id was erased, whoever has it since, and so nothing.
        """
        if redirect.was_erased(event.time):
            self._batch.worked += 1
            self._moment.counts["ignored", "erased"] += 1
            return False
        if event.traits:
            self.learn(redirect, tokens.told(event.traits))
        event.user_id = self.owner(redirect, event.time)
        if event.anonymous_id == redirect.person:
            event.anonymous_id = None
        return True

    def part(self, redirect: Journey, parted: Parted) -> None:
        """Let it lead no more to who is erased; to nobody, where they had the device last.

        Who had it before them has not got it back. What is of a time before it went on is nothing any more.
        """
        owners, person = redirect.moved, parted.person
        went_on = [since for (_, to), (since, _) in pairwise(owners) if to == person]
        redirect.moved = [one for one in owners if one[1] != person] if owners[-1][1] != person else []
        redirect.traits.clear()
        self._batch.changed[redirect.person] = redirect
        if went_on:
            redirect.erased, redirect.erased_at = True, max(redirect.erased_at, went_on[-1] - 1)
        if redirect.moved and redirect.key and owners[0][1] == person:
            # By it is sealed what was told to the id before anybody had it: to the first of them.
            redirect.key = b""
            self._batch.keyless.append(redirect.person)

    def hand_on(self, redirect: Journey, met: Met) -> None:
        """A device in other hands: what was done with it stays with whom it went to."""
        self.learn(redirect, met.tokens)
        if self.owner(redirect, met.at) == met.person:
            return
        insort(redirect.moved, (met.at, met.person))
        del redirect.moved[:-OWNERS_KEPT]
        self._batch.changed[redirect.person] = redirect
        self._moment.counts["unjoined", "shared"] += 1
        self._take_back(redirect)

    def learn(self, redirect: Journey, told: Sequence[str]) -> None:
        """Note by which tokens pushes come to a device: they are its owner's alone."""
        known = redirect.traits.get(_TOKENS, [])
        if new := [token for token in told if token not in known]:
            redirect.traits[_TOKENS] = tokens.kept(known, new)
            self._batch.changed[redirect.person] = redirect
            self._take_back(redirect)

    def lose(self, leaves: Leaves) -> None:
        """Let a person be pushed to no more on a device that is not theirs."""
        journey = self._lane.journeys.get(leaves.person)
        if journey is None:
            return
        matcher = self._lane.engine.of(leaves.person).matcher
        word = leaves.anonymous, leaves.at, leaves.tokens
        if identity.hand_over(journey, *word, matcher, self._moment):
            self._batch.changed[leaves.person] = journey

    def _take_back(self, redirect: Journey) -> None:
        """Tell who had the device before the last one that it is theirs no longer."""
        if not redirect.moved[1:]:
            return
        (_, person), (at, _) = redirect.moved[-2:]
        told = tokens.told(redirect.traits)
        if self._lane.home is None:
            self.lose(Leaves(0, 0, person, redirect.person, at, told))
        else:
            self._send(Leaves(*self._numbered(), person, redirect.person, at, told))


def redirect_of(met: Met, journey: Journey | None) -> Journey:
    """From an anonymous id to a known person; `journey`: what the id had.

    The key stays: what was sealed by it is still to be read. So does that the id was erased before.
    """
    redirect = Journey(person=met.anonymous, last=met.at, moved=[(met.at, met.person)])
    if journey is not None:
        redirect.key, redirect.erased, redirect.erased_at = journey.key, journey.erased, journey.erased_at
    return redirect


def mark_of(redirect: Journey) -> Journey:
    """What stays of one that is over, where its id has been erased."""
    return Journey(person=redirect.person, erased=True, erased_at=redirect.erased_at)


def led_by(redirects: Mapping[str, Journey], persons: AbstractSet[str]) -> set[str]:
    """To whom the redirects of these people lead, in as many steps as it takes."""
    found, left = set[str](), redirects.keys() & persons
    while left:
        led = {to for person in left for _, to in redirects[person].moved} - found
        found |= led
        left = redirects.keys() & led
    return found
