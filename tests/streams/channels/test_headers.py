"""The headers of a mail, as a mail library reads them: they say what they were told to say."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from functools import cache
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.errors import BadInput
from retarget.formats import reading
from retarget.messages import Message
from streams.channels.email import headers
from streams.channels.email.links import Seal
from streams.channels.email.writing import Writer
from streams.channels.templates import NotWritten, Templates
from tests.streams.channels.conftest import SEAL, message

NOW: Final = 1_772_362_800_000
LONGEST: Final = 200
LONG: Final = "Fernseher „Größe XXL“ für das Wohnzimmer, " * 6
#: Names of products that a library takes for encoded words, and some that break it.
ODD: Final = (
    "=?utf-8?q?abc?=", "=?utf-8?b?8J+Y?=", "=?x?q?=e4?=", "=?utf-8?q?a", "?=", 'Tent \\ "2" (new)',
    "=??b?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx?=\u0301",
    '"\ufeff\u00a0=?utf-8?b?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx?=\u0301',
    "a" * 200, "日本語" * 60, "😀" * 60, LONG, "x" * 60 + " " + "ü" * 3, "ann@x.example, <b@c.example>;",
)  # fmt: skip
PARTS: Final = st.sampled_from(
    ["=?", "?=", "=?utf-8?q?", "=?utf-8?b?", "?", "=", "_", '"', "\\", "<", ">", "@", ",", ";", ":", "(", ")",
     "[", "]", " ", "  ", "a", "Tent", "ä", "\u2028", "\u00a0", "\u200b", "😀", "\u0301", "\x0b", "\r\n",
     "\ufeff", "\u202e", ".", "\t", "日本語", "x" * 40, "\x00", "\x7f"]
)  # fmt: skip


@cache
def writer(url: str = "") -> Writer:
    """One of a shop, which people leave at this URL."""
    seal = Seal("a secret of these tests", url) if url else SEAL
    return Writer("Our Shop <news@shop.example>", "", Templates("email"), seal)


def sent(url: str = "", **more: Any) -> bytes:  # noqa: ANN401 - fields of a message
    """The mail about a price that dropped, as it leaves."""
    made = msgspec.convert(message(1, template="price-drop", **more), Message)
    return writer(url).write(made, "ann@mail.example", NOW)


def read(raw: bytes) -> EmailMessage:
    """As it arrives; lines and encoded words are as long as they may be."""
    head = raw.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        encoded = re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", line)
        assert len(line) <= (76 if encoded else 998)
        assert all(len(word) <= 75 for word in encoded)
        assert line.strip()
    mail = message_from_bytes(raw, policy=default)
    assert not [*mail.defects, *mail["Subject"].defects, *mail["From"].defects, *mail["To"].defects]
    return mail


def named(raw: bytes, header: str) -> str:
    """Who is named there. The reader above puts a space between the words of an encoded name."""
    name, _ = parseaddr(message_from_bytes(raw)[header])
    return str(make_header(decode_header(name)))


def about(name: str) -> dict[str, Any]:
    """What a message says of a product of this name."""
    return {"products": [{"product_id": "p1", "name": name, "price": 4.0}]}


def called(name: str) -> dict[str, Any]:
    """A person and a sender of this name."""
    return {"context": {"salutation": {"line": "Hello,", "first_name": name}, "sender": {"name": name}}}


def shown(product: str) -> str:
    """On one line, as far as anybody reads; what has no name is known by its id."""
    line = reading.line(product) or "p1"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


@pytest.mark.parametrize("name", ODD)
def test_the_subject_says_what_the_product_is_called(name: str) -> None:
    """Letter by letter, as far as anybody reads, and the names of people are theirs: nothing is decoded."""
    raw = sent(**about(name), **called(name))
    mail = read(raw)
    wanted = " ".join(f"{name if len(name) <= LONGEST else name[: LONGEST - 1] + '…'} costs less now".split())
    assert str(mail["Subject"]) == wanted
    called_so = " ".join(name[:100].split())
    assert named(raw, "To") == named(raw, "From") == called_so


@given(product=st.lists(PARTS, max_size=9).map("".join), name=st.lists(PARTS, max_size=9).map("".join))
@settings(max_examples=150, deadline=None)
def test_whatever_something_is_called_it_stays_in_its_header(product: str, name: str) -> None:
    """One subject, one address, one way out; a name that is nothing but control characters is empty."""
    mail = read(sent(**about(product), **called(name)))
    wanted = f"{shown(product)} costs less now"
    assert str(mail["Subject"]).replace("\x00", "") == wanted.replace("\x00", "")
    assert [one.addr_spec for one in mail["To"].addresses] == ["ann@mail.example"]
    assert [one.addr_spec for one in mail["From"].addresses] == ["news@shop.example"]
    assert len(mail.get_all("List-Unsubscribe", [])) == 1


def test_plain_text_stays_plain() -> None:
    """What is ASCII and looks like nothing else is folded between its words, and can be read as it is."""
    told = headers.of_text("Subject", "now " * 40 + "or never")
    assert max(map(len, told.split("\r\n"))) <= 76
    assert told.replace("\r\n ", " ") == "Subject: " + "now " * 40 + "or never\r\n"
    assert headers.of_text("Subject", "") == "Subject: \r\n"
    assert headers.of_mailboxes("To", [headers.Mailbox("Ann, Lee", "a@b.example")]) == (
        'To: "Ann, Lee" <a@b.example>\r\n'
    )


@pytest.mark.parametrize("person", ["u1", "u" * 512, "ü" * 512, "日" * 512, "😀" * 512])
def test_whatever_a_person_is_called_there_is_a_way_out(person: str) -> None:
    """In one line for ids in ASCII; a longer link goes on behind space, which is none of it (RFC 2369)."""
    raw = sent(user_id=person, anonymous_id="😀" * 512 if not person.isascii() else None)
    [line] = re.findall(rb"^List-Unsubscribe: (<https://[^>]*>)\r$", raw, re.MULTILINE)
    assert (b"\r\n" not in line) == person.isascii()
    assert all(len(one) <= 998 for one in raw.split(b"\r\n"))
    link = re.sub(rb"\s", b"", line).decode().strip("<>")
    leaver = SEAL.read(link.removeprefix("https://news.shop.example/unsubscribe/"))
    assert leaver is not None
    assert leaver.user_id == person


def test_a_link_that_nobody_could_follow_is_not_sent() -> None:
    """Ids are 512 characters at most; whoever writes longer ones into the topic gets a dead letter."""
    with pytest.raises(NotWritten, match="unsubscribe link") as refused:
        sent(user_id="u" * 5_000)
    assert refused.value.reason == "bad_message"


def test_the_address_of_the_page_is_ascii() -> None:
    """Whatever letters `channel.public_url` is written with."""
    mail = read(sent("https://post.müller.example/schöne post/"))
    assert mail["List-Unsubscribe"].startswith(
        "<https://post.xn--mller-kva.example/sch%C3%B6ne%20post/unsubscribe/"
    )


def test_what_no_line_holds_is_a_bad_message() -> None:
    """Such as an id of a thousand characters, by which mail programs would know the mail."""
    made = msgspec.structs.replace(msgspec.convert(message(1), Message), message_id="m" * 1_000)
    with pytest.raises(NotWritten, match="Message-ID"):
        writer().write(made, "ann@mail.example", NOW)


@pytest.mark.parametrize("told", ["nobody", "Ann <a@b.example>, nobody", "a@b.example\r\nBcc: x"])
def test_who_is_to_be_answered_has_an_address(told: str) -> None:
    """It is refused at the start, and not mail by mail; several are as good as one."""
    with pytest.raises(BadInput, match=r"email\.reply_to: found"):
        Writer("news@shop.example", told, Templates("email"), SEAL)
    made = msgspec.convert(message(1), Message)
    several = Writer("news@shop.example", "Änn <a@b.example>, c@d.example", Templates("email"), SEAL)
    mail = read(several.write(made, "ann@mail.example", NOW))
    assert [one.addr_spec for one in mail["Reply-To"].addresses] == ["a@b.example", "c@d.example"]
