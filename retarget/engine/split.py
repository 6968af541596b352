"""A canary: some people are decided for by the new rules, all others by those of before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from retarget.catalogue import News
from retarget.engine.door import Engine
from retarget.engine.experiments import number
from retarget.engine.moment import Moment
from retarget.journeys.model import Journey
from retarget.touchpoints import Touchpoint


class Part(NamedTuple):
    """Who is in the canary: a share of all people, drawn by the salt of hold-outs and this name."""

    name: str
    share: float

    def has(self, person: str, salt: str) -> bool:
        """Whether this person is, by the salt of hold-outs: for good, also when the share grows."""
        return number(salt, self.name, person) < self.share


class SplitEngine(Engine):
    """Two engines behind one door; each person has one of them. Without a canary there is no such thing."""

    def __init__(self, others: Engine, canary: Engine, part: Part, salt: str) -> None:
        super().__init__(others.matcher)
        self._others, self._canary, self._part, self._salt = others, canary, part, salt
        self.ending_types = others.ending_types | canary.ending_types
        self.follows, self.guarded = others.follows or canary.follows, others.guarded or canary.guarded
        if self.guarded:  # whoever buys tells both sides
            others.matcher.listen()
            canary.matcher.listen()

    def of(self, person: str) -> Engine:
        """See Engine."""
        return self._canary if self._part.has(person, self._salt) else self._others

    def apply(self, journey: Journey, event: Touchpoint, moment: Moment) -> bool:
        """See Engine."""
        return self.of(journey.person).apply(journey, event, moment)

    def wake(self, journey: Journey, due: int, moment: Moment) -> int:
        """See Engine."""
        return self.of(journey.person).wake(journey, due, moment)

    def concerns(self, news: News, moment: Moment) -> bool:
        """Whether anybody on either side needs to hear."""
        return self._others.concerns(news, moment) or self._canary.concerns(news, moment)

    def hear(self, journey: Journey, news: News, moment: Moment) -> None:
        """See Engine."""
        self.of(journey.person).hear(journey, news, moment)

    def join(self, journey: Journey, other: Journey, moment: Moment) -> None:
        """See Engine: by the side of the known person."""
        self.of(journey.person).join(journey, other, moment)

    def depart(self, journey: Journey, at: int, moment: Moment) -> None:
        """See Engine."""
        self.of(journey.person).depart(journey, at, moment)

    def misfits(self) -> Mapping[str, int]:
        """See Engine: of both sides."""
        return Counter(self._others.misfits()) + Counter(self._canary.misfits())

    def abandon(self, journey: Journey, due: int, moment: Moment) -> None:
        """See Engine."""
        self.of(journey.person).abandon(journey, due, moment)
