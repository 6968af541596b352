"""The channel `ads`: people into audiences and out of them, many in a batch, for one destination.

A batch is known by its key, which follows from its members. One that is in doubt goes again as it was, and
whoever takes it knows it by the key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from retarget.messages import Message, Operation
from streams.channels.outcomes import HANDED, Leave, Outcome, freely
from streams.channels.posting import Post

encoded: Final = msgspec.json.Encoder(order="deterministic").encode
_TIMEOUT_S: Final = 60.0


class Audiences(ABC):
    """A Channel; what is done with a batch is the destination's own."""

    name = "ads"
    batches = True
    recalls = True
    repeats: int | None = None
    destination = ""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._post = Post(_TIMEOUT_S)

    async def start(self) -> None:  # noqa: B027 - there is nothing to be done
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._post.close()

    async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> Sequence[Outcome]:
        """See Channel. One batch for each audience and operation; nobody is in a portion's audience twice."""
        groups: dict[tuple[str, Operation], list[int]] = defaultdict(list)
        for index, message in enumerate(messages):
            groups[message.audience or "", message.operation].append(index)
        outcomes: list[Outcome] = [HANDED] * len(messages)
        for (audience, operation), indexes in groups.items():
            members = [messages[index] for index in indexes]
            found = await self._batch(audience, operation, members, leave)
            for index, outcome in zip(indexes, found, strict=True):
                outcomes[index] = outcome
        return outcomes

    @abstractmethod
    async def _batch(
        self, audience: str, operation: Operation, members: Sequence[Message], leave: Leave
    ) -> Sequence[Outcome]:
        """Hand one over; an outcome for each member."""
