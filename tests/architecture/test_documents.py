"""The manuals, the public names and the shape of the code are what they say of each other."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

import retarget
from streams.resources import config_dir
from streams.settings import load_settings

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
MODULES: Final = sorted(
    path for package in ("retarget", "streams") for path in (ROOT / package).rglob("*.py")
)
LONGEST: Final = 400
LINK: Final = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
# The core may import these and msgspec, nothing else; none of them reads a clock, a file or chance.
PURE: Final = frozenset({
    "__future__", "ast", "base64", "bisect", "collections", "contextlib", "dataclasses", "datetime",
    "difflib", "enum", "functools", "hashlib", "heapq", "itertools", "math", "operator", "re", "tomllib",
    "typing", "unicodedata", "warnings", "zlib", "msgspec", "retarget",
})  # fmt: skip


def read(path: Path) -> str:
    """The text of a page or module."""
    return path.read_text(encoding="utf-8")


def file_map() -> dict[str, list[str]]:
    """Path -> key names of every row of the file map."""
    section = read(DOCS / "design.md").split("\n## File map\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {re.findall(r"`([^`]+)`", row[0])[0]: re.findall(r"`([^`]+)`", row[2]) for row in rows}


def words_of_glossary() -> list[str]:
    """The first cells of the glossary."""
    lines = read(DOCS / "glossary.md").splitlines()
    return [line.split("|")[1].strip() for line in lines if line.startswith("| ") and "word |" not in line]


def imports_of(path: Path) -> Iterator[str]:
    """The top-level packages that a module imports."""
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").partition(".")[0]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("path", "names"), file_map().items(), ids=str)
def test_the_file_map_names_what_is_there(path: str, names: list[str]) -> None:
    """Every path exists and holds its key names."""
    place = ROOT / path
    assert place.exists()
    text = "".join(read(file) for file in ([place] if place.is_file() else place.rglob("*.py")))

    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_every_module_is_on_the_file_map() -> None:
    """By itself or by its folder; a new part of the engine gets a row."""
    known = set(file_map())
    plain = ("__init__", "__main__", "resources", "producing", "explaining")
    off = [
        str(place)
        for place in (path.relative_to(ROOT) for path in MODULES)
        if place.stem not in plain
        and not str(place).startswith(("streams/settings_", "streams/commands/"))
        and str(place) not in known
        and not any(f"{parent}/" in known for parent in place.parents)
    ]

    assert off == []


def test_each_answer_to_a_complaint_is_shown_somewhere() -> None:
    """By tests or pages that exist; only `-` says that there is nothing to show."""
    lines = read(DOCS / "complaints.md").splitlines()
    rows = [
        line.strip("|").split("|") for line in lines if line.startswith("| ") and "| shown by |" not in line
    ]
    shown = [(row[0].strip(), re.findall(r"`([^`]+)`", row[-1])) for row in rows]

    assert len(rows) >= 69
    assert [row[0] for row in rows if len(row) != 3] == []
    assert [
        what for (what, paths), row in zip(shown, rows, strict=True) if not paths and row[-1].strip() != "-"
    ] == []
    assert [path for _, paths in shown for path in paths if not (ROOT / path).is_file()] == []


def test_the_words_of_the_glossary_are_used() -> None:
    """A word that neither code nor tests know is no name of ours."""
    text = "\n".join(map(read, [*MODULES, *(ROOT / "tests").rglob("*.py")])).lower()
    spellings = {word: re.sub(r"[ -]", "[ _-]?", word) for word in words_of_glossary()}

    assert len(spellings) > 40
    assert [word for word, form in spellings.items() if not re.search(rf"(?<![a-z]){form}", text)] == []


def test_the_glossary_is_sorted() -> None:
    """Who looks a word up finds it."""
    words = words_of_glossary()

    assert [pair for pair in pairwise(words) if pair[0] > pair[1]] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings that a page links to are there."""
    for target, anchor in LINK.findall(read(page)):
        if "://" in target:
            continue
        place = (page.parent / target).resolve() if target else page

        assert place.exists(), target
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_only_files_that_are_there(page: Path) -> None:
    """A path in backticks that begins with one of our folders exists."""
    named = re.findall(
        r"`((?:retarget|streams|config|deploy|docs|tests|bench)/[\w./-]+[\w/])(?:::\w+)?`", read(page)
    )

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_and_have_a_status() -> None:
    """Each number once, each page with its state and its question."""
    pages = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]

    assert len(numbers) == len(set(numbers))
    assert sorted(numbers) == list(range(1, max(numbers) + 1))
    for number, page in zip(numbers, pages, strict=True):
        assert read(page).startswith(f"# {number:04}. ")
        assert "\nStatus: " in read(page)


def test_the_public_names_are_these() -> None:
    """A name that goes, or comes by accident, fails here before it fails at a user's."""
    assert retarget.__all__ == sorted(
        retarget.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert [name for name in retarget.__all__ if not hasattr(retarget, name)] == []
    assert {"Engine", "Lane", "Matcher", "Message", "Decision", "Touchpoint", "decode_canonical"} <= {
        *retarget.__all__
    }


@pytest.mark.parametrize("name", ["minimal.toml", "reference.toml"])
def test_the_shipped_settings_load(name: str) -> None:
    """Both files can be used as they are; the reference says the defaults."""
    settings = load_settings(config_dir() / name)

    assert settings.kafka.partitions == load_settings().kafka.partitions


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small_and_say_what_they_are(path: Path) -> None:
    """At most 400 lines, with a sentence at the top."""
    text = read(path)

    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "retarget").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_core_imports_only_what_is_pure(path: Path) -> None:
    """An allow-list: what is new has to be thought about."""
    assert set(imports_of(path)) - PURE == set()


def test_the_allow_list_is_the_standard_library_and_msgspec() -> None:
    """The core depends on one package."""
    assert PURE - sys.stdlib_module_names == {"msgspec", "retarget"}
