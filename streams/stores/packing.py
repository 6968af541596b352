"""Journeys smaller in the store: each as a frame of zstd where that is wanted; both forms are read."""

from __future__ import annotations

from typing import Final

import zstandard

from retarget.errors import Damaged

# No journey begins so: its first byte is the version of its form.
FRAME: Final = b"\x28\xb5\x2f\xfd"
# The quickest level that also codes its literals, which is what ids are.
_LEVEL: Final = 1
# More than any journey within its bounds: nobody can fill the memory with a few bytes in the store.
_MOST: Final = 64 * 2**20


class Packing:
    """How one process writes journeys; one is used by one thread only."""

    def __init__(self, *, compress: bool) -> None:
        self._write = zstandard.ZstdCompressor(level=_LEVEL) if compress else None
        self._read = zstandard.ZstdDecompressor()

    def pack(self, journey: bytes) -> bytes:
        """What the store keeps of it."""
        return journey if self._write is None else self._write.compress(journey)

    def unpack(self, stored: bytes) -> bytes:
        """The inverse, whichever form it has. Raises Damaged."""
        if stored[:4] != FRAME:
            return stored
        try:
            if zstandard.frame_content_size(stored) > _MOST:
                raise Damaged("a stored journey", f"it says it is larger than {_MOST:,} bytes")
            return self._read.decompress(stored)
        except zstandard.ZstdError as error:
            raise Damaged("a stored journey", error) from error
