"""The garbage collector: spared what lives as long as the process, and most of its walks."""

from __future__ import annotations

import gc
from typing import Final

# Journeys and all in them are structs out of the collector's sight (`gc=False`), and a batch makes no cycles:
# its garbage is freed by counts. At Python's own thresholds the walks took 2 of the 22 us of an event.
_YOUNG: Final = 50_000
_MIDDLE: Final = 20
_OLD: Final = 1_000


def relieve() -> None:
    """Call it once everything is imported and built, before the work begins."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
