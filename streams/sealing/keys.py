"""Keys of people: drawn, wrapped by a secret of the settings, and what is sealed by them.

AES-SIV needs no nonce, thus no chance: what is sealed again comes to the same bytes. Whatever was sealed by
another key, or for another place, does not open.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# Of a key before it is wrapped.
BYTES: Final = 32
_WRAPPED: Final = b"retarget.key.1"
_SEALED: Final = b"retarget.sealed.1"

Draw = Callable[[int], bytes]


class Wrapping:
    """Keys of people as they are kept: wrapped for one id, by the first of the secrets; all open."""

    def __init__(self, given: Sequence[str], draw: Draw = secrets.token_bytes) -> None:
        """`draw` gives so many bytes that nobody can guess."""
        self._ciphers = [_cipher(secret.encode(), b"retarget.privacy") for secret in given]
        self._draw = draw

    def new(self, person: str) -> bytes:
        """A key for a person, as it is kept."""
        return self._ciphers[0].encrypt(self._draw(BYTES), [_WRAPPED, person.encode()])

    def opened(self, person: str, kept: bytes) -> PersonKey | None:
        """The key; None for what was not wrapped for them by any of the secrets."""
        for cipher in self._ciphers:
            try:
                return PersonKey(cipher.decrypt(kept, [_WRAPPED, person.encode()]))
            except (InvalidTag, ValueError):
                continue
        return None


class PersonKey:
    """Seals what is told of one person."""

    def __init__(self, key: bytes) -> None:
        self._cipher = _cipher(key, b"retarget.person")

    def seal(self, data: bytes, place: str) -> bytes:
        """`data` for one place only: the id of its record."""
        return self._cipher.encrypt(data, [_SEALED, place.encode()])

    def opened(self, sealed: bytes, place: str) -> bytes | None:
        """What was sealed; None when it was by another key, or for another place."""
        try:
            return self._cipher.decrypt(sealed, [_SEALED, place.encode()])
        except (InvalidTag, ValueError):
            return None


def _cipher(secret: bytes, person: bytes) -> AESSIV:
    return AESSIV(blake2b(secret, digest_size=64, person=person).digest())
