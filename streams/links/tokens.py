"""Tokens: links sealed by AES-SIV. The same link is the same token; nobody else can make or read one.

No nonce is needed, thus no chance: a replay seals the same bytes. Whatever is not exactly what was sealed
does not open.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# What is sealed for another purpose, or by a build that means something else by it, does not open.
_PURPOSE: Final = b"retarget.purl.1"
_LONGEST: Final = 8_192


def _cipher(secret: str) -> AESSIV:
    return AESSIV(blake2b(secret.encode(), digest_size=64, person=b"retarget.purl").digest())


@dataclass(frozen=True)
class Seal:
    """Seals links by one secret; a pure function, equal to any other by the same secret."""

    secret: str = field(repr=False)

    def __call__(self, link: bytes) -> str:
        """The token, in letters that need no escape in an address."""
        return urlsafe_b64encode(_cipher(self.secret).encrypt(link, [_PURPOSE])).decode().rstrip("=")


def opened(token: str, secrets: Sequence[str]) -> bytes | None:
    """What was sealed by one of the secrets; None for anything else, whatever is wrong with it."""
    sealed = _sealed(token)
    if sealed is None:
        return None
    for secret in secrets:
        try:
            return _cipher(secret).decrypt(sealed, [_PURPOSE])
        except InvalidTag:
            continue
    return None


def _sealed(token: str) -> bytes | None:
    """The bytes of a token that is written as `Seal` writes them, which is in one way only."""
    if len(token) > _LONGEST:
        return None
    try:
        sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (binascii.Error, UnicodeEncodeError):
        return None
    return sealed if sealed and urlsafe_b64encode(sealed).decode().rstrip("=") == token else None
