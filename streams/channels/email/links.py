"""Unsubscribe links: sealed, so that nothing can be read from them or made up, and good for ever."""

from __future__ import annotations

import base64
from hashlib import blake2b
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from yarl import URL

from retarget.messages import Message

PATH: Final = "/unsubscribe/"
# Two ids of 512 characters with four bytes each, and what goes with them.
_LONGEST: Final = 6_000


class Leaver(msgspec.Struct, array_like=True, frozen=True):
    """Who unsubscribes, by which message."""

    message_id: str
    user_id: str | None
    anonymous_id: str | None
    rule: str


class Seal:
    """Makes links and reads them again."""

    def __init__(self, secret: str, public_url: str) -> None:
        """Raises ValueError for what is no URL."""
        key = blake2b(secret.encode(), digest_size=32, person=b"retarget.unsub").digest()
        # In a header, and to whoever posts, an address is ASCII.
        self._fernet, self._base = Fernet(base64.urlsafe_b64encode(key)), str(URL(public_url)).rstrip("/")

    def link(self, message: Message) -> str:
        """The address that one POST unsubscribes at. Raises ValueError where it would be too long."""
        known = message.user_id or message.anonymous_id
        leaver = Leaver(
            message.message_id,
            message.user_id,
            message.anonymous_id if known else message.person,
            message.rule,
        )
        sealed = self._fernet.encrypt(msgspec.msgpack.encode(leaver)).decode().rstrip("=")
        if len(sealed) > _LONGEST:
            raise ValueError(f"the unsubscribe link would have {len(sealed)} characters behind {PATH}")
        return f"{self._base}{PATH}{sealed}"

    def read(self, token: str) -> Leaver | None:
        """Who it is about; None for what we have not made."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            opened = self._fernet.decrypt(token + "=" * (-len(token) % 4))
            return msgspec.msgpack.decode(opened, type=Leaver)
        except (InvalidToken, msgspec.MsgspecError, ValueError):
            return None
