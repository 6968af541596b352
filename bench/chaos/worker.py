"""`retarget run` whose wall clock can be put forward and back: `python -m bench.chaos.worker run`.

On SIGUSR1 it reads from the file CHAOS_CLOCK by how many seconds its clock is wrong from now on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

CLOCK: Final = "CHAOS_CLOCK"
_time, _time_ns = time.time, time.time_ns
_wrong_ns = [0]


def _set_clock(number: int = 0, frame: FrameType | None = None) -> None:  # noqa: ARG001 - a handler's
    try:
        _wrong_ns[0] = int(float(Path(os.environ[CLOCK]).read_text()) * 1e9)
    except (KeyError, OSError, ValueError):
        _wrong_ns[0] = 0


def main() -> int:
    """Put a clock of ours in the place of the machine's, before anything else is imported; then work."""
    _set_clock()
    time.time = lambda: _time() + _wrong_ns[0] / 1e9
    time.time_ns = lambda: _time_ns() + _wrong_ns[0]
    signal.signal(signal.SIGUSR1, _set_clock)
    from streams.cli import main as retarget  # noqa: PLC0415

    return retarget()


if __name__ == "__main__":
    sys.exit(main())
