"""Whole mails, byte for byte: what a message in its topic comes to at the relay."""

from __future__ import annotations

import json
import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Final

import msgspec
import pytest

from retarget.messages import Message
from streams.channels.email.links import Seal
from streams.channels.email.writing import Writer
from streams.channels.languages import ENGLISH, LANGUAGES
from streams.channels.templates import Templates

GOLDEN: Final = Path(__file__).with_name("golden")
NAMES: Final = sorted(path.stem for path in GOLDEN.glob("*.json"))
NOW: Final = 1_772_362_800_000
# All that is drawn by chance in a mail: the line between its parts, and the seal of the unsubscribe link.
BOUNDARY: Final = re.compile(rb"={15}\d{19}==")
# A line may be broken anywhere, also within the path before the seal.
SOFT: Final = rb"(?:=\r\n)?"
PATH: Final = SOFT.join(re.escape(bytes([one])) for one in b"/unsubscribe/")
SEALED: Final = re.compile(rb"(" + PATH + rb")(?:[\w-]|=\r\n)+")


def mail_of(name: str) -> bytes:
    """The mail that the channel service makes of the message, at noon."""
    message = msgspec.convert(json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")), Message)
    seal = Seal("a secret of this test", "https://news.shop.example/")
    own = GOLDEN / name
    templates = Templates("email", str(own) if own.is_dir() else "")
    writer = Writer("Our Shop <news@shop.example>", "help@shop.example", templates, seal)
    return writer.write(message, message.to["email"], NOW)


def steady(mail: bytes) -> bytes:
    """The same without what is drawn by chance."""
    return SEALED.sub(rb"\1SEALED", BOUNDARY.sub(b"BOUNDARY", mail))


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_is_what_it_was(name: str) -> None:
    """Headers, both parts, every byte (RFC 5322, 2045 to 2047, 8058)."""
    assert steady(mail_of(name)) == (GOLDEN / f"{name}.eml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_as_long_as_they_may_be(name: str) -> None:
    """CRLF alone ends them, after 998 ASCII characters at most; a library finds no defect."""
    mail = mail_of(name)
    assert mail.isascii()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", mail) is None
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    read = message_from_bytes(mail, policy=default)
    assert not [defect for one in read.walk() for defect in one.defects]


def test_there_is_one_of_each() -> None:
    """A shop's own German, one with a code, the name on the bottle, and those that ship in each language."""
    shipped = [f"shipped-{language}" for language in sorted({*LANGUAGES} - {ENGLISH})]
    assert ["english-code", "german", "name-on-the-bottle", *shipped] == NAMES
