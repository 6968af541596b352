"""The words of the templates that ship, in each language, and its amounts and days.

The words are gettext's: what stands in a template is English, and a catalogue for each other language says
the same. Which language a message has is said by its greeting, so that both are in the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from babel import Locale
from babel.messages.pofile import read_po
from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from streams.channels import regions
from streams.resources import config_dir

#: Whoever is greeted in none of these, or in no language at all.
ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "de", "fr", "es", "nl", "it")


def language_of(locale: object) -> str:
    """The language of a locale such as de-AT, if there are words for it; else English."""
    tag = locale.replace("_", "-").partition("-")[0].lower() if isinstance(locale, str) else ""
    return tag if tag in LANGUAGES else ENGLISH


def language_asked_for(accepted: str) -> str:
    """The first language of an `Accept-Language` that there are words for; else English.

    Browsers name the one most wanted first, so that weights need not be read.
    """
    tags = (tag.partition(";")[0].strip().partition("-")[0].lower() for tag in accepted.split(","))
    return next((tag for tag in tags if tag in LANGUAGES), ENGLISH)


@cache
def words(language: str) -> dict[str, str]:
    """What each English text is in a language; nothing for English."""
    if language == ENGLISH:
        return {}
    path = config_dir() / "templates" / "words" / f"{language}.po"
    with path.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale=language) if one.id}


def speak(environment: SandboxedEnvironment, language: str) -> None:
    """Have templates of this environment say `_("...")` in a language, and write figures as it does."""
    known = words(language)

    def said(text: str) -> str:
        return known.get(text, text)

    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(said, lambda one, _many, _count: said(one), newstyle=True)  # type: ignore[attr-defined]
    # Not marked as safe, as `_` does: what comes from a message is escaped.
    environment.filters["said"] = said
    environment.filters |= _figures(language)


def _figures(language: str) -> dict[str, Callable[..., str]]:
    """Filters that write as people do where the message goes, in the language of the template."""

    def of(context: Context) -> Locale:
        return regions.locale_of(language, context.get("locale"))

    @pass_context
    def price(context: Context, amount: float | None, currency: str | None = None) -> str:
        return regions.price(amount, currency, of(context))

    @pass_context
    def number(context: Context, amount: float) -> str:
        return regions.number(amount, of(context))

    @pass_context
    def day(context: Context, told: Any) -> str:  # noqa: ANN401 - as told
        return regions.day(str(told), of(context), context.get("timezone"))

    @pass_context
    def moment(context: Context, told: Any) -> str:  # noqa: ANN401 - as told
        return regions.moment(str(told), of(context), context.get("timezone"))

    return {"price": price, "number": number, "day": day, "moment": moment}
