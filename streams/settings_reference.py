"""`python -m streams.settings_reference` prints `config/reference.toml`: every setting at its default."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final, cast

from streams.settings import DECLARED, SECTIONS
from streams.settings_source import PREFIX, Declared

_WIDTH: Final = 108
_HEAD: Final = f"""\
# Every setting at its default. Copy the lines you change; a file with all of them does no harm.
# Later sources win: this file (--config), the environment ({PREFIX}SECTION_KEY), --set section.key=value.
# Made by `python -m streams.settings_reference > config/reference.toml`.
"""


def reference() -> str:
    """The text of `config/reference.toml`."""
    return "\n".join([_HEAD, *(_section(name, of) for name, of in SECTIONS.items())])


def _section(name: str, of: type) -> str:
    entries = (_entry(each) for key, each in DECLARED.items() if key.startswith(f"{name}."))
    return f"# {inspect.getdoc(of)}\n[{name}]\n" + "\n".join(entries)


def _entry(declared: Declared) -> str:
    said = [declared.sentence, f"Takes {declared.kind.expects}."]
    if declared.because:
        said.insert(1, f"Why: {declared.because}.")
    comment = "\n".join(f"# {line}" for each in said for line in wrap(each, _WIDTH))
    return "\n".join([comment, *_lines(declared)]) + "\n"


def _lines(declared: Declared) -> Iterator[str]:
    _, _, name = declared.key.partition(".")
    if not declared.open:
        yield f"{name} = {declared.kind.toml(declared.default)}"
        return
    for each, value in cast("Mapping[str, object]", declared.default).items():
        yield f"{each} = {declared.kind.toml(value)}"


if __name__ == "__main__":
    sys.stdout.write(reference())
