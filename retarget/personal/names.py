"""Names as people typed them, made fit to be printed; whatever is no name of one person is none at all."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeGuard

_LONGEST: Final = 40
_MOST_WORDS: Final = 4
_MOST_MARKS: Final = 2
# One apostrophe for all that are typed for it; it means nothing in HTML, as the straight one does.
_APOSTROPHE: Final = "\u2019"
_SAME: Final = str.maketrans(
    dict.fromkeys("'`\u00b4\u02bc\u2018", _APOSTROPHE) | dict.fromkeys("\u2010\u2011", "-")
)
# Of a word with a dot, so much at most is an abbreviation, as in St. John; more ends a sentence.
_ABBREVIATED: Final = 3
_INITIALS: Final = 2
_PARTICLES: Final = frozenset({"von", "vom", "van", "der", "den", "zu", "zur", "zum", "ter", "ten", "und"})
# Beside these, by language, what is written small in names that stand in capitals throughout.
SMALL: Final[Mapping[str, frozenset[str]]] = {
    "nl": frozenset({"de", "het", "in", "op", "aan", "te"}),
    "es": frozenset({"de", "del", "la", "las", "los", "y"}),
}
# And what stands in them for a word of which only the end is left, as in 't Hart and 's-Gravesande.
_CUT_OFF: Final = re.compile(rf"{_APOSTROPHE}[st](?!\w)")
_BEHIND: Final = frozenset({"jr", "sr", "ii", "iii", "iv"})
SEVERAL: Final = frozenset({"und", "and", "et", "y", "e", "en"})
_FAMILIES: Final = frozenset({"familie", "family", "famille", "familia", "famiglia", "eheleute", "fam"})
_COMPANIES: Final = frozenset(
    {"gmbh", "ag", "kg", "ohg", "ltd", "inc", "llc", "plc", "bv", "nv", "sarl", "spa", "srl", "corp", "ug",
     "firma", "company", "autohaus", "stadtwerke", "verein", "gemeinde", "praxis", "kanzlei", "erben",
     "erbengemeinschaft", "of"}
)  # fmt: skip
_NOBODY: Final = frozenset(
    {"test", "tester", "unknown", "unbekannt", "none", "null", "nil", "nan", "undefined", "guest", "gast",
     "customer", "kunde", "kundin", "client", "user", "anonymous", "anonym", "name", "firstname", "lastname",
     "vorname", "nachname", "surname", "prenom", "prénom", "nom", "nombre", "apellido", "nome", "cognome",
     "voornaam", "achternaam", "asdf", "qwertz", "qwerty", "xxx", "xx", "na", "admin", "dear", "true",
     "false", "deleted", "removed", "redacted", "invité", "invitado", "ospite", "voorbeeld",
     "verstorben", "deceased"}
)  # fmt: skip
# Departments, in so far as nobody is called so: there are people named Sales, Service and Ventas.
_DEPARTMENTS: Final = frozenset(
    {"buchhaltung", "rechnungswesen", "einkauf", "vertrieb", "kundenservice", "kundendienst", "kunden",
     "sekretariat", "verwaltung", "abteilung",
     "accounting", "accounts", "purchasing", "reception", "office", "department", "helpdesk", "team",
     "comptabilité", "secrétariat", "achats", "contabilidad", "administración", "recepción",
     "boekhouding", "administratie", "klantenservice", "secretariaat", "afdeling",
     "contabilità", "amministrazione", "segreteria", "ufficio"}
)  # fmt: skip
_JOINING: Final = _PARTICLES | SEVERAL
_SEVERAL_OR_NOBODY: Final = _FAMILIES | _COMPANIES | _DEPARTMENTS
_ODD: Final = _NOBODY | _SEVERAL_OR_NOBODY
# Where a word's capital stands. In Dutch IJ is one letter; before a vowel it is two, as in Ijeoma and Ijaz.
_FIRST: Final = re.compile(rf"(^|[-{_APOSTROPHE}])(ij(?=[b-df-hj-np-tv-xz])|\w)")
# The same letter three times in a row is a slip, or nonsense.
_THRICE: Final = re.compile(r"(.)\1\1")


class Name(NamedTuple):
    """A first or a last name, empty where none is known; `several` people, or a company, may be meant."""

    text: str = ""
    several: bool = False


NONE: Final = Name()


def first(told: object) -> Name:
    """The first name that a trait tells; initials are none."""
    if _is_plain(told):
        return Name(told)
    found = _read(told)
    if not found.text:
        return found
    if SEVERAL & set(found.text.casefold().split()[1:-1]):
        return Name(several=True)
    initial = any(len(word.rstrip(".")) == 1 for word in found.text.split()[:1])
    told_so = isinstance(told, str) and told.strip().isupper() and len(found.text) <= _INITIALS
    consonants = told_so and not set(_plain(found.text)) & set("aeiouy")
    return NONE if initial or consonants else found


def last(told: object, small: frozenset[str] = frozenset()) -> Name:
    """The last name that a trait tells; `y` and `e` join the two of one person in it."""
    if _is_plain(told):
        return Name(told)
    found = _read(told, small)
    words = found.text.casefold().split()
    if {"und", "and"} & set(words[1:-1]):
        return Name(several=True)
    return NONE if len(found.text) == 1 and _is_cased(found.text) else found


def apart(first: Name, last: Name) -> tuple[Name, Name]:
    """Each without the other, where somebody has typed the whole name into its field."""
    front, back = first.text.split(), last.text.split()
    if back and len(front) > len(back) and _same(front[-len(back) :], back):
        return Name(" ".join(front[: -len(back)])), last
    rest = back[len(front) :]
    if front and rest and _same(back[: len(front)], front) and _is_family(front[0], rest):
        return first, Name(" ".join(rest))
    return first, last


def _is_family(front: str, rest: list[str]) -> bool:
    """Whether it is a last name of its own: Ortega may be an Ortega y Gasset, and Van a Van Dyke."""
    return len(rest[-1].strip(".")) > 1 and not {rest[0], front.lower()} & _JOINING


def _same(some: list[str], others: list[str]) -> bool:
    return [word.casefold() for word in some] == [word.casefold() for word in others]


def _is_plain(told: object) -> TypeGuard[str]:
    """Whether it is one word that is written as most names are, in which nothing needs a closer look."""
    return (
        isinstance(told, str)
        and _INITIALS < len(told) <= _LONGEST
        and told.isalpha()
        and told[1:] == (small := told[1:].lower()) != small.upper()
        and told[0] == told[0].upper() != told[0].lower()
        and unicodedata.is_normalized("NFC", told)
        and (word := told.casefold()) not in _ODD
        and _THRICE.search(word) is None
    )


def order_is_known(*names: str) -> bool:
    """Whether a first name stands before the last one in such letters."""
    return all(_is_cased(name) for name in names)


def _is_cased(text: str) -> bool:
    return text.lower() != text.upper()


def _read(told: object, small: frozenset[str] = frozenset()) -> Name:
    if not isinstance(told, str):
        return NONE
    text = unicodedata.normalize("NFC", told.translate(_SAME))
    words = text.split()
    if {"&", "+"} & set(words) or not _SEVERAL_OR_NOBODY.isdisjoint(_parts(words)):
        return Name(several=True)
    while len(words) > 1 and words[-1].casefold().strip(".") in _BEHIND:
        words.pop()
    text = " ".join(words)
    if not 0 < len(text) <= _LONGEST or len(words) > _MOST_WORDS or not all(map(_is_word, words)):
        return NONE
    if any(word.casefold().strip(".") in _NOBODY for word in words) or _THRICE.search(text.casefold()):
        return NONE
    return Name(_cased(text, small))


def _parts(words: list[str]) -> Iterator[str]:
    """The words without dots, and what hyphens join in them."""
    for word in words:
        small = word.casefold().strip(".")
        yield small
        yield from small.split("-")


def _is_word(word: str) -> bool:
    """Letters, marks upon them, a hyphen or apostrophe between; a dot behind what is abbreviated."""
    bare = word.removesuffix(".")
    if bare != word and len(bare) > _ABBREVIATED:
        return False
    parts = re.split(f"[-{_APOSTROPHE}]", bare)
    # An apostrophe may stand at either end, as in 't Hart; a hyphen may not.
    inner = parts[1:] if bare.startswith(_APOSTROPHE) and len(parts) > 1 else parts
    return bool(inner) and all(_is_letters(part) for part in inner)


def _is_letters(part: str) -> bool:
    kinds = [unicodedata.category(letter) for letter in part]
    if not kinds or not kinds[0].startswith("L") or any(kind[0] not in "LM" for kind in kinds):
        return False
    marks = 0
    for kind in kinds:
        marks = marks + 1 if kind[0] == "M" else 0
        if marks > _MOST_MARKS:
            return False
    return True


def _cased(text: str, small: frozenset[str]) -> str:
    """As it was typed, unless that was in capitals or in small letters throughout."""
    # Capitals have no ß in most fonts.
    bare = text.replace("ß", "")
    if not _is_cased(text) or (bare != bare.upper() and bare != bare.lower()):
        return text
    cased = " ".join(_written(text.lower().split(), _PARTICLES | small))
    # The small one of a Turkish İ keeps its dot apart, which nobody writes above an i.
    return unicodedata.normalize("NFC", cased).replace("i\u0307", "i")


def _written(words: list[str], small: frozenset[str]) -> Iterator[str]:
    for place, word in enumerate(words):
        if word in small and place < len(words) - 1:
            yield word
        elif _CUT_OFF.match(word):
            yield word[:2] + _capital(word[2:])
        else:
            yield _capital(_mac(word))


def _capital(word: str) -> str:
    return _FIRST.sub(lambda found: found[1] + found[2].upper(), word)


def _mac(word: str) -> str:
    return f"mc{word[2].upper()}{word[3:]}" if re.fullmatch(r"mc\w{3,}", word) else word


def _plain(text: str) -> str:
    """Small letters without their accents."""
    apart = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
