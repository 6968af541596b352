"""Salutations: a table of people, none greeted wrongly, neutral wherever anything is missing or unsure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.personal import names
from retarget.personal.salutation import salutation
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_profile, a_view

TABLE: Final = Path(__file__).with_name("salutations.txt")
# Words by which a line would say what somebody is.
GENDERED: Final = ("Frau", "Herr", "Ms", "Mr", "Mrs", "Madame", "Monsieur", "Sra.", "Sr.", "Dra.", "Estimad",
                   "mevrouw", "heer", "Sig.", "Sig.ra", "Dott.", "Dott.ssa", "Prof.ssa",
                   "Sehr geehrte")  # fmt: skip
# Those among the words of anybody.
TITLES: Final = ("Herr", "Frau", "Mr", "Sig.ra")
LANGUAGES: Final = ("de", "en", "fr", "es", "nl", "it")
KEYS: Final = ("locale", "gender", "title", "first_name", "last_name", "formality")


def cases() -> Iterator[tuple[dict[str, Any], str]]:
    """Every line of the table: traits in the order of KEYS, `-` for what is not told; the greeting."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        *told, greeting = (part.strip() for part in line.split("|"))
        traits = {key: _value(text) for key, text in zip(KEYS, told, strict=True) if text != "-"}
        yield traits, greeting


def _value(text: str) -> Any:  # noqa: ANN401 - JSON in the table is what is no text
    return json.loads(text) if text[:2] in ('["', '{"') or text.isdigit() else text


@pytest.mark.parametrize(("traits", "greeting"), list(cases()), ids=str)
def test_the_table(traits: dict[str, Any], greeting: str) -> None:
    """Each person is greeted as the table says."""
    assert salutation(traits).line == greeting


def test_the_table_is_long_enough() -> None:
    """More than 200 people, of all languages, and nobody twice."""
    people = [json.dumps(traits, sort_keys=True) for traits, _ in cases()]
    assert len(people) == len(set(people)) >= 200
    assert all(sum(str(traits.get("locale"))[:2] == one for traits, _ in cases()) > 20 for one in LANGUAGES)


def test_only_a_stated_gender_is_said() -> None:
    """The lines of the table that say one are of people for whom `neutral` is false, and no others."""
    for traits, _ in cases():
        found = salutation(traits)
        assert found.neutral != any(word in found.line for word in GENDERED), found.line


@pytest.mark.parametrize(
    ("first", "last"), [("Anna Muster", "Muster"), ("Anna", "Anna Muster"), ("anna", "ANNA MUSTER")]
)
def test_no_name_is_said_twice(first: str, last: str) -> None:
    """An envelope and the line `To` of a mail have both names, one after the other."""
    found = salutation({"locale": "de", "gender": "w", "first_name": first, "last_name": last})
    assert (found.first_name, found.last_name) == ("Anna", "Muster")


WORDS: Final = st.one_of(
    st.sampled_from(["Anna", "Max", "Müller", "van den Berg", "<b>Anna</b>", "{{name}}", "Herr", "Frau",
                     "Dr.", "m", "f", "Mr", "Sig.ra", "http://x.de", "ANNA", "a@b.de", "O'Brien", "Firma"]),
    st.text(max_size=45),
    st.none(), st.integers(), st.booleans(), st.lists(st.text(max_size=5), max_size=2),
)  # fmt: skip
ANYBODY: Final = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(KEYS[1:], WORDS) | {"locale": st.sampled_from([*LANGUAGES, "nl-BE", ""])}
)  # fmt: skip


@given(ANYBODY, st.sampled_from(["", *LANGUAGES]))
def test_nobody_has_a_gender_that_is_not_stated(traits: dict[str, Any], language: str) -> None:
    """Without a gender, and without a title or what might be one, the line is neutral in every language."""
    told = {**traits, "gender": None, "title": None}
    told["last_name"] = str(told.get("last_name") or "").split(" ")[-1]
    for field in ("first_name", "last_name"):
        if told.get(field) in TITLES:
            told[field] = None
    found = salutation(told, language)
    assert found.neutral
    assert found.gender is found.courtesy is None


@given(ANYBODY, st.sampled_from(["", *LANGUAGES]), st.booleans())
def test_nothing_comes_through_that_is_no_name(
    traits: dict[str, Any], language: str, formal: bool  # noqa: FBT001
) -> None:  # fmt: skip
    """No markup, digits, addresses, line ends or directions of writing, whatever the traits hold; short."""
    found = salutation(traits, language, formal=formal)
    for text in (value for value in msgspec.to_builtins(found).values() if isinstance(value, str)):
        assert not set("<>&\"'`{}[]()$%\\/@=_;\n\r\t\u202e\u200b0123456789") & set(text), text
        assert len(text) < 120
        assert text == text.strip()


@given(st.sampled_from(LANGUAGES), st.sampled_from(["f", "female", "m", "male", "w", "v", "h"]), ANYBODY)
def test_a_contradiction_is_neutral(language: str, gender: str, traits: dict[str, Any]) -> None:
    """A woman by one word and a man by the other is greeted as neither."""
    other = {"f": "Monsieur", "female": "Herr", "w": "Herr", "v": "Heer"}.get(gender, "Madame")
    assert salutation(traits | {"locale": language, "gender": gender, "title": other}).neutral
    for first in (other, f"{other} Kim", f"Kim {other}"):
        found = salutation(traits | {"locale": language, "gender": gender, "first_name": first})
        assert found.neutral
        assert other not in found.line


@given(st.sampled_from(LANGUAGES), st.sampled_from(["Herr", "Mrs", "Mr", "Sra.", "mevrouw"]), ANYBODY)
def test_nobody_is_called_by_a_title(language: str, title: str, traits: dict[str, Any]) -> None:
    """Who has only a title for a first name is greeted without one, and it is not told as a name."""
    found = salutation(traits | {"locale": language, "first_name": title, "formality": "informal"})
    assert title.strip(".") not in found.line
    assert found.first_name is None


def test_a_message_has_it() -> None:
    """The context's salutation has the line and its sure parts; the shop's language and form are settings."""
    rule = a_rule(
        rule="r", subject="person", event="view", again="never", description="x",
        steps=[{"channels": ["email"], "template": "t"}],
    )  # fmt: skip
    told = a_profile(at=NOON - 1, gender="f", title="Dr.", first_name="Anna", last_name="Muster")
    [message] = Shop([rule], a_policy(language="de")).read(told, a_view()).sent()
    assert message["context"]["salutation"] == {
        "line": "Sehr geehrte Frau Dr. Muster,", "language": "de", "formal": True, "neutral": False,
        "gender": "female", "courtesy": "Frau", "title": "Dr.", "first_name": "Anna", "last_name": "Muster",
    }  # fmt: skip
    [message] = Shop([rule], a_policy(language="de", formal=False)).read(told, a_view()).sent()
    assert message["context"]["salutation"]["line"] == "Hallo Anna,"
    [message] = Shop([rule]).read(a_view()).sent()
    assert message["context"]["salutation"] == {
        "line": "Hello,", "language": "en", "formal": True, "neutral": True,
    }  # fmt: skip


ODD: Final = (
    "Anna",
    "Test",
    "Ärger",
    "Straße",
    "ǅabc",
    "Maaass",
    "Firma",
    "İpek",
    "Jo",
    "ΑΣΣ",
    "Ñandu",
    "Ŀuis",
)


@given(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(ODD),
        st.text(alphabet="abcAZÄßşİ\u0131\u017f\ufb01", max_size=8),
    )
)
def test_ordinary_names_need_no_closer_look(told: str) -> None:
    """What is taken as it stands at the first look is what a closer look comes to."""
    assert not names._is_plain(told) or (names._read(told) == names.Name(told) == names.first(told))  # noqa: SLF001
