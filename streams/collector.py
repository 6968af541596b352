"""The garbage collector: spared what lives as long as the process, and most of its walks."""

from __future__ import annotations

import asyncio
import gc
from typing import Final

# Journeys and all in them are structs out of the collector's sight (`gc=False`), and a batch makes no cycles:
# its garbage is freed by counts. At Python's own thresholds the walks took 2 of the 22 us of an event; at
# 50,000 they took 11 of 77 where each event is of somebody else, whose journey is loaded with all its lists.
_YOUNG: Final = 250_000
_MIDDLE: Final = 20
_OLD: Final = 1_000
# Lanes are claimed together, and a sweep holds all of them up for some hundredths of a second.
_SWEPT_AFTER_S: Final = 1.0
# Where little happens it takes hours until so many objects are made; what lies about is to be gone before.
_LOOKED_EVERY_S: Final = 60.0
_RECENT: Final = 1


def relieve() -> None:
    """Call it once everything is imported and built, before the work begins."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


class Sweeping:
    """Collects everything once lanes have changed hands, been claimed anew, or come back.

    A batch makes no cycles, a failed call does: the clients of broker and store keep an error in the frame
    that raised it, and behind it stand the frames that asked, with their batch, or with a lane that was and
    all journeys it kept. At the thresholds above nobody would look there for hours, and the replay that often
    follows would need its memory on top. Besides, it looks now and then at what was made since it last did.
    """

    def __init__(self, after: float = _SWEPT_AFTER_S, every: float = _LOOKED_EVERY_S) -> None:
        """`after`: seconds in which whatever else ends is swept up too; `every`: seconds between looks."""
        self._after, self._every, self._asked = after, every, asyncio.Event()

    def ask(self) -> None:
        """Something has ended."""
        self._asked.set()

    async def run(self) -> None:
        """Sweep whenever asked, and look now and then, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._every):
                    await self._asked.wait()
            except TimeoutError:
                gc.collect(_RECENT)
                continue
            await asyncio.sleep(self._after)
            self._asked.clear()
            gc.collect()
