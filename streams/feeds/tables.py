"""Tables with a header as rows by column: what is wrong with one row takes no other with it.

A cell in quotes may have line breaks in it. So a quote that is never closed swallows the lines behind it
until another quote closes it by chance; then nothing fits any more, the line where it was opened is refused,
and the reading begins anew with the line after that one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from retarget.errors import BadInput, Rejected
from streams.files import physical_lines

Row = tuple[int, dict[str, str] | Rejected]
_DELIMITERS: Final = "\t;,|"
# More than any description has; so much at most is read twice, and lost where a quote is closed by chance.
_MOST_LINES: Final = 500


def rows(path: str, most: int, is_product: Callable[[dict[str, str]], bool]) -> Iterator[Row]:
    """Each row with the first of its lines. Raises BadInput.

    A row has at most `most` bytes. Lines of which `is_product` holds by themselves are none of a cell's text.
    """
    lines = _Lines(path, most)
    columns, delimiter = _header(path, lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            cells = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            said = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
            found: dict[str, str] | Rejected = Rejected("bad_field", f"the row cannot be read: {said}")
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        else:
            if cells is None:
                return
            if not cells:
                continue
            found = _row(columns, cells)
        if len(lines.taken) > 1:
            between = (_alone(columns, delimiter, raw) for _, raw in lines.taken[1:-1])
            found = _judged(found, lines, sum(row is not None and is_product(row) for row in between))
        yield lines.taken[0][0], found


def _judged(found: dict[str, str] | Rejected, lines: _Lines, products: int) -> dict[str, str] | Rejected:
    """What a row of several lines is; gives back those behind a quote that is not closed where it should be.

    `products`: so many of the lines between the first and the last are by themselves.
    """
    if isinstance(found, Rejected):
        why = found.detail
    elif 2 * products > len(lines.taken) - 2:
        why = "the lines between are products of their own"
    else:
        return found
    first, last = lines.taken[0][0], lines.taken[-1][0]
    lines.give_back()
    said = (
        f"a quote that is opened in line {first} runs on to line {last}, and {why}; close it, or mend the row"
    )
    return Rejected("bad_field", said)


def _header(path: str, lines: _Lines) -> tuple[list[str], str]:
    """The columns, and what is between them. Raises BadInput."""
    try:
        header = next(lines, "")
        delimiter = max(_DELIMITERS, key=header.count)
        columns = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput([f"{path}, line 1: cannot be read as column names: {error}"]) from None
    if len(columns) < 2:  # noqa: PLR2004 - a product, and something about it
        raise BadInput([f"{path}, line 1: a feed begins with a line of column names; write it"])
    return [cell.strip().lower() for cell in columns], delimiter


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str] | Rejected:
    if len(cells) != len(columns):
        return Rejected("bad_field", f"the row has {len(cells)} columns where {len(columns)} are expected")
    return dict(zip(columns, cells, strict=True))


def _alone(columns: Sequence[str], delimiter: str, raw: bytes) -> dict[str, str] | None:
    """The row that one line is; None where it is none."""
    try:
        cells = next(csv.reader([raw.decode()], delimiter=delimiter, strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        return None
    row = _row(columns, cells)
    return None if isinstance(row, Rejected) else row


class _Lines:
    """Physical lines as text; what was taken for one row can be given back, all but the first."""

    def __init__(self, path: str, most: int) -> None:
        self._lines, self._most = physical_lines(path), most
        self._back: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self.taken: list[tuple[int, bytes]] = []  # by their numbers

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, whole = self._back.popleft() if self._back else next(self._lines)
        raw = whole[: self._most]
        self.taken.append((number, raw))
        self._size += len(raw)
        if len(self.taken) > _MOST_LINES:
            raise csv.Error(f"it has more than {_MOST_LINES} lines")
        if self._size > self._most:
            raise csv.Error(f"it has more than {self._most:,} bytes")
        return raw.decode() + "\n"

    def begin(self) -> None:
        """The next line is the first of a row."""
        self.taken.clear()
        self._size = 0

    def give_back(self) -> None:
        """All that was taken, but for the first line, comes once more."""
        self._back.extendleft(reversed(self.taken[1:]))
