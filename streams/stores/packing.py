"""Journeys smaller in the store, where that is wanted: frames of zstd, or columns. All forms are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import zstandard

from retarget.errors import Damaged
from streams.stores.columns import LENGTH, MARK, WORDS, Laid, laid_out, restored

Compression: TypeAlias = Literal["none", "zstd", "columns"]

# No journey begins so: its first byte is the version of its form.
FRAME: Final = b"\x28\xb5\x2f\xfd"
# The quickest level that also codes its literals, which is what ids are.
_LEVEL: Final = 1
# Of columns there is little left to compress.
_LEVEL_OF_COLUMNS: Final = 5
# More than any journey within its bounds: nobody can fill the memory with a few bytes in the store.
_MOST: Final = 64 * 2**20
# A backlog's batch of thousands would hold up the lanes beside it for seconds: it is only compressed.
_FEW: Final = 100
_WHAT: Final = "a stored journey"


class Packing:
    """How one process writes journeys; one is used by one thread only."""

    def __init__(self, compress: Compression = "none") -> None:
        self._how = compress
        words = zstandard.ZstdCompressionDict(WORDS, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        words.precompute_compress(level=_LEVEL_OF_COLUMNS)
        self._write = zstandard.ZstdCompressor(level=_LEVEL)
        self._read = zstandard.ZstdDecompressor()
        self._write_columns = zstandard.ZstdCompressor(level=_LEVEL_OF_COLUMNS, dict_data=words)
        self._read_columns = zstandard.ZstdDecompressor(dict_data=words)

    def pack(self, journeys: Sequence[bytes]) -> list[bytes]:
        """What the store keeps of those that are written at once."""
        if self._how == "none":
            return list(journeys)
        if self._how == "columns" and len(journeys) <= _FEW:
            return list(map(self._as_columns, journeys))
        return list(map(self._write.compress, journeys))

    def _as_columns(self, journey: bytes) -> bytes:
        laid = laid_out(journey)
        if laid is None:
            return self._write.compress(journey)
        size = len(laid.noise).to_bytes(LENGTH, "big")
        return b"".join((MARK, journey[:1], size, laid.noise, self._write_columns.compress(laid.columns)))

    def unpack(self, stored: bytes) -> bytes:
        """The journey, whichever form it has. Raises Damaged."""
        try:
            if stored[:4] == FRAME:
                return self._opened(stored, self._read)
            return self._from_columns(stored) if stored[:4] == MARK else stored
        except (zstandard.ZstdError, ValueError) as error:
            raise Damaged(_WHAT, error) from error

    def _from_columns(self, stored: bytes) -> bytes:
        head = len(MARK)
        begin = head + 1 + LENGTH
        end = begin + int.from_bytes(stored[head + 1 : begin], "big")
        columns = self._opened(stored[end:], self._read_columns)
        return restored(stored[head : head + 1], Laid(stored[begin:end], columns))

    def _opened(self, frame: bytes, reader: zstandard.ZstdDecompressor) -> bytes:
        if zstandard.frame_content_size(frame) > _MOST:
            raise Damaged(_WHAT, f"it says it is larger than {_MOST:,} bytes")
        return reader.decompress(frame)
