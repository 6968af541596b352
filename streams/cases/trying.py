"""Trying rules: which files belong together, every case run, and a block of lines for each difference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from retarget.rules.model import Rule
from retarget.rules.names import KnownNames
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from streams.cases.comparing import Difference, differences, waits_differ
from streams.cases.model import Expected
from streams.cases.reading import Known, Ready, read_cases
from streams.cases.reasons import reason
from streams.cases.running import Came, Stage
from streams.cases.telling import told
from streams.rulebook import CASES, documents_in, is_cases, no_rules, read_documents, rule_files


class Tried(NamedTuple):
    """What was looked at and what is wrong with it; a problem may have lines below its first.

    `documents` are those of the rules, each once: if there are no problems, `rules` is what they say.
    `undeclared`: names that nobody knows, in rules for which nothing is declared.
    """

    documents: Sequence[Document]
    rules: tuple[Rule, ...]
    cases: int
    problems: list[str]
    undeclared: list[str]


def try_rules(given: Sequence[Path], found: KnownNames | None = None) -> Tried:
    """Read the rules of the files and folders, and run the cases beside them.

    A file of cases brings the rules of its folder, a rule file the cases of its own name. `found`: templates
    and audiences that are known beside what is declared for the rules; None: names are not looked at.
    """
    rule_paths, case_files = _parted(given)
    documents, unreadable = read_documents(rule_paths, found)
    rules, wrong = read_rules(documents, VOCABULARY)
    if not (documents or case_files or unreadable):
        unreadable.append(no_rules(given))
    case_documents, broken = documents_in(case_files)
    known = _known(documents, rules, case_files)
    ready, ill_formed = read_cases(case_documents, known, _names(documents))
    differing = asyncio.run(_run(ready))
    problems = [*unreadable, *wrong, *broken, *ill_formed, *differing]
    return Tried(documents, rules, len(ready), problems, [] if problems else _undeclared(documents, found))


def _undeclared(documents: Sequence[Document], found: KnownNames | None) -> list[str]:
    """What would be wrong with rules that are right, were it declared what they may name."""
    free = [replace(one, names=found) for one in documents if one.names is None]
    return read_rules(free, VOCABULARY)[1]


def _parted(given: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The rule files, and the files of cases that belong to what was given; none twice."""
    rules: dict[Path, Path] = {}
    cases: dict[Path, Path] = {}
    for path in given:
        rule_files_here, cases_here = _of_folder(path) if path.is_dir() else _of_file(path)
        rules |= {file.resolve(): file for file in rule_files_here if file.resolve() not in rules}
        cases |= {file.resolve(): file for file in cases_here if file.resolve() not in cases}
    return list(rules.values()), list(cases.values())


def _of_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        return rule_files(folder), sorted(file for file in folder.iterdir() if is_cases(file))
    except OSError:
        return [folder], []  # whoever reads it says why it cannot be read


def _of_file(file: Path) -> tuple[list[Path], list[Path]]:
    if is_cases(file):
        return [], [file]
    return [file], [beside for beside in map(file.with_suffix, CASES) if beside.is_file()]


def _known(documents: Sequence[Document], rules: Sequence[Rule], case_files: Sequence[Path]) -> Known:
    """The rules given, and those in the folders of the cases, whose own mistakes are not told here."""
    read = {document.file for document in documents}
    folders = dict.fromkeys(file.parent for file in case_files if file.parent.is_dir())
    beside = [file for folder in folders for file in rule_files(folder) if str(file) not in read]
    others, _ = read_documents(beside)
    companions, _ = read_rules(others, VOCABULARY)
    # Of two rules of one name, which is a mistake of its own, the first is the one that cases mean.
    right = {rule.name: rule for rule in (*companions, *reversed(rules))}
    wrong = (_names(documents) | _names(others)) - right.keys()
    return Known(right, wrong, _tags(documents) | _tags(others))


def _names(documents: Sequence[Document]) -> frozenset[str]:
    found = (one.data.get("rule") for one in documents if isinstance(one.data, Mapping))
    return frozenset(name for name in found if isinstance(name, str))


def _tags(documents: Sequence[Document]) -> frozenset[str]:
    found = (one.data.get("tags") for one in documents if isinstance(one.data, Mapping))
    return frozenset(tag for tags in found if isinstance(tags, list) for tag in tags if isinstance(tag, str))


async def _run(ready: Sequence[Ready]) -> list[str]:
    stage = Stage()
    problems: list[str] = []
    for one in ready:
        problems += [problem async for problem in _told(one, await stage.run(one.prepared, one.rules))]
    return problems


async def _told(ready: Ready, came: Came) -> AsyncIterator[str]:
    prepared, rule = ready.prepared, ready.rules[0].name
    found: list[tuple[str, Difference]] = [
        *(("expect", one) for one in differences(prepared, came.outcomes, rule)),
        *(("waits", one) for one in waits_differ(prepared, came.waits, rule)),
    ]
    for key, difference in found:
        why = await _why(ready, difference)
        lines = [f"    {line}" for line in [*told(difference, prepared, came.waits), *why]]
        yield "\n".join([_head(ready, key, difference.place), *lines])
    for sentence in came.dead:
        yield f"{_head(ready, 'events', None)}\n    got       a dead letter: {sentence}"


async def _why(ready: Ready, difference: Difference) -> list[str]:
    """What kept an expected thing from coming, where nothing came instead."""
    nothing_came = difference.got is None and isinstance(difference.expected, Expected)
    if not nothing_came or difference.place is None:
        return []
    found = await reason(ready, difference.place)
    return [f"because   {found}"] if found is not None else []


def _head(ready: Ready, key: str, place: int | None) -> str:
    path = ("cases", ready.place, key, *(() if place is None else (place,)))
    return f"{ready.document.file}:{ready.document.line(path)}: {ready.prepared.case.name}"
