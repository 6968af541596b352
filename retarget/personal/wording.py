"""How people are greeted in each language, and the words by which they say what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

FEMALE: Final = "female"
MALE: Final = "male"
DOCTOR: Final = "doctor"
PROFESSOR: Final = "professor"


class Wording(NamedTuple):
    """The greetings of a language.

    `gendered`, by gender and degree, and `titled`, by degree, stand before the last name; `named` before both
    names, with `before` them for a degree. `courtesy` is the word for a gender on an envelope, `degrees` that
    for a degree, by gender where it differs. `mark` ends the line.
    """

    gendered: Mapping[tuple[str, str], str]
    courtesy: Mapping[str, str]
    named: str
    plain: str
    informal: str
    informal_plain: str
    mark: str = ","
    titled: Mapping[str, str] = {}
    before: Mapping[str, str] = {}
    degrees: Mapping[tuple[str, str], str] = {}


_GERMAN: Final = {DOCTOR: "Dr.", PROFESSOR: "Prof."}

WORDINGS: Final[Mapping[str, Wording]] = {
    "de": Wording(
        gendered={
            (FEMALE, ""): "Sehr geehrte Frau",
            (MALE, ""): "Sehr geehrter Herr",
            (FEMALE, DOCTOR): "Sehr geehrte Frau Dr.",
            (MALE, DOCTOR): "Sehr geehrter Herr Dr.",
            (FEMALE, PROFESSOR): "Sehr geehrte Frau Prof.",
            (MALE, PROFESSOR): "Sehr geehrter Herr Prof.",
        },
        courtesy={FEMALE: "Frau", MALE: "Herr"},
        named="Guten Tag",
        plain="Guten Tag",
        informal="Hallo",
        informal_plain="Hallo",
        before=_GERMAN,
        degrees={("", degree): word for degree, word in _GERMAN.items()},
    ),
    "en": Wording(
        gendered={(FEMALE, ""): "Dear Ms", (MALE, ""): "Dear Mr"},
        courtesy={FEMALE: "Ms", MALE: "Mr"},
        named="Dear",
        plain="Hello",
        informal="Hi",
        informal_plain="Hello",
        titled={DOCTOR: "Dear Dr", PROFESSOR: "Dear Professor"},
        degrees={("", DOCTOR): "Dr", ("", PROFESSOR): "Professor"},
    ),
    "fr": Wording(
        gendered={(FEMALE, ""): "Bonjour Madame", (MALE, ""): "Bonjour Monsieur"},
        courtesy={FEMALE: "Madame", MALE: "Monsieur"},
        named="Bonjour",
        plain="Bonjour",
        informal="Bonjour",
        informal_plain="Bonjour",
    ),
    "es": Wording(
        gendered={
            (FEMALE, ""): "Estimada Sra.",
            (MALE, ""): "Estimado Sr.",
            (FEMALE, DOCTOR): "Estimada Dra.",
            (MALE, DOCTOR): "Estimado Dr.",
        },
        courtesy={FEMALE: "Sra.", MALE: "Sr."},
        named="Buenos días,",
        plain="Buenos días",
        informal="Hola,",
        informal_plain="Hola",
        mark=":",
        degrees={(FEMALE, DOCTOR): "Dra.", (MALE, DOCTOR): "Dr."},
    ),
    "nl": Wording(
        gendered={(FEMALE, ""): "Geachte mevrouw", (MALE, ""): "Geachte heer"},
        courtesy={FEMALE: "mevrouw", MALE: "de heer"},
        named="Geachte",
        plain="Goedendag",
        informal="Hallo",
        informal_plain="Hallo",
    ),
    "it": Wording(
        gendered={
            (FEMALE, ""): "Gentile Sig.ra",
            (MALE, ""): "Gentile Sig.",
            (FEMALE, DOCTOR): "Gentile Dott.ssa",
            (MALE, DOCTOR): "Gentile Dott.",
            (FEMALE, PROFESSOR): "Gentile Prof.ssa",
            (MALE, PROFESSOR): "Gentile Prof.",
        },
        courtesy={FEMALE: "Sig.ra", MALE: "Sig."},
        named="Gentile",
        plain="Buongiorno",
        informal="Ciao",
        informal_plain="Ciao",
        degrees={
            (FEMALE, DOCTOR): "Dott.ssa",
            (MALE, DOCTOR): "Dott.",
            (FEMALE, PROFESSOR): "Prof.ssa",
            (MALE, PROFESSOR): "Prof.",
        },
    ),
}
LANGUAGES: Final = tuple(WORDINGS)

# Words that mean one gender whatever the language.
GENDERS: Final[Mapping[str, str]] = dict.fromkeys(
    ("f", "female", "woman", "weiblich", "frau", "femme", "féminin", "feminin", "femenino", "femenina",
     "mujer", "femminile", "femmina", "donna", "vrouw", "vrouwelijk"), FEMALE,
) | dict.fromkeys(
    ("male", "männlich", "maennlich", "mann", "herr", "homme", "masculin", "masculino", "hombre", "maschile",
     "maschio", "uomo", "man", "mannelijk"), MALE,
)  # fmt: skip
# And letters that mean one in some languages and the other, or nothing, elsewhere: m is a mujer in Spain.
LETTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "de": {"m": MALE, "w": FEMALE},
    "en": {"m": MALE},
    "fr": {"m": MALE, "h": MALE},
    "es": {"h": MALE},
    "nl": {"m": MALE, "v": FEMALE},
    "it": {"m": MALE},
}
UNTOLD: Final = frozenset(
    {"", "-", "--", "?", "n/a", "na", "none", "null", "unknown", "unbekannt", "unspecified", "not specified",
     "keine angabe", "k.a.", "undefined"}
)  # fmt: skip

TITLES: Final[Mapping[str, str]] = dict.fromkeys(
    ("frau", "mrs", "ms", "miss", "madame", "mme", "mlle", "mademoiselle", "señora", "senora", "señorita",
     "senorita", "sra", "srta", "mevrouw", "mevr", "mw", "signora", "signorina", "sigra"), FEMALE,
) | dict.fromkeys(
    ("herr", "herrn", "mister", "monsieur", "señor", "senor", "heer", "dhr", "signor", "signore"), MALE,
)  # fmt: skip
# Mr. is a lawyer of either gender in Dutch; Sr. is senior in English; Fr. is a father there, and a Sir may be
# a knight, who is no Mr.
LOCAL_TITLES: Final[Mapping[str, Mapping[str, str]]] = {
    "de": {"mr": MALE, "hr": MALE, "fr": FEMALE},
    "en": {"mr": MALE, "sir": "", "madam": FEMALE},
    "fr": {"mr": MALE, "m": MALE},
    "es": {"mr": MALE, "sr": MALE, "don": MALE, "doña": FEMALE, "dña": FEMALE},
    "nl": {},
    "it": {"mr": MALE, "sig": MALE},
}
# Degrees, with the gender that the word itself has.
DEGREES: Final[Mapping[str, tuple[str, str]]] = {
    "dr": (DOCTOR, ""),
    "doctor": (DOCTOR, ""),
    "doktor": (DOCTOR, ""),
    "docteur": (DOCTOR, ""),
    "dott": (DOCTOR, ""),
    "dottor": (DOCTOR, ""),
    "dra": (DOCTOR, FEMALE),
    "doctora": (DOCTOR, FEMALE),
    "dottssa": (DOCTOR, FEMALE),
    "dottoressa": (DOCTOR, FEMALE),
    "prof": (PROFESSOR, ""),
    "professor": (PROFESSOR, ""),
    "professeur": (PROFESSOR, ""),
    "profssa": (PROFESSOR, FEMALE),
    "professoressa": (PROFESSOR, FEMALE),
    "profesora": (PROFESSOR, FEMALE),
    "professorin": (PROFESSOR, FEMALE),
}
# Parts of titles that say nothing of a person's gender and are not said in a greeting.
SILENT: Final = frozenset(
    {"de", "med", "phil", "jur", "rer", "nat", "pol", "habil", "hc", "dipl", "mag", "ing", "ir", "drs", "phd",
     "msc", "bsc", "mba"}
)  # fmt: skip

# Words before a noble name that say the gender of who bears it; alone they are names of anybody.
NOBLE: Final[Mapping[str, str]] = dict.fromkeys(
    ("gräfin", "freifrau", "freiin", "baronin", "baronesse", "fürstin", "prinzessin", "herzogin", "countess",
     "duchess", "princess", "comtesse", "duchesse", "princesse", "marquise", "condesa", "contessa"), FEMALE,
) | dict.fromkeys(
    ("graf", "freiherr", "fürst", "prinz", "herzog", "duke", "comte", "duc", "marquis", "conte"), MALE,
)  # fmt: skip

FORMAL: Final[Mapping[str, bool]] = dict.fromkeys(
    ("formal", "formell", "förmlich", "sie", "vous", "usted", "u", "lei", "formel", "formale", "formeel"),
    True,
) | dict.fromkeys(
    ("informal", "informell", "du", "tu", "tú", "je", "jij", "informel", "informale", "informeel"),
    False,
)
