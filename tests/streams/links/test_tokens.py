"""Tokens: the same link is the same token, nothing can be read in it, and nothing else opens."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.personal.links import decode, encode, link_of
from retarget.times import DAY, MINUTE
from streams.links import Seal, opened

OLD: Final = "the secret of last year"
NEW: Final = "the secret of this year"
ID: Final = "0123456789abcdef" * 2


def sealed(secret: str = NEW, **changes: object) -> str:
    """The token of a link."""
    told = {
        "person": "anna@shop.example", "known": True, "channel": "email", "products": ["p1", "p2"],
        "at": 60_001, "lasts": DAY,
    } | changes  # fmt: skip
    return Seal(secret)(encode(link_of(ID, **told)))  # type: ignore[arg-type]


def test_a_link_comes_back_as_it_was() -> None:
    """All that it holds, its times in whole minutes: made never later, expired never earlier."""
    link = decode(opened(sealed(), [NEW]) or b"")
    assert (link.message_id, link.person, link.known, link.channel) == (
        ID,
        "anna@shop.example",
        True,
        "email",
    )
    assert link.products == ("p1", "p2")
    assert link.made_at == MINUTE
    assert 60_001 + DAY <= link.expires_at <= 60_001 + DAY + 2 * MINUTE


def test_the_same_link_is_the_same_token() -> None:
    """Thus a replay comes to the same bytes; whatever differs makes another one."""
    assert sealed() == sealed()
    assert Seal(NEW) == Seal(NEW) != Seal(OLD)
    others = [sealed(OLD), sealed(person="bert"), sealed(products=["p1"]), sealed(at=0), sealed(known=False)]
    assert len({sealed(), *others}) == len(others) + 1


def test_nothing_can_be_read_in_it() -> None:
    """Neither the person nor the products, however it is decoded; no part of the secret is shown."""
    token = sealed()
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for told in ("anna", "shop", "p1", "email", ID):
        assert told not in token
        assert told.encode() not in raw
    assert bytes.fromhex(ID) not in raw
    assert NEW not in repr(Seal(NEW))


def test_every_key_opens_and_no_other_does() -> None:
    """After a new one has been put before the old one, links of both are good."""
    assert opened(sealed(OLD), [NEW, OLD]) == opened(sealed(NEW), [NEW, OLD])
    assert opened(sealed(OLD), [NEW]) is None
    assert opened(sealed(), []) is None


def test_every_change_is_found() -> None:
    """Of each bit of the token, and of each letter; a letter more or less."""
    token = sealed()
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw) * 8):
        forged = bytearray(raw)
        forged[place // 8] ^= 1 << place % 8
        assert opened(urlsafe_b64encode(forged).decode().rstrip("="), [NEW]) is None
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert opened(token[:place] + other + token[place + 1 :], [NEW]) is None
        assert opened(token[:place] + token[place + 1 :], [NEW]) is None
    assert opened(token + "=", [NEW]) is None


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda b: urlsafe_b64encode(b).decode())))
def test_nonsense_does_not_open(token: str) -> None:
    """Whatever it is."""
    assert opened(token, [NEW]) is None


@pytest.mark.parametrize("products", [[f"p{n}" for n in range(1000)], ["x" * 512] * 3, ["\U0001f600" * 512]])
def test_an_address_stays_short(products: list[str]) -> None:
    """Products that find no room are left out; those before them stay."""
    link = decode(opened(sealed(products=products), [NEW]) or b"")
    assert link.products == tuple(products[: len(link.products)])
    assert len(sealed(products=products)) < 2_000
