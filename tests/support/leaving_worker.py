"""`python -m tests.support.leaving_worker`: a worker whose claims leave a cycle; it says when that goes."""

from __future__ import annotations

import sys
import weakref
from typing import Any

from streams.cli import main
from streams.lanes.runner import LaneRunner

GONE = "what a claim has left is gone"


class _Left:
    def __init__(self) -> None:
        self.itself = self


def _say() -> None:
    print(GONE, flush=True)  # noqa: T201


async def _claim(self: LaneRunner, *given: Any) -> None:  # noqa: ANN401 - whatever it takes
    await _real(self, *given)
    weakref.finalize(_Left(), _say).atexit = False


_real = LaneRunner.claim

if __name__ == "__main__":
    setattr(LaneRunner, "claim", _claim)  # noqa: B010 - a method of a class is no name of ours
    sys.exit(main(["run", *sys.argv[1:]]))
