"""What only the garbage collector frees: batches of aiokafka refer to themselves, with their buffers."""

from __future__ import annotations

import gc
from typing import Final

# The collector counts objects, not bytes, and is told to look seldom; so much may lie about in between.
_HEAVY: Final = 16 * 1024 * 1024
_MIDDLE: Final = 1


class Burden:
    """Counts what was sent, and has it cleared away before it grows."""

    def __init__(self) -> None:
        self._bytes = 0

    def carried(self, size: int) -> None:
        """So many bytes were sent and acknowledged."""
        self._bytes += size
        if self._bytes >= _HEAVY:
            self._bytes = 0
            gc.collect(_MIDDLE)


#: One for the process, as the collector is.
BURDEN: Final = Burden()
