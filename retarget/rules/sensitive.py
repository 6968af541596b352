"""What nobody is sorted by: health, belief, origin, politics, sexual life. Words that give such a rule away.

The law of the European Union calls these special categories. A list of words finds slips and bad ideas, not
intent: what a shop hides behind a number nobody finds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# Beginnings of words, in names of audiences and tags and in the texts of conditions.
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "health": ("pregnan", "hiv", "diabet", "cancer", "depress", "addict", "disabilit", "illness", "infertil",
               "menopaus", "obes", "overweight"),
    "belief": ("religio", "muslim", "islam", "catholic", "jewish", "judaism", "hindu", "atheis"),
    "origin": ("ethnic", "racial", "skin_colo", "migrant", "refugee"),
    "politics": ("trade_union", "political", "voter"),
    "sexual life": (r"gay(?![a-z])", "lesbian", "homosexual", "bisexual", "transgender", "sexual_orient"),
}  # fmt: skip
_PATTERN: Final = re.compile(
    "|".join(f"(?P<{kind.replace(' ', '_')}>(?<![a-z])(?:{'|'.join(words)})[a-z]*)"
             for kind, words in WORDS.items())
)  # fmt: skip
_BETWEEN: Final = re.compile(r"[^a-z]+")


def sensitive(text: str) -> tuple[str, str] | None:
    """The first such word in a text and what it is about; None for a text without one."""
    found = _PATTERN.search(_BETWEEN.sub("_", text.lower()))
    return None if found is None else (found[0], str(found.lastgroup).replace("_", " "))
