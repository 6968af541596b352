"""A setting that nothing reads would be believed and do nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import streams
from streams.settings import DECLARED, SECTIONS

RUNTIME: Final = Path(streams.__file__).parent
# Where settings are declared, gathered and held against each other; none of that is a use.
ITSELF: Final = {path.name for path in RUNTIME.glob("settings*.py")}


def read_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each (section, attribute) that a module reads, directly or by a name it gave to the section."""
    names = dict(_named(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            match node.value:
                case ast.Attribute(attr=section) if section in SECTIONS:
                    yield section, node.attr
                case ast.Name(id=name) if name in names:
                    yield names[name], node.attr


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that stand for a section, as in `kafka, address = settings.kafka, address_of(settings)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            pairs = (
                zip(target.elts, value.elts, strict=False)
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                else [(target, value)]
            )
            for left, right in pairs:
                if isinstance(left, ast.Name) and isinstance(right, ast.Attribute) and right.attr in SECTIONS:
                    yield left.id, right.attr


def test_every_setting_is_read_by_the_runtime() -> None:
    """Whoever declares a setting uses it; whoever removes the use removes the setting."""
    modules = [path for path in RUNTIME.rglob("*.py") if path.name not in ITSELF]
    read = {pair for path in modules for pair in read_in(ast.parse(path.read_text(encoding="utf-8")))}

    declared = {key: (key.partition(".")[0], each.attribute) for key, each in DECLARED.items()}
    assert [key for key, pair in declared.items() if pair not in read] == []


def test_a_setting_that_nobody_reads_is_found() -> None:
    """The search tells a use from a mention."""
    text = "clock, other = settings.clock, 1\nuse(clock.idle, settings.web.port)\n'clock.now'\n"

    assert set(read_in(ast.parse(text))) == {("clock", "idle"), ("web", "port")}
