"""Amounts, days and moments are written as people do where the message goes, by the clocks there."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.messages import Message, Offer
from streams.channels import regions
from streams.channels.languages import LANGUAGES
from streams.channels.templates import Templates
from streams.channels.values import values_of
from tests.streams.channels.conftest import message

PRODUCT: Final = {"product_id": "p", "name": "Aurora", "currency": "EUR", "price": 1299.5}
OFFER: Final = Offer(kind="percent", percent=12.5, code="X", expires_at="2026-03-31T22:30:00.000Z")


def text(language: str, locale: str | None, zone: str | None, **more: Any) -> str:  # noqa: ANN401 - of a message
    """A mail with one product, whose price is told half an hour before midnight in London, and a code."""
    told = {"products": [PRODUCT | {"price_as_of": "2026-02-28T23:30:00.000Z"} | more], "locale": locale}
    context = {"salutation": {"line": "X,", "language": language}, "purchases": 0}
    made = msgspec.convert(message(1, context=context, timezone=zone, **told), Message)
    made.offer = OFFER
    return " ".join(Templates("email").text("cart-reminder-1", values_of(made, None), locale=locale).split())


# By language, locale and zone: the price with its day, and until when the code is good.
READERS: Final = """
de | de-DE | Europe/Berlin       | 1.299,50 EUR (Stand 1. März 2026)              | bis 1. April 2026, 00:30 MESZ.
de | de-CH | Europe/Zurich       | 1’299.50 EUR (Stand 1. März 2026)              | bis 1. April 2026, 00:30 MESZ.
en | en-GB | Europe/London       | 1,299.50 EUR (as of 28 February 2026)          | until 31 March 2026, 23:30 BST.
en | en-US | America/New_York    | 1,299.50 EUR (as of February 28, 2026)         | until March 31, 2026, 6:30 PM EDT.
en | sv-SE | Europe/Stockholm    | 1,299.50 EUR (as of 1 March 2026)              | until 1 April 2026, 12:30 am GMT+02:00.
fr | fr-FR | Europe/Paris        | 1 299,50 EUR (au 1er mars 2026)                | jusqu’au 1er avril 2026, 00:30 UTC+02:00.
es | es-ES | Europe/Madrid       | 1.299,50 EUR (a fecha de 1 de marzo de 2026)   | hasta el 1 de abril de 2026, 0:30 CEST.
es | es-MX | America/Mexico_City | 1,299.50 EUR (a fecha de 28 de febrero de 2026) | de 2026, 4:30 p.m. GMT-06:00.
nl | nl_NL | Europe/Amsterdam    | 1.299,50 EUR (stand 1 maart 2026)              | tot 1 april 2026, 00:30 CEST.
it | it-IT | Europe/Rome         | 1.299,50 EUR (in data 1 marzo 2026)            | scadenza 1 aprile 2026, 00:30 CEST.
it |       |                     | 1.299,50 EUR (in data 28 febbraio 2026)        | scadenza 31 marzo 2026, 22:30 UTC.
""".strip().splitlines()  # noqa: E501, RUF001 - as Switzerland writes it


@pytest.mark.parametrize("reader", READERS)
def test_a_mail_says_it_as_its_reader_would(reader: str) -> None:
    """In the language of the greeting, by the customs of the person's country and the time of their zone."""
    language, locale, zone, price, until = map(str.strip, reader.split("|"))
    said = text(language, locale or None, zone or None)
    assert price in said
    assert until in said


@pytest.mark.parametrize(
    ("currency", "said"),
    [("JPY", "1.300 JPY"), ("KWD", "1.299,500 KWD"), ("XXX", "1.299,50 XXX"), (None, "1.299,50 (")],
)
def test_an_amount_has_the_digits_of_its_currency(currency: str | None, said: str) -> None:
    """There are no hundredths of a yen."""
    assert said in text("de", "de-DE", None, currency=currency)


@given(st.sampled_from(LANGUAGES), st.text(max_size=12), st.text(max_size=30), st.text(max_size=12))
def test_whatever_is_told_is_written_somehow(language: str, locale: str, told: str, zone: str) -> None:
    """Nobody misses a mail for a locale, a time or a zone that is none."""
    found = regions.locale_of(language, locale)
    assert found.language == language
    for said in (regions.day(told, found, zone), regions.moment(told, found, zone)):
        assert bool(said) == bool(told)


@pytest.mark.parametrize("zone", ["Europe", "../etc", "Mars/North", "", "x" * 300, "\0"])
def test_a_zone_that_is_none_is_utc(zone: str) -> None:
    """A folder of zones neither."""
    said = regions.moment("2026-03-03T11:00:00.000Z", regions.locale_of("en", "en-GB"), zone)
    assert said == "3 March 2026, 11:00 UTC"
