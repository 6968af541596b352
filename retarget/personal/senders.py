"""Senders: who of the shop writes to a person, the same one on every channel, whoever joins the shop."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec


class Sender(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A person of the shop, as messages show them; `weight`: how many people they write to, by comparison."""

    id: str = ""
    name: str
    role: str = ""
    address: str = ""
    reply_to: str = ""
    photo: str = ""
    signature: str = ""
    weight: int = 1

    def shown(self) -> dict[str, Any]:
        """What a message says of them."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return {key: value for key, value in told.items() if key != "weight"}


def sender_of(person: str, known: str, senders: Sequence[Sender], seed: str) -> Sender | None:
    """Whoever has written to the person before, if still there; else drawn by person and seed.

    A sender who comes draws people from all others alike, and one who goes leaves theirs to all others.
    """
    kept = next((sender for sender in senders if sender.id == known), None)
    return kept or max(senders, key=lambda sender: _luck(person, sender, seed), default=None)


def _luck(person: str, sender: Sender, seed: str) -> bytes:
    return max(_number(f"{seed}\x1f{sender.id}\x1f{turn}\x1f{person}") for turn in range(sender.weight))


def _number(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16, person=b"retarget.sender").digest()
