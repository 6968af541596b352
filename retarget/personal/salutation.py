"""The salutation: by language, title, gender and wish; neutral when any of it is missing or contradictory.

Nothing is guessed: a gender is that which the person, or a word of their title, states.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec

from retarget.personal import names
from retarget.personal.names import Name
from retarget.personal.wording import (
    DEGREES,
    FORMAL,
    GENDERS,
    LETTERS,
    LOCAL_TITLES,
    NOBLE,
    PROFESSOR,
    SILENT,
    TITLES,
    UNTOLD,
    WORDINGS,
    Wording,
)

# The trait by which a person wishes to be addressed formally or informally.
WISH: Final = "formality"
_LONGEST: Final = 40
_LOCALE: Final = re.compile(r"([a-z]{2,3})(?:[-_.@]([a-z]{2}(?![a-z]))?.*)?", re.IGNORECASE | re.DOTALL)
_DOTTED: Final = {"sig.ra": "sigra", "sig.na": "signorina", "dott.ssa": "dottssa", "prof.ssa": "profssa"}


# Titles of some language that are a first name in none, as Sig or Don may be; elsewhere they say nothing.
_NO_NAMES: Final = frozenset({"mr", "hr", "fr", "sr", "sir", "madam", "dña"})
# Why a message is not in the language of its person.
UNKNOWN_LOCALE: Final = "unknown_locale"
_TOLD: Final = frozenset({"locale", "title", "gender", "first_name", "last_name", WISH})


class Salutation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The greeting line and the parts it was made of, as far as they are sure; `neutral`: of no gender."""

    line: str
    language: str
    formal: bool
    neutral: bool
    gender: str | None = None
    courtesy: str | None = None
    title: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class _Title(msgspec.Struct, frozen=True):
    """What a title says: genders, the highest degree, and whether there is more that nobody understands."""

    genders: frozenset[str] = frozenset()
    degree: str = ""
    unclear: bool = False


def salutation(traits: Mapping[str, Any], language: str = "", *, formal: bool = True) -> Salutation:
    """How to greet a person of these traits.

    `language` is the shop's, for people who have told no locale; `formal` what it says to those without a
    wish. In a language that is not known here nobody is named.
    """
    if _TOLD.isdisjoint(traits):
        return _of_nobody(language, formal)
    found, region = _language(traits.get("locale"), language)
    # In Belgium names are written as they were registered, which capitals do not tell.
    small = names.SMALL.get(found, frozenset()) if region != "BE" else frozenset[str]()
    prefix, last = _split(traits.get("last_name"), found, small)
    before, first = _first(traits.get("first_name"), found)
    title = _title(traits.get("title"), before + prefix, found)
    gender = _gender(traits.get("gender"), title, found)
    if first.several or last.several or (first.text and first.text.casefold() == last.text.casefold()):
        gender, first, last = "", names.NONE, names.NONE
    first, last = names.apart(first, last)
    if gender and _noble(last.text) not in ("", gender):
        gender = ""
    formal = _formal(traits.get(WISH), formal)
    line, neutral = _line(found, region, gender, title.degree, (first.text, last.text), formal=formal)
    wording = WORDINGS.get(found)
    return Salutation(
        line=line or _plain(WORDINGS[language or "en"], formal=formal),
        language=found or language or "en",
        formal=formal,
        neutral=neutral,
        gender=gender or None,
        courtesy=wording.courtesy.get(gender) if wording is not None else None,
        title=_degree(wording, gender, title.degree),
        first_name=first.text or None,
        last_name=last.text or None,
    )


@cache
def _of_nobody(language: str, formal: bool) -> Salutation:  # noqa: FBT001 - a value, no switch
    """The greeting of people of whom nothing is told, as most are at first."""
    return salutation({"locale": None}, language, formal=formal)


def is_spoken(told: object) -> bool:
    """Whether somebody who told this locale can be greeted in its language, or has told none."""
    return told is None or told == "" or bool(_language(told, "")[0])


def _language(told: object, language: str) -> tuple[str, str]:
    """The language to greet in, empty for one that is not known, and the region."""
    if told is None or told == "":
        return language, ""
    parts = _LOCALE.fullmatch(told) if isinstance(told, str) and len(told) <= _LONGEST else None
    if parts is None or parts[1].lower() not in WORDINGS:
        return "", ""
    return parts[1].lower(), (parts[2] or "").upper()


def _split(told: object, language: str, small: frozenset[str]) -> tuple[list[str], Name]:
    """The words of a title that stand before a last name or instead of it, and the name."""
    if isinstance(told, str) and told.isalpha() and not _is_title(told, language):
        return [], names.last(told)
    words, prefix = told.split() if isinstance(told, str) and len(told) <= 2 * _LONGEST else [], []
    while words and _is_title(words[0], language):
        prefix.append(words.pop(0))
    if _goes_on(prefix, words):
        return prefix, names.Name(several=True)
    return prefix, names.last(" ".join(words), small)


def _first(told: object, language: str) -> tuple[list[str], Name]:
    """The words of a title in the field of the first name, also where there is nothing else, and the name."""
    if not isinstance(told, str) or len(told) > 2 * _LONGEST:
        return [], names.first(told)
    if told.isalpha() and not _opens(told, language):
        return [], names.first(told)
    words, titles = told.split(), []
    while words and _opens(words[0], language):
        titles.append(words.pop(0))
    if _goes_on(titles, words):
        return titles, names.Name(several=True)
    titles += [word for word in words if _is_title(word, language)]
    return titles, names.first(" ".join(word for word in words if not _is_title(word, language)))


def _goes_on(titles: list[str], words: list[str]) -> bool:
    """Whether there is somebody else, as in `Mr and Mrs`."""
    return bool(titles and words) and words[0].casefold() in names.SEVERAL


_NO_TITLE: Final = _Title()


def _is_title(word: str, language: str) -> bool:
    """Whether it is one in this language; of several, such as `Frau/Herr`, each must be."""
    return all(map(_known(language).__contains__, _bare(word)))


def _opens(word: str, language: str) -> bool:
    """Whether nobody is called so: a title here, or one that is no first name anywhere."""
    return _is_title(word, language) or all(part in _NO_NAMES for part in _bare(word))


def _bare(word: str) -> list[str]:
    small = word.casefold().strip(",()")
    if small in _DOTTED:
        return [_DOTTED[small]]
    return [part.strip(".,") for part in small.split("/")]


@cache
def _known(language: str) -> frozenset[str]:
    # A single letter is an initial, and Don a first name, but where it is a title.
    names = {"m"} if "don" in LOCAL_TITLES.get(language, {}) else {"m", "don"}
    return frozenset((TITLES.keys() | DEGREES.keys() | LOCAL_TITLES.get(language, {}).keys()) - names)


def _title(told: object, prefix: list[str], language: str) -> _Title:
    if told is None and not prefix:
        return _NO_TITLE
    if told is None:
        told = ""
    if not isinstance(told, str) or len(told) > _LONGEST:
        return _Title(unclear=True)
    text = "" if told.strip().casefold() in UNTOLD else told.casefold()
    text = " ".join([text, *prefix]).casefold()
    for dotted, joined in _DOTTED.items():
        text = text.replace(dotted, joined)
    local, genders, degrees, unclear = LOCAL_TITLES.get(language, {}), set[str](), set[str](), False
    if language == "nl":
        text = re.sub(r"\bmr\b", "", text)
    for word in re.split(r"[\s./,&+|()-]+", text):
        gender = TITLES.get(word) or local.get(word)
        degree, degree_gender = DEGREES.get(word, ("", ""))
        genders |= {one for one in (gender, degree_gender) if one}
        degrees |= {degree} - {""}
        unclear |= bool(word) and not (gender or degree or word in SILENT)
    if unclear or "&" in text or "+" in text:  # such as that of a couple
        return _Title(unclear=True)
    return _Title(frozenset(genders), PROFESSOR if PROFESSOR in degrees else "".join(degrees))


def _gender(told: object, title: _Title, language: str) -> str:
    """The one that is stated, empty when none, several or something that nobody understands is."""
    stated = set(title.genders)
    if told is not None and not (isinstance(told, str) and told.strip().casefold() in UNTOLD):
        word = told.strip().strip(".").casefold() if isinstance(told, str) else ""
        stated.add(GENDERS.get(word) or LETTERS.get(language, {}).get(word) or "unclear")
    if title.unclear or len(stated) != 1 or "unclear" in stated:
        return ""
    return stated.pop()


def _noble(last: str) -> str:
    """The gender that a word before a noble name says, as in `Gräfin von Berg`."""
    opening, _, rest = last.casefold().partition(" ")
    return NOBLE.get(opening, "") if rest else ""


def _formal(told: object, otherwise: bool) -> bool:  # noqa: FBT001 - a value, no switch
    return FORMAL.get(told.strip().casefold(), otherwise) if isinstance(told, str) else otherwise


def _line(
    language: str, region: str, gender: str, degree: str, name: tuple[str, str], *, formal: bool
) -> tuple[str, bool]:
    """The line, empty in a language that is not known, and whether it is of no gender."""
    wording, (first, last) = WORDINGS.get(language), name
    if wording is None:
        return "", True
    if not formal:
        return (f"{wording.informal} {first}{wording.mark}" if first else _plain(wording, formal=False)), True
    if last and degree in wording.titled:
        return f"{wording.titled[degree]} {last}{wording.mark}", True
    if last and gender:
        opening = wording.gendered.get((gender, degree)) or wording.gendered[gender, ""]
        return f"{opening} {_behind_a_title(last, language, region)}{wording.mark}", False
    if last and first and names.order_is_known(first, last):
        parts = (wording.named, wording.before.get(degree), _full(first, last))
        return " ".join(part for part in parts if part) + wording.mark, True
    return _plain(wording, formal=True), True


def _plain(wording: Wording, *, formal: bool) -> str:
    return (wording.plain if formal else wording.informal_plain) + wording.mark


def _full(first: str, last: str) -> str:
    """Both names; some have typed the whole name as the last one."""
    return last if last.casefold().startswith(f"{first.casefold()} ") else f"{first} {last}"


def _behind_a_title(last: str, language: str, region: str) -> str:
    """Dutch and Spanish `van` and `de` have a capital when no other name is before them; not in Belgium."""
    return last[0].upper() + last[1:] if language in names.SMALL and region != "BE" else last


def _degree(wording: Wording | None, gender: str, degree: str) -> str | None:
    if wording is None:
        return None
    return wording.degrees.get(("", degree)) or wording.degrees.get((gender, degree))
