"""From what a file says to rules: every problem of every document at once, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from retarget.errors import BadInput
from retarget.rules.conditions import Vocabulary
from retarget.rules.grammar import RULE
from retarget.rules.model import Rule
from retarget.rules.names import shown
from retarget.rules.places import Document, Path, Reading
from retarget.rules.records import built
from retarget.rules.versions import version_of

__all__ = ["Document", "Path", "parse_rules", "read_rules"]


def parse_rules(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Rule, ...]:
    """The rules, in the order of their documents. Raises BadInput with one line for each problem."""
    rules, problems = read_rules(documents, vocabulary)
    if problems:
        raise BadInput(problems)
    return rules


def read_rules(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules that are right, and a line for each problem: `FILE:LINE: $.path: found; known; nearest`."""
    rules: list[Rule] = []
    problems: list[str] = []
    for document in documents:
        reading = Reading(document, vocabulary)
        draft = RULE.read(document.data, reading.root)
        problems += reading.lines
        if not reading.problems:
            rule = built(draft)
            rules.append(replace(rule, version=version_of(rule)))
    return tuple(rules), [*problems, *_repeated(documents)]


def _repeated(documents: Sequence[Document]) -> Iterator[str]:
    first: dict[str, str] = {}
    for document in documents:
        name = document.data.get("rule") if isinstance(document.data, Mapping) else None
        if not isinstance(name, str):
            continue
        here = f"{document.file}:{document.line(('rule',))}"
        if name in first:
            yield f"{here}: $.rule: found {shown(name)} a second time; the first is at {first[name]}"
        first.setdefault(name, here)
