"""Templates and audiences that are known without a word beside the rules: shipped, or named by settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from retarget.rules.declared import read_names
from retarget.rules.names import KnownNames
from streams.resources import config_dir, default_rules_dir
from streams.rulebook import documents_in, names_files
from streams.settings import Settings

# A template in one language alone, such as LABEL.de.j2, is none for people of another.
_TEMPLATE: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})\.j2")


def found_names(settings: Settings) -> KnownNames:
    """Templates in files and those of WhatsApp, the audiences of platforms, and what ships of both."""
    ship = config_dir() / "templates"
    own = [Path(settings.channel.templates)] if settings.channel.templates else []
    # Whose texts lie in files: others know nothing of a folder.
    channels = [one.name for one in ship.iterdir() if one.is_dir()]
    found = {name: frozenset(_labels(folder / name for folder in (ship, *own))) for name in channels}
    found["whatsapp"] = _approved(settings.whatsapp.templates)
    lists = frozenset({*settings.ads.meta_lists, *settings.ads.google_lists})
    return KnownNames(found, lists) | _declared_with_rules_that_ship()


def _labels(folders: Iterable[Path]) -> Iterable[str]:
    for folder in folders:
        for file in folder.glob("*.j2"):  # of a folder that is not there, none
            if found := _TEMPLATE.fullmatch(file.name):
                yield found[1]


def _approved(told: str) -> frozenset[str]:
    """The labels of that file; whoever sends says what may be wrong with it."""
    try:
        return frozenset(tomllib.loads(Path(told).read_text(encoding="utf-8")) if told else ())
    except (OSError, ValueError):
        return frozenset()


def _declared_with_rules_that_ship() -> KnownNames:
    documents, _ = documents_in(names_files(default_rules_dir()))
    return read_names(documents)[0]
