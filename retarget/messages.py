"""What leaves: messages for channel services, and a decision record for every candidate.

An id is a hash of what the thing is, never of when or where it was computed, so a crash or a replay comes to
the same.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from retarget.times import format_time

Operation = Literal["send", "recall", "add", "remove"]
Outcome = Literal["sent", "deferred", "suppressed", "control"]
SCHEMA_VERSION: Final = 1

_encoder: Final = msgspec.json.Encoder()


class GateRecord(msgspec.Struct):
    """One gate as it stood: the value it saw and the limit it holds it against."""

    gate: str
    value: Any = None
    limit: Any = None


class Subject(msgspec.Struct):
    """What a decision is about."""

    kind: str
    id: str


class Offer(msgspec.Struct, kw_only=True):
    """What a message promises: a discount of `percent`, or of `amount` in `currency`, by a code."""

    kind: Literal["percent", "amount"]
    percent: float | None = None
    amount: float | None = None
    currency: str | None = None
    code: str
    expires_at: str
    minimum_basket: float | None = None
    not_before: str | None = None


class OfferRecord(msgspec.Struct, kw_only=True):
    """Whether an offer was made with a message that left, by which code; else why it was `withheld`.

    `margin`, `margin_unknown`, `expired`, `no_code` when the pool was empty, `open_code` when another code of
    the person's is still good.

    `margin`, `discount` and `least_margin` are what the guard saw, where there is one.
    """

    given: bool
    withheld: str | None = None
    code: str | None = None
    expires_at: str | None = None
    margin: float | None = None
    discount: float | None = None
    least_margin: float | None = None


class Decision(msgspec.Struct, kw_only=True):
    """The record of one candidate: what was decided, why, and on what evidence. Times are RFC 3339."""

    decision_id: str
    rule: str
    rule_version: str
    step: int
    person: str
    subject: Subject
    due: str
    decided_at: str
    outcome: Outcome
    reason: str | None = None
    channel: str | None = None
    operation: Operation = "send"
    message_id: str | None = None
    release: str | None = None
    regretted: bool | None = None
    experiment: dict[str, Any] | None = None
    value: float | None = None
    offer: OfferRecord | None = None
    lacks: list[str] = []
    gates: list[GateRecord] = []
    evidence: list[str] = []
    schema: int = SCHEMA_VERSION
    shadow: bool = False


class Message(msgspec.Struct, kw_only=True):
    """What a channel service gets: whom to reach, with what, why, and until when it is worth it."""

    message_id: str
    recall_of: str | None = None
    decision_id: str
    operation: Operation
    channel: str
    rule: str
    rule_version: str
    step: int
    person: str
    user_id: str | None = None
    anonymous_id: str | None = None
    subject: Subject
    audience: str | None = None
    products: list[dict[str, Any]] = []
    to: dict[str, Any] = {}
    template: str | None = None
    context: dict[str, Any] = {}
    offer: Offer | None = None
    purl: str | None = None
    purpose: str
    legal_basis: str | None = None
    due: str
    decided_at: str
    not_before: str | None = None
    expires_at: str | None = None
    priority: int
    experiment: dict[str, Any] | None = None
    locale: str | None = None
    timezone: str | None = None
    why: str
    trace: str | None = None
    schema: int = SCHEMA_VERSION


def stable_id(*parts: str) -> str:
    """32 hex digits that depend on the parts and nothing else."""
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def encode(record: Decision | Message) -> bytes:
    """The JSON of a record as it stands in its topic."""
    return _encoder.encode(record)


def at_or_none(ms: int | None) -> str | None:
    """RFC 3339, or None for a time that is not set."""
    return format_time(ms) if ms else None
