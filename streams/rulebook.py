"""The rule files: YAML read with its line numbers and handed to the core as plain data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from msgspec.structs import replace

from retarget.errors import BadInput
from retarget.rules.conditions import Vocabulary
from retarget.rules.declared import read_names
from retarget.rules.model import Rule
from retarget.rules.names import KnownNames, nearest
from retarget.rules.parse import Document, read_rules
from retarget.rules.parse import Path as Keys
from retarget.rules.product_sets import read_sets
from retarget.rules.vocabulary import VOCABULARY
from streams.resources import default_rules_dir
from streams.settings import Settings

_SUFFIXES: Final = (".yaml", ".yml")
# A rule's test cases lie beside it and are no rules.
CASES: Final = tuple(f".cases{suffix}" for suffix in _SUFFIXES)
# So do the product sets that the rules of a folder name.
SETS: Final = tuple(f".sets{suffix}" for suffix in _SUFFIXES)
# And the templates and audiences that they may name.
NAMES: Final = tuple(f".names{suffix}" for suffix in _SUFFIXES)


class Beside(NamedTuple):
    """What a folder declares for its rules: product sets, and names, where it declares any."""

    sets: Mapping[str, Any] = {}
    names: KnownNames | None = None


def rules_dir(settings: Settings) -> Path:
    """Where the rules are: the setting, else those that ship."""
    return Path(settings.rules.dir) if settings.rules.dir else default_rules_dir()


def load_rules(
    paths: Sequence[Path], vocabulary: Vocabulary, found: KnownNames | None = None
) -> tuple[Rule, ...]:
    """All rules in the files and directories `paths`, files of a directory by name.

    `found`: what they may name beside what is declared for them; None: they may name what they like.
    Raises BadInput with every problem of every file: unreadable, not YAML, or a rule that is wrong.
    """
    return load_documents(paths, vocabulary, found)[1]


def load_documents(
    paths: Sequence[Path], vocabulary: Vocabulary, found: KnownNames | None = None
) -> tuple[Sequence[Document], tuple[Rule, ...]]:
    """The same with the documents that say them."""
    documents, unreadable = read_documents(paths, found)
    rules, wrong = read_rules(documents, vocabulary)
    problems = [*unreadable, *wrong]
    if not documents and not problems:
        problems = [no_rules(paths)]
    if problems:
        raise BadInput(problems)
    return documents, rules


def picked(rules: Iterable[Rule], names: Collection[str]) -> list[Rule]:
    """The rules of these names; all of them without names."""
    return [rule for rule in rules if not names or rule.name in names]


def not_named(names: Iterable[str], known: Collection[str]) -> list[str]:
    """A sentence for each name given by `--only` that no rule has."""
    return [f"--only: no rule is named {name}{nearest(name, known)}" for name in names if name not in known]


def no_rules(paths: Sequence[Path]) -> str:
    """What is wrong with files and folders that hold no rule."""
    named = ", ".join(map(str, paths)) or "nothing"
    return f"{named}: no rules; known: files that end in .yaml, with a rule in each document"


def read_documents(
    paths: Sequence[Path], found: KnownNames | None = None
) -> tuple[list[Document], list[str]]:
    """The documents of all files, and a line for each file that could not be read."""
    documents: list[Document] = []
    problems: list[str] = []
    declared: dict[Path, Beside] = {}
    for path in paths:
        try:
            files = rule_files(path)
        except OSError as error:
            problems.append(_unreadable(path, error))
            continue
        read, wrong = documents_in(files)
        problems += wrong
        folder = path if path.is_dir() else path.parent
        if folder not in declared:
            declared[folder], wrong = _beside(folder, found)
            problems += wrong
        sets, names = declared[folder]
        documents += [replace(one, sets=sets, names=names) for one in read]
    return documents, problems


def _beside(folder: Path, found: KnownNames | None) -> tuple[Beside, list[str]]:
    """What a folder declares, and a line for each problem; names together with those `found` elsewhere."""
    documents, unreadable = documents_in(sorted(file for file in folder.iterdir() if is_sets(file)))
    sets, wrong = read_sets(documents, VOCABULARY)
    files = names_files(folder)
    documents, unread = documents_in(files)
    names, amiss = read_names(documents)
    known = found | names if files and found is not None else None
    return Beside(sets, known), [*unreadable, *wrong, *unread, *amiss]


def documents_in(files: Iterable[Path]) -> tuple[list[Document], list[str]]:
    """The same of files alone, whatever they hold."""
    documents: list[Document] = []
    problems: list[str] = []
    for file in files:
        try:
            documents += documents_of(file)
        except BadInput as error:
            problems += error.problems
    return documents, problems


def rule_files(path: Path) -> list[Path]:
    """The rule files of a directory, by name, or the file itself; sets and names bring the rules beside them.

    Raises OSError without such a path.
    """
    if not path.is_dir():
        path.stat()
        return rule_files(path.parent) if is_sets(path) or is_names(path) else [path]
    return sorted(
        (file for file in path.iterdir() if file.suffix in _SUFFIXES and not is_beside(file)),
        key=lambda file: file.name,
    )


def is_beside(file: Path) -> bool:
    """Whether a file lies beside rules and holds none."""
    return is_cases(file) or is_sets(file) or is_names(file)


def is_sets(file: Path) -> bool:
    """Whether a file declares product sets, by its name."""
    return file.name.endswith(SETS)


def is_names(file: Path) -> bool:
    """Whether a file declares templates and audiences, by its name."""
    return file.name.endswith(NAMES)


def names_files(folder: Path) -> list[Path]:
    """The files of a folder that do, by name."""
    return sorted(file for file in folder.iterdir() if is_names(file))


def is_cases(file: Path) -> bool:
    """Whether a file holds test cases, by its name."""
    return file.name.endswith(CASES)


def documents_of(file: Path) -> list[Document]:
    """The documents of one file. Raises BadInput with every problem that its YAML has."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadInput([f"{file}:{line}: not UTF-8 at byte {error.start}; save the file as UTF-8"]) from error
    except OSError as error:
        raise BadInput([_unreadable(file, error)]) from error
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        raise BadInput([_syntax(file, error)]) from error
    try:
        return list(_compose(file, loader))
    except yaml.YAMLError as error:
        raise BadInput([_syntax(file, error)]) from error
    except RecursionError as error:
        raise BadInput([f"{file}:1: nested too deep; write the rule as docs/rules.md shows"]) from error
    finally:
        loader.dispose()


def _compose(file: Path, loader: yaml.SafeLoader) -> Iterator[Document]:
    unread: list[str] = []
    while loader.check_node():
        node: Any = loader.get_node()
        plain = _Plain(file, loader)
        data = plain.value(node, ())
        unread += plain.unread
        if data is not None:  # a document of comments only
            yield Document(str(file), data, plain.lines, problems=tuple(plain.twice))
    if unread:
        raise BadInput(unread)


class _Plain:
    """One document's nodes as plain data, with the line of every path.

    `unread` is said of what is no plain data, `twice` of keys that come again, by line: the first counts.
    """

    def __init__(self, file: Path, loader: yaml.SafeLoader) -> None:
        self.lines: dict[Keys, int] = {}
        self.unread: list[str] = []
        self.twice: list[tuple[int, str]] = []
        self._file = file
        self._loader = loader
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, path: Keys) -> Any:  # noqa: ANN401 - what YAML can say
        """The data of a node; texts, numbers, lists, mappings."""
        if not isinstance(node, yaml.ScalarNode) and id(node) in self._seen:
            self._alias(path)
            return None
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: Any, path: Keys) -> dict[str, Any]:  # noqa: ANN401 - PyYAML has no types for it
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(key_node, "found a list or mapping as a key; known: names")
                continue
            if not _is_text(key_node.value):
                self._note(key_node, f"found the key {key_node.value[:60]!r}, which holds half a character")
                continue
            key = key_node.value  # as written: YAML 1.1 would read `on` and `no` as true and false
            here = (*path, key)
            if key in found:
                self._is_twice(key_node, here)
                continue
            self.lines[here] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, here)
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - what YAML can say
        try:
            found = self._loader.construct_object(node)
        except ValueError as error:
            self._note(node, f"found {node.value[:60]!r}, which is no value ({error}); put it in quotes")
            return None
        if isinstance(found, str) and not _is_text(found):
            self._note(node, f"found {found[:60]!r}, which holds half a character; write it out")
            return None
        # YAML 1.1 would read the time 10:30 as a number of minutes.
        return node.value if isinstance(found, int | float) and ":" in node.value else found

    def _alias(self, path: Keys) -> None:
        """The node stands where it was written first; the alias, at its key or in the list around it."""
        line = next(self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines)
        sentence = "found an alias; write the value out, a rule is read by people"
        self.unread.append(f"{self._file}:{line}: {sentence}")

    def _is_twice(self, node: yaml.Node, here: Keys) -> None:
        line = node.start_mark.line + 1
        sentence = f"found the key {here[-1]!r} twice, first in line {self.lines[here]}; remove one"
        self.twice.append((line, f"{self._file}:{line}: {sentence}"))

    def _note(self, node: yaml.Node, sentence: str) -> None:
        self.unread.append(f"{self._file}:{node.start_mark.line + 1}: {sentence}")


def _is_text(found: str) -> bool:
    """Whether it can be written: half of a surrogate pair, which an escape may say, is no character."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path}:1: cannot be read ({error.strerror}); check the path and the setting rules.dir"


def _syntax(file: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    said = " ".join(str(getattr(error, "problem", None) or error).split())
    begun = getattr(error, "context_mark", None)
    if begun is not None and begun.line + 1 != line:
        said += f", {getattr(error, 'context', None)} that begins in line {begun.line + 1}"
    return f"{file}:{line}: not YAML ({said}); check indentation, quotes and colons"
