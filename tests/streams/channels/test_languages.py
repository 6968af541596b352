"""What ships is said in six languages, whole, and in the one that the person is greeted in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment

from retarget.messages import Message
from retarget.personal.wording import WORDINGS
from retarget.rules.vocabulary import VOCABULARY
from streams.channels.languages import ENGLISH, LANGUAGES, words
from streams.channels.templates import Templates
from streams.channels.values import values_of
from streams.resources import config_dir, default_rules_dir
from streams.rulebook import load_rules
from tests.streams.channels.conftest import message

TEMPLATES: Final = config_dir() / "templates"
SHIPPED: Final = sorted(path for path in TEMPLATES.rglob("*") if path.suffix in (".j2", ".txt", ".html"))
# A greeting may be either, so that what follows says neither.
YOU: Final = {
    "de": r"Sie|Ihnen|Ihr\w*|du|dich|dir|dein\w*|euch|euer",
    "fr": r"vous|votre|vos|tu|toi|ton|ta|tes",
    "es": r"usted|ustedes|tú|tu|tus|ti|te",
    "nl": r"u|uw|jij|je|jou|jouw",
    "it": r"tu|tuo|tua|tuoi|ti|te|Lei|vi|vostro",
}


def written() -> set[str]:
    """Every English text in a template or in a rule."""
    environment = Environment(extensions=["jinja2.ext.i18n"])  # noqa: S701 - nothing is rendered
    texts = {
        text if isinstance(text, str) else text[0]
        for path in SHIPPED
        for _, _, text in environment.extract_translations(path.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    }
    return texts | {rule.why for rule in load_rules([default_rules_dir()], VOCABULARY) if rule.why}


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {ENGLISH}))
def test_every_text_is_there_in_every_language(language: str) -> None:
    """No more and no less, with the same parts to be filled in, and for both forms of address."""
    known = words(language)
    assert known.keys() == written()
    for english, text in known.items():
        assert sorted(re.findall(r"%\(\w+\)s|%%", english)) == sorted(re.findall(r"%\(\w+\)s|%%", text))
        assert text.strip() == text
        assert not re.search(r"[<>&]", text)
        assert not re.search(rf"(?<!\w)(?:{YOU[language]})(?!\w)", text), text


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {ENGLISH}))
def test_no_sign_stands_alone_at_the_beginning_of_a_line(language: str) -> None:
    """A space before a sign, as the French have it, or within quotes, is one at which no line ends."""
    assert not [text for text in words(language).values() if re.search(r" ([:;?!»]|%%)|« ", text)]


def test_no_text_outside_of_the_catalogues() -> None:
    """A template that is written as words has no other language."""
    for path in SHIPPED:
        bare = re.sub(
            r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        assert not re.findall(r"[A-Za-z]{3,}", bare), path.name


def test_the_languages_are_those_of_greetings() -> None:
    """Whoever is greeted in one of them reads on in it."""
    assert {*LANGUAGES} == WORDINGS.keys()
    assert {path.stem for path in (TEMPLATES / "words").glob("*.po")} == {*LANGUAGES} - {ENGLISH}
    for path in (TEMPLATES / "words").glob("*.po"):
        with path.open("rb") as file:
            assert not [one for one in read_po(file) if one.fuzzy or (one.id and not one.string)]


def subject(salutation: object, locale: str | None, own: Path | None = None) -> str:
    """The subject of the first reminder for somebody who is greeted like this."""
    context = {"salutation": salutation, "purchases": 0}
    made = msgspec.convert(message(1, context=context, locale=locale), Message)
    values = values_of(made, None)
    return Templates("email", str(own or "")).block("cart-reminder-1", "subject", values, locale=locale)


@pytest.mark.parametrize(
    ("salutation", "locale", "said"),
    [
        ({"line": "Sehr geehrte Frau Muster,", "language": "de"}, "de-AT", "Der Warenkorb ist noch da"),
        ({"line": "Bonjour,", "language": "fr"}, "sv-SE", "Le panier est toujours là"),
        ({"line": "Hello,", "language": "en"}, "sv-SE", "Your cart is still here"),
        ({"neutral": True}, "nl_BE", "De winkelmand staat er nog"),
        ({"neutral": True}, "sv-SE", "Your cart is still here"),
        ({"neutral": True}, None, "Your cart is still here"),
        ({"line": "Hej,", "language": "sv"}, "it-IT", "Your cart is still here"),
    ],
)
def test_the_language_is_that_of_the_greeting(salutation: Any, locale: str | None, said: str) -> None:  # noqa: ANN401 - as told
    """Else that of the person's locale; English where there are no words for it."""
    assert subject(salutation, locale) == said


def test_own_templates_are_in_the_language_of_their_name(tmp_path: Path) -> None:
    """What a shop has written is not mixed with another language: no name, no translation."""
    (tmp_path / "email").mkdir()
    own = tmp_path / "email" / "cart-reminder-1.j2"
    text = '{% block subject %}Hej! {{ _("Back to your cart") }}{% endblock %}'
    own.write_text(text)
    german = {"line": "Guten Tag,", "language": "de"}
    assert subject(german, "de-DE", tmp_path) == "Hej! Back to your cart"
    own.rename(own.with_name("cart-reminder-1.de.j2"))
    assert subject(german, "de-DE", tmp_path) == "Hej! Zurück zum Warenkorb"


# Where a sentence goes on behind the comma of its greeting.
GOING_ON: Final = ("de", "it")


@pytest.mark.parametrize("label", sorted(path.stem for path in (TEMPLATES / "email").glob("*.j2")))
def test_what_follows_the_greeting_goes_on_as_the_language_has_it(label: str) -> None:
    """With a small letter in German and Italian, whose greeting is the beginning of the sentence."""
    for language in LANGUAGES:
        context = {"salutation": {"line": "X,", "language": language}, "purchases": 5}
        for more in ({}, {"store": "Bonn"}):
            given = msgspec.convert(message(1, context=context | more), Message)
            body = Templates("email").block(label, "body", values_of(given, None))
            assert body[0].islower() == (language in GOING_ON), body


def test_what_comes_from_a_message_is_escaped_in_every_language() -> None:
    """Names, search texts and reasons, whether there are words for them or not."""
    evil = "<script>alert(1)</script>%(x)s"
    for language in LANGUAGES:
        context = {"salutation": {"line": evil, "language": language}, "purchases": 0}
        given = message(
            1, context=context, why=evil, products=[{"product_id": "p", "name": evil, "price": 1.0}]
        )
        values = values_of(msgspec.convert(given | {"subject": {"kind": "query", "id": evil}}, Message), None)
        for label in ("back-in-stock", "search-reminder"):
            html = Templates("email").html(label, values)
            assert "<script" not in html
            assert html.count("&lt;script") >= 3
