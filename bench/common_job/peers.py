"""The peers' folder: events of the common job, its reference answer, and the programs to compare with.

It lies outside the repository: RETARGET_PEERS names it, else it is looked for beside the checkout.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PARTITIONS: Final = 8


class PeersMissing(Exception):
    """The folder with the job's events is not on this machine; the sentence says where it was looked for."""


class Peers:
    """The job's events and reference answer, as the folder's own programs make them."""

    def __init__(self) -> None:
        """Raises PeersMissing."""
        self.folder = Path(os.environ.get("RETARGET_PEERS") or ROOT / "../shared/bench/peers").resolve()
        if not (self.folder / "gen.py").is_file():
            raise PeersMissing(f"no gen.py in {self.folder}; set RETARGET_PEERS to the folder of the peers")
        sys.path.insert(0, str(self.folder))
        self._gen: Any = import_module("gen")
        self._reference: Any = import_module("oracle")
        if not Path(self._gen.SOURCE).is_file():
            raise PeersMissing(f"the events come from {self._gen.SOURCE}, which is not there")

    def events(self, copies: int) -> Iterator[tuple[str, bytes]]:
        """(user, JSON) of every event, in order of time."""
        for user, text in self._gen.events(copies):
            yield user, text.encode()

    def lanes(self, copies: int) -> list[list[tuple[bytes, bytes]]]:
        """(key, JSON) of every event by partition, as Kafka's default partitioner has it."""
        lanes: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
        for user, value in self.events(copies):
            lanes[self._gen.partition(user, PARTITIONS)].append((user.encode(), value))
        return lanes

    def expected(self, lanes: list[list[tuple[bytes, bytes]]]) -> Counter[str]:
        """How often each message id is expected."""
        found: Counter[str] = Counter()
        for lane in lanes:
            messages, _ = self._reference.run(json.loads(value) for _, value in lane)
            found.update(message["id"] for message in messages)
        return found
