"""One lane's work: arrivals are held until the clock reaches them, waits and events worked off in order.

The result does not depend on how the input is cut into batches: each arrival moves the clock's target, and
all that is due by then is done before the next one is looked at. A batch may stop in the middle of such a
stretch (`limit`); it is then as if the arrival that moved the target had not been read yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from retarget.engine.moment import Moment
from retarget.lane.batch import NEVER, Batch
from retarget.lane.intake import Arrival
from retarget.lane.run import Run
from retarget.lane.state import LaneState


class Lane(LaneState):
    """One partition's clock, hold, waits and journeys; its owner loads what `needs` names before `work`."""

    def work(
        self, arrivals: Sequence[Arrival], moment: Moment, *, advance_to: int = NEVER, limit: int
    ) -> Batch:
        """Read the arrivals one by one and do all that becomes due, at most `limit` events and waits."""
        run = Run(self, moment, limit)
        if self.spreads and not run.tell_on():
            return run.finish(())
        consumed = run.read(arrivals)
        if consumed == len(arrivals) and not self.goes_on:
            run.work_off(min(max(self.clock, advance_to), max(self.waits.horizon, self.clock)))
        return run.finish(arrivals[:consumed])
