"""Messages, decisions and dead letters with what is personal in them sealed, and opened again.

Ids, rule, channel, times and outcome stay to be read: by these a channel service orders, drops and recalls,
and what was done can be counted when nobody can tell any more about what.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from streams.sealing.keys import PersonKey

# The fields that a sealed record has more.
SEALED: Final = "sealed"
BATCH: Final = "batch"
_SUBJECT: Final = {"kind": SEALED, "id": ""}
# What is sealed of a record of each kind, known by its id, and what stands there instead: a valid record.
_OF_MESSAGE: Final[Mapping[str, Any]] = {
    "subject": _SUBJECT, "products": [], "to": {}, "context": {}, "offer": None, "purl": None,
    "locale": None, "timezone": None, "why": "",
}  # fmt: skip
_OF_DECISION: Final[Mapping[str, Any]] = {
    "subject": _SUBJECT, "value": None, "offer": None, "gates": [], "evidence": [],
}  # fmt: skip
_OF_DEAD: Final[Mapping[str, Any]] = {"detail": "", "raw": ""}
PERSONAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "message": _OF_MESSAGE, "decision": _OF_DECISION, "dead": _OF_DEAD,
}  # fmt: skip
# Of a dead letter, which does not name them otherwise.
_PERSON: Final = "person"
_encoder: Final = msgspec.json.Encoder()
_decode: Final = msgspec.json.Decoder().decode


class Sealed(NamedTuple):
    """A sealed record: whose it is, by which batch of their lane, and what is sealed (empty: thrown away)."""

    person: str
    place: str
    batch: int
    data: bytes
    said: dict[str, Any]


def seal(value: bytes, kind: str, person: str, key: PersonKey | None, batch: int) -> bytes:
    """What is told of a person in batch number `batch`, sealed; without a key nobody ever opens it.

    `kind`: a message, a decision or a dead letter.
    """
    said: dict[str, Any] = _decode(value)
    said.setdefault(_PERSON, person)
    personal = {name: said[name] for name in PERSONAL[kind] if name in said}
    data = b"" if key is None else key.seal(_encoder.encode(personal), _place(said))
    said |= {name: PERSONAL[kind][name] for name in personal}
    return _encoder.encode(said | {SEALED: b64encode(data).decode(), BATCH: batch})


def undoing(value: bytes) -> bytes:
    """A message that takes something back, with nothing of the person but where they are found."""
    said: dict[str, Any] = _decode(value)
    # A push that is shown is found by `recall_of`; by its subject it would be told what they looked at.
    left = {name: one for name, one in _OF_MESSAGE.items() if name in said and name != "to"}
    return _encoder.encode(said | left)


def read(value: bytes) -> Sealed | None:
    """A record that is sealed; None for any other."""
    if b'"sealed"' not in value:
        return None
    try:
        said = _decode(value)
        data = b64decode(said[SEALED], validate=True)
        return Sealed(str(said["person"]), _place(said), int(said[BATCH]), data, said)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError):
        return None


def opened(sealed: Sealed, key: PersonKey) -> bytes | None:
    """The record as it was before; None when it was sealed by another key."""
    personal = key.opened(sealed.data, sealed.place)
    if personal is None:
        return None
    whole = sealed.said | _decode(personal)
    more = (SEALED, BATCH) if "message_id" in whole else (SEALED, BATCH, _PERSON)
    return _encoder.encode({name: one for name, one in whole.items() if name not in more})


def _place(said: Mapping[str, Any]) -> str:
    if "message_id" not in said:
        return f"dead {said['topic']}-{said['partition']}-{said['offset']}"
    kind = "decision" if "outcome" in said else "message"
    return f"{kind} {said['decision_id']} {said['message_id']}"
