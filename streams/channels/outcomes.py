"""What came of handing a message over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, Protocol

import msgspec

from retarget.messages import Message
from retarget.touchpoints import TouchpointType

Reason = Literal[
    "bad_message", "no_address", "bad_address", "refused", "no_template", "bad_template", "missing_variable",
    "too_large", "expired", "gave_up", "unknown_outcome", "no_audience", "paused", "no_key",
]  # fmt: skip
# What can come of a message, as metrics count it; a repeat is of a record.
What = Literal[
    "handed", "later", "doubt", "dead", "unwanted", "expired", "recalled", "too_late", "repeat", "lost",
    "erased", "left",
]  # fmt: skip


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`handed` over; to be tried `later`; `dead`: refused for good; in `doubt`: no answer; `unwanted` here.

    `feedback` are touchpoints that the engine shall hear of.
    """

    kind: Literal["handed", "later", "dead", "doubt", "unwanted"]
    reason: Reason | None = None
    detail: str = ""
    feedback: tuple[TouchpointType, ...] = ()


# Whether so many messages may leave at this moment; asked when all that takes time beforehand is done.
Leave = Callable[[int], Awaitable[bool]]
# Its turn has passed before it left: as if it had not been handed over at all.
NOT_YET: Final = Outcome(kind="later")
HANDED = Outcome(kind="handed")
UNWANTED = Outcome(kind="unwanted")


async def freely(_: int) -> bool:
    """A Leave without a rate."""
    return True


def dead(reason: Reason, detail: str, *feedback: TouchpointType) -> Outcome:
    """It cannot be handed over, and no retry helps."""
    return Outcome(kind="dead", reason=reason, detail=detail, feedback=feedback)


def later(detail: str) -> Outcome:
    """It may be taken another time."""
    return Outcome(kind="later", detail=detail)


class Channel(Protocol):
    """A way to people. `at_once` messages at most are handed over together.

    `batches`: they are handed over as one, known again as a whole, and nobody's messages overtake each other.
    `recalls`: what has gone can be taken back.
    `repeats`: how often a message in doubt may go once more; None: as often as needed, since whoever takes it
    knows it again. A recall shows nothing, so it always may.
    `destination`: which of several that get each message, each for itself; empty: the only or the shop's own.
    """

    name: str
    at_once: int
    batches: bool
    recalls: bool
    repeats: int | None
    destination: str

    async def start(self) -> None:
        """Get ready. Raises BadInput, Unreachable."""

    async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> Sequence[Outcome]:
        """Hand these over; an outcome for each, in order. Never raises but for a bug.

        What is about to leave asks `leave`, and is NOT_YET when it may not.
        """

    async def stop(self) -> None:
        """Leave everybody in peace."""


def known_as(channel: Channel) -> str:
    """Under which name it reads, keeps its ledger and counts: each destination for itself."""
    return f"{channel.name}.{channel.destination}" if channel.destination else channel.name
