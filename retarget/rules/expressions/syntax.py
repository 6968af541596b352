"""From a condition's text to Python's syntax tree. The text is only ever read, never compiled or run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final

import msgspec

# Far above any sensible condition, far below what exhausts the parser.
LONGEST: Final = 4_000
# As words, signs and numbers are written in other languages; what is quoted, or in a list, is none of these.
_SLIPS: Final = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*'|\[[^\]]*\])|(?P<word>\b(?:AND|OR|NOT|And|Or|Not|IN|In)\b|&&|\|\|)"""
    r"""|(?P<number>\b\d+(?:[.,]\d+)*(?:,\d+|\.\d+\.\d+)(?:[.,]\d+)*\b)"""
)
# Longer parts are cut in messages.
_SHOWN: Final = 60


class Problem(msgspec.Struct, frozen=True, order=True):
    """What is wrong with a condition; `line` and `column` count from 1 inside its text."""

    line: int
    column: int
    sentence: str

    def __str__(self) -> str:
        """Where and what, as it stands after the path of the condition."""
        line = f"line {self.line}, " if self.line > 1 else ""
        return f"{line}column {self.column}: {self.sentence}"


def tree_of(text: str) -> ast.expr | Problem:
    """The tree of a condition, or what is wrong with its form."""
    if not text.strip():
        return Problem(1, 1, "empty; write a condition such as cart.size > 0")
    if len(text) > LONGEST:
        return Problem(1, 1, f"{len(text)} characters long; at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a stray backslash is a mistake, not a warning
            # In brackets a condition may go over several lines.
            body = ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError as error:
        return _slip(text) or _unreadable(text, error)
    except (ValueError, RecursionError, MemoryError, OverflowError, Warning) as error:
        return Problem(1, 1, f"cannot be read ({error or type(error).__name__})")
    if body.lineno == 1 and body.col_offset == 0:  # it closed our bracket and opened its own, or has a comma
        return _slip(text) or Problem(1, 1, "the brackets do not match, or there is a comma outside of them")
    return body


def literals_of(text: str, function: str) -> list[list[str]]:
    """Of each call of a function in a condition without mistakes, the texts it is given."""
    tree = tree_of(text.strip())
    found = [] if isinstance(tree, Problem) else list(ast.walk(tree))
    calls = [one for one in found if isinstance(one, ast.Call) and ast.unparse(one.func) == function]
    return [[str(arg.value) for arg in one.args if isinstance(arg, ast.Constant)] for one in calls]


def place_of(text: str, node: ast.expr) -> tuple[int, int]:
    """Line and column of a node, from 1, in characters: the tree counts bytes and our opening bracket."""
    before = text.split("\n")[node.lineno - 1].encode()[: node.col_offset - (node.lineno == 1)]
    return node.lineno, len(before.decode(errors="replace")) + 1


def source_of(text: str, node: ast.expr) -> str:
    """The node as it was written, on one line, cut when it is long."""
    source = " ".join((ast.get_source_segment(f"({text}\n)", node) or "").split())
    return source if len(source) <= _SHOWN else f"{source[:_SHOWN]}…"


def _slip(text: str) -> Problem | None:
    """The first thing that is written so elsewhere, and not here."""
    for found in _SLIPS.finditer(text):
        if not found["quoted"]:
            before = text[: found.start()].split("\n")
            return Problem(len(before), len(before[-1]) + 1, f"found {found[0]}; known: {_meant(found)}")
    return None


def _meant(found: re.Match[str]) -> str:
    if found["number"]:
        return "numbers without separators and with a point, such as 1000000 or 49.90"
    return {"&&": "and", "||": "or"}.get(found[0], found[0].lower())


def _unreadable(text: str, error: SyntaxError) -> Problem:
    lines = text.split("\n")
    line = min(max(error.lineno or 1, 1), len(lines))
    offset = (error.offset or 1) - (line == 1)
    column = min(max(offset, 1), len(lines[line - 1]) + 1)
    if (error.lineno or 1) > len(lines):  # our closing bracket: the text stops too early
        column = len(lines[-1]) + 1
    return Problem(line, column, f"cannot be read from here on ({error.msg})")
