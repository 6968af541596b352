"""`python -m tests.support.slow_claims`: a worker whose claims have much to repeat, part by part."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from streams.cli import main
from streams.kafka.lane import LaneOnKafka
from streams.lanes.returning import Return
from streams.lanes.runner import LaneRunner

SECONDS = 1.0


def slow_down(owner: type[Any], name: str) -> None:
    """Let a method take longer."""
    real: Callable[..., Any] = getattr(owner, name)

    async def slow(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
        await asyncio.sleep(SECONDS)
        return await real(*given, **named)

    setattr(owner, name, slow)


if __name__ == "__main__":
    slow_down(LaneOnKafka, "_entries")
    slow_down(Return, "_step")
    slow_down(LaneRunner, "_replay")
    sys.exit(main(["run", *sys.argv[1:]]))
