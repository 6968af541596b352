"""Everything that can be wrong, each with its fate.

RetargetError
├── Rejected        a record that cannot be used: it goes to the dead-letter topic, the lane goes on
├── Unsendable      a message that no provider would take: it goes to the channel's dead letters
├── BadInput        a user's file, rule or setting: nothing starts, exit 1, every problem listed
├── Unreachable     a broker or store that does not answer: exit 3 at start, wait and retry later
└── LaneRefused     a lane whose journal and store contradict each other: it stops and says what to do
    └── Damaged     what was read back is not what was written
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

RejectReason = Literal[
    "not_json",
    "not_an_object",
    "no_person",
    "bad_time",
    "bad_field",
    "too_large",
    "unknown_dialect",
    "rule_failed",
]

UnsendableReason = Literal[
    "bad_message", "no_address", "bad_address", "missing_variable", "too_large", "expired",
]  # fmt: skip


class RetargetError(Exception):
    """The root of the tree; never raised itself."""


class Rejected(RetargetError):
    """One input record cannot be used: `reason` for the dead letter, `detail` in a sentence."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: RejectReason = reason
        self.detail = detail


class Unsendable(RetargetError):
    """One message cannot be brought into a provider's form: `reason` for the dead letter, and a `detail`."""

    def __init__(self, reason: UnsendableReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: UnsendableReason = reason
        self.detail = detail


class BadInput(RetargetError):
    """What a user gave us is wrong; `problems` holds one line each, naming file, field and remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class WrongUsage(BadInput):
    """Options of a command that do not go together; `problems` as those of any bad input."""


class Unreachable(RetargetError):
    """A service does not answer; names the address and the setting that holds it."""

    def __init__(self, service: str, address: str, setting: str, detail: str = "") -> None:
        tail = f" ({detail})" if detail else ""
        super().__init__(f"cannot reach {service} at {address}{tail}; the address is the setting {setting}")
        self.service, self.address, self.setting = service, address, setting


class LaneRefused(RetargetError):
    """Journal and store of a lane contradict each other; going on could lose or repeat messages."""


class Damaged(LaneRefused):
    """Bytes that were read back from the store or from a topic of the engine are not what it wrote."""

    def __init__(self, what: str, error: object) -> None:
        super().__init__(
            f"{what} is damaged or was written by something else ({error}); only workers may write there. "
            f"Restore the store, or the topic, from before"
        )
