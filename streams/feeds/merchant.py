"""Google Merchant XML, RSS or Atom: one product after the other, however long the file is.

What comes from others is not trusted: a document type, and with it every entity and every other file, is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, Protocol, cast

from defusedxml import DefusedXmlException
from defusedxml.expatreader import create_parser

from retarget.errors import Rejected

_ITEMS: Final = frozenset({"item", "entry"})
_GOOGLE: Final = "http://base.google.com/ns/"
# Of several elements with one name Google's counts, then that without a prefix: an entry of Atom has an `id`
# of its own, which is no product's, and RSS has titles and links for readers of news.
_OF_GOOGLE, _PLAIN, _FOREIGN, _NONE = range(4)
_PART: Final = 64 * 1024
_DEEP: Final = 32
Product = tuple[int, dict[str, str] | Rejected]


class _Parser(Protocol):
    """What we use of the parser, which is published without types."""

    def feed(self, part: bytes) -> None:
        """Read on."""

    def close(self) -> None:
        """That was all."""

    def getLineNumber(self) -> int:  # noqa: N802 - its name
        """The line that is being read."""


class _Broken(Protocol):
    """What the parser says of a mistake."""

    def getMessage(self) -> str:  # noqa: N802 - its name
        """What it is."""

    def getLineNumber(self) -> int:  # noqa: N802 - its name
        """Where it is."""


def products(stream: BinaryIO, most: int) -> Iterator[Product]:
    """Each product with the line on which it begins; one with more than `most` characters is refused.

    A mistake in the XML itself is the last thing told: what follows it cannot be read.
    """
    reader = _Reader(most)
    while True:
        part = stream.read(_PART)
        problem = reader.feed(part)
        yield from reader.taken()
        if problem is not None:
            yield problem
        if problem is not None or not part:
            return


class _Reader:
    """The elements that the parser tells of, as products; it handles the parser's content and errors."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[Product] = []
        self._depth, self._size, self._line, self._silence = 0, 0, 0, 0
        self._item: dict[str, str] | None = None  # the product that has begun
        self._below = 0  # how deep in it
        self._name, self._text = "", ""
        self._google = {"g"}  # prefixes of its namespace; many feeds use this one without declaring it
        self._rank = _PLAIN  # of the field that is being read
        self._ranks: dict[str, int] = {}  # of the product's fields
        self._broken: Product | None = None
        parser = create_parser(forbid_dtd=True)
        parser.setContentHandler(self)
        parser.setErrorHandler(self)
        self._parser = cast("_Parser", parser)

    def feed(self, part: bytes) -> Product | None:
        """Read on; empty bytes are the end. What is wrong with the XML, and where."""
        self._silence += len(part)
        try:
            if part:
                self._parser.feed(part)
            else:
                self._parser.close()
        except DefusedXmlException:
            said = "the file has a document type (DOCTYPE); remove it, no feed needs one"
            return self._parser.getLineNumber(), Rejected("bad_field", said)
        except Rejected as rejected:
            return self._broken or (self._parser.getLineNumber(), rejected)
        if self._silence > self._most + 2 * _PART:
            said = f"one tag has more than {self._most:,} bytes"
            return self._parser.getLineNumber(), Rejected("too_large", said)
        return None

    def taken(self) -> list[Product]:
        """The products since the last call."""
        found, self._found = self._found, []
        return found

    # -- the parser's calls, by its names --

    def startElement(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: N802
        """Look whether a product begins, or a field of one."""
        self._silence = 0
        self._depth += 1
        if self._depth > _DEEP:
            raise Rejected("bad_field", f"elements are more than {_DEEP} deep; that is no feed of products")
        self._declare(attributes)
        if self._item is not None:
            self._below += 1
            if self._below == 1:
                self._name, self._text = _short(name), attributes.get("href", "")
                self._rank = self._rank_of(name)
        elif _short(name) in _ITEMS:
            self._item, self._line, self._size = {}, self._parser.getLineNumber(), 0
            self._ranks = {}

    def endElement(self, _: str) -> None:  # noqa: N802
        """Keep the field, or the product."""
        self._silence = 0
        self._depth -= 1
        if self._item is None:
            return
        if self._below == 0:
            too_large = Rejected("too_large", f"the product has more than {self._most:,} characters")
            self._found.append((self._line, too_large if self._size > self._most else self._item))
            self._item = None
            return
        if self._below == 1 and self._text.strip() and self._rank < self._ranks.get(self._name, _NONE):
            self._item[self._name], self._ranks[self._name] = self._text.strip(), self._rank
        self._below -= 1

    def characters(self, text: str) -> None:
        """Keep text of a field, not more than a product may have."""
        self._silence = 0
        if self._item is not None:
            self._size += len(text)
            if self._below == 1 and self._size <= self._most:
                self._text += text

    def _declare(self, attributes: Mapping[str, str]) -> None:
        for name, value in attributes.items():
            declared = name.startswith("xmlns:") and value.startswith(_GOOGLE)
            if declared and len(self._google) < _DEEP:
                self._google.add(name.removeprefix("xmlns:"))

    def _rank_of(self, name: str) -> int:
        prefix = name.rpartition(":")[0]
        if prefix in self._google:
            return _OF_GOOGLE
        return _FOREIGN if prefix else _PLAIN

    def fatalError(self, error: _Broken) -> None:  # noqa: N802
        """A mistake in the XML."""
        said = f"not sound XML: {error.getMessage()}; nothing after it is read"
        self._broken = error.getLineNumber(), Rejected("bad_field", said)
        raise self._broken[1]

    error = fatalError

    def warning(self, _: _Broken) -> None:
        """Nothing to be said."""

    def setDocumentLocator(self, _: object) -> None:  # noqa: N802
        """The parser itself tells the line."""

    def startDocument(self) -> None:  # noqa: N802
        """Nothing to be done."""

    def endDocument(self) -> None:  # noqa: N802
        """Nothing to be done."""

    def processingInstruction(self, _: str, __: str) -> None:  # noqa: N802
        """Not followed."""

    def ignorableWhitespace(self, _: str) -> None:  # noqa: N802
        """Not kept."""

    def skippedEntity(self, _: str) -> None:  # noqa: N802
        """There are none."""


def _short(name: str) -> str:
    """`g:price` is `price`."""
    return name.rpartition(":")[2]
