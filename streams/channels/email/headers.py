"""Headers of a mail, which say what they are told to say, whatever that looks like.

A mail library would take `=?utf-8?q?abc?=` in the name of a product for an encoded word (RFC 2047) and decode
it. Here such text is encoded itself, as is all that is not ASCII, and folded within what a line may hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.header import Header
from email.utils import getaddresses
from typing import Final, NamedTuple

# 64 characters before the @ and 255 behind it, by RFC 5321.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,255}$)"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_QUOTED: Final = re.compile(r'(["\\])')
_FOLD: Final = "\r\n "
# A line with an encoded word has no more, and so no word has more than 75 (RFC 2047, section 2).
_LINE: Final = 76
# No line of a mail has more (RFC 5322, section 2.1.1).
_LONGEST: Final = 998


class Mailbox(NamedTuple):
    """An address with the name that is shown for it, which may be empty."""

    name: str
    address: str


def is_address(text: str) -> bool:
    """Whether mail can be sent there, as far as its form goes."""
    return bool(_ADDRESS.fullmatch(text)) and ".." not in text and not text.startswith(".")


def mailboxes_in(text: str) -> list[Mailbox]:
    """Those of a list as people write it; none at all where one of them is no address."""
    found = [Mailbox(*one) for one in getaddresses([text])]
    return found if all(is_address(one.address) for one in found) else []


def of_text(name: str, text: str) -> str:
    """A header of free text."""
    words = text.split(" ")
    room = _LINE - len(name) - len(": ")
    if not _is_literal(text) or max(map(len, words)) > room:
        return whole(name, _encoded(name, text))
    return whole(name, _FOLD.join(_lines(words, room)))


def of_mailboxes(name: str, mailboxes: Sequence[Mailbox]) -> str:
    """A header of addresses."""
    return whole(name, f",{_FOLD}".join(_mailbox(name, one) for one in mailboxes))


def of_link(name: str, link: str) -> str:
    """A header of one link, in one line if it can be; space within its brackets counts as none (RFC 2369)."""
    room = _LONGEST - len(f"{name}: <>")
    return whole(name, f"<{_FOLD.join(link[at : at + room] for at in range(0, len(link), room))}>")


def whole(name: str, value: str) -> str:
    """A header with its end. Raises ValueError for what no line can hold."""
    told = f"{name}: {value}\r\n"
    for line in told.removesuffix("\r\n").split(_FOLD):
        if not _PLAIN.fullmatch(line) or len(line) >= _LONGEST:
            raise ValueError(f"{name} holds what no line of a mail can")
    return told


def _is_literal(text: str) -> bool:
    """Whether nobody takes it for anything else."""
    return _PLAIN.fullmatch(text) is not None and "=?" not in text


def _encoded(name: str, text: str) -> str:
    return Header(text, "utf-8", maxlinelen=_LINE, header_name=name).encode(linesep="\r\n")


def _lines(words: Sequence[str], room: int) -> Iterator[str]:
    """The words, as many in a line as it has room for."""
    line = words[0]
    for word in words[1:]:
        # A line of nothing but space would end the header for some readers.
        if word and line.strip() and len(line) + 1 + len(word) > room:
            yield line
            line, room = word, _LINE - 1
        else:
            line = f"{line} {word}"
    yield line


def _mailbox(header: str, mailbox: Mailbox) -> str:
    name, address = mailbox
    if not name:
        return address
    if not _is_literal(name):
        shown = _encoded(header, name)
    elif _ATOMS.fullmatch(name):
        shown = name
    else:
        shown = '"' + _QUOTED.sub(r"\\\1", name) + '"'
    last = shown.rpartition("\r\n")[2]
    apart = " " if len(header) + len(": ") + len(last) + len(f" <{address}>") <= _LINE else _FOLD
    return f"{shown}{apart}<{address}>"
