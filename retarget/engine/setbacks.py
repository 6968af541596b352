"""Setbacks: what a rule has changed by a decision that it then could not finish is put back."""

from __future__ import annotations

import msgspec

from retarget.engine.moment import Moment, Result
from retarget.journeys.model import Journey


class Before:
    """What a decision may change for other rules and for the lane, as it was before.

    Arms stay drawn: they depend on the person alone. Marks and pauses are set when nothing can fail any more.
    """

    __slots__ = (
        "_audiences", "_deferred", "_drawn", "_journey", "_moment", "_offers", "_paced", "_results", "_risen",
        "_sends",
    )  # fmt: skip

    def __init__(self, journey: Journey, moment: Moment) -> None:
        self._journey, self._moment = journey, moment
        self._results, self._sends = len(moment.results), len(journey.sends)
        self._deferred, self._audiences = len(journey.deferred), journey.audiences.copy()
        self._paced, self._risen = moment.paced.copy(), moment.risen.copy()
        self._drawn, self._offers = moment.drawn.copy(), len(journey.offers)

    def put_back(self) -> None:
        """Make it as it was: nothing goes out, and nothing counts."""
        journey, moment = self._journey, self._moment
        for result in moment.results[self._results :]:
            moment.counts[_counted_as(result)] -= 1
        del moment.results[self._results :], journey.sends[self._sends :], journey.deferred[self._deferred :]
        del journey.offers[self._offers :]
        journey.audiences = self._audiences
        # They are the lane's own.
        moment.paced.clear()
        moment.paced.update(self._paced)
        moment.risen.clear()
        moment.risen.update(self._risen)
        moment.drawn.clear()
        moment.drawn.update(self._drawn)


def _counted_as(result: Result) -> tuple[str, ...]:
    said = msgspec.json.decode(result.value)
    if result.kind == "message":
        return ("message", said["rule"], said["channel"], said["operation"])
    kind = "shadow" if said["shadow"] else "decision"
    return (kind, said["rule"], said["outcome"], said["reason"] or "")
