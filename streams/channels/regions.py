"""Amounts, days and moments as people write them where they live, by the clocks there."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_gmt, get_timezone_name
from babel.numbers import format_currency, format_decimal

from retarget.times import parse_time

_CENTS: Final = "#,##0.00"
# English without a country is no American's: nobody else begins a date with the month.
_ANYWHERE: Final = {"en": "en_001"}
_MOST: Final = 1_024


@lru_cache(_MOST)
def locale_of(language: str, told: str | None) -> Locale:
    """The person's own where it is of this language, else that of the language anywhere."""
    tag = (told or "").partition(".")[0].partition("@")[0].replace("-", "_")
    if tag.partition("_")[0].lower() == language and tag.lower() != language:
        try:
            return Locale.parse(tag)
        except (ValueError, UnknownLocaleError):
            pass
    return Locale.parse(_ANYWHERE.get(language, language))


def price(amount: float | None, currency: object, locale: Locale) -> str:
    """An amount with the digits of its currency, and that when it is known; else with two."""
    if amount is None:
        return ""
    if not currency:
        return format_decimal(amount, _CENTS, locale)
    return format_currency(amount, str(currency), f"{_CENTS} ¤¤", locale)


def number(amount: float, locale: Locale) -> str:
    """Without digits that say nothing."""
    return format_decimal(amount, "0.####", locale)


def day(told: str, locale: Locale, zone: str | None) -> str:
    """The day of a moment of a message; what is none stays as it was told."""
    at = _at(told, zone)
    return told if at is None else _day(at, locale)


def moment(told: str, locale: Locale, zone: str | None) -> str:
    """The day, the time, and whose time that is."""
    at = _at(told, zone)
    if at is None:
        return told
    return f"{_day(at, locale)}, {format_time(at, 'short', at.tzinfo, locale)} {_clock(at, locale)}"


def _at(told: str, zone: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(parse_time(told) / 1000, _zone_of(zone))
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(_MOST)
def _zone_of(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, KeyError):  # no name of a file, a folder, not there
        return UTC


def _day(at: date, locale: Locale) -> str:
    said = format_date(at, "long", locale)
    # Only the first of a month is an ordinal in French, which the tables of Unicode do not tell.
    return said.replace("1 ", "1er ", 1) if locale.language == "fr" and at.day == 1 else said


def _clock(at: datetime, locale: Locale) -> str:
    """As its people call it, such as MEZ, or how far it is from UTC."""
    if at.tzname() == "UTC":
        return "UTC"
    name = get_timezone_name(at, "short", locale=locale)
    return name if name[:1].isalpha() else get_timezone_gmt(at, "long", locale)
