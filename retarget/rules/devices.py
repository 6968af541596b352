"""What no price, offer or message may depend on: the class of device that somebody uses.

Names of the vocabulary tell nothing about devices; what remains are traits, what third parties tell of people
(segments and scores), and texts that a producer puts into an event.
Like `sensitive` this finds slips and bad ideas, not intent.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from retarget.rules.expressions.syntax import Problem, source_of, tree_of

# Traits that are one, and values that give away that something is.
_TRAITS: Final = re.compile(
    r"(^|_)(device(?!_?ids?$|_?tokens?$)|user_?agent|browser|platform|os|operating_system|handset)(_|$)"
)
_VALUES: Final = re.compile(
    r"(^|_)(i?phone|ipad|ipod|android|ios|ipados|macos|macbook|mac|windows|linux|chromebook"
    r"|smartphone|handset|tablet|desktop|laptop|mobile(_app|_web)?)(_|$)"
)
# Names whose text a producer chooses; what somebody searched for is not among them.
_FREE: Final = frozenset({"event.name", "event.source", "event.channel"})
_CALLS: Final = frozenset({"trait", "trait_number", "segment", "score"})
# What third parties say is named by them: `likely-iphone-user` tells as much as `device`.
_OF_THIRD_PARTIES: Final = frozenset({"segment", "score"})
_BETWEEN: Final = re.compile(r"[^a-z0-9]+")


def by_device(text: str) -> str | None:
    """The part of a condition, or of an expected value, that depends on it; None without such a part."""
    tree = tree_of(text.strip())
    if isinstance(tree, Problem):
        return None
    part = next(_parts(tree), None)
    return None if part is None else source_of(text.strip(), part)


def names_device(text: str) -> bool:
    """Whether a text that a producer chose gives away what device somebody uses."""
    return bool(_VALUES.search(_words(text)))


def _parts(tree: ast.expr) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(_names_one(node, _words(key)) for key in _texts(node)):
            yield node
        if isinstance(node, ast.Compare) and _is_free(node):
            sides = (node.left, *node.comparators)
            if any(_VALUES.search(_words(text)) for side in sides for text in _literals(side)):
                yield node


def _names_one(node: ast.Call, key: str) -> bool:
    """Whether what is asked for by that name is the class of a device."""
    if not _is_trait(node):
        return False
    by_value = ast.unparse(node.func) in _OF_THIRD_PARTIES and _VALUES.search(key)
    return bool(_TRAITS.search(key) or by_value)


def _is_trait(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS


def _is_free(node: ast.Compare) -> bool:
    """Whether one side is a text of the producer's choice, or a trait."""
    return any(
        _is_trait(side) or (isinstance(side, ast.Attribute) and ast.unparse(side) in _FREE)
        for side in (node.left, *node.comparators)
    )


def _literals(side: ast.expr) -> Iterator[str]:
    """The texts that the other side is compared with."""
    if not isinstance(side, ast.Call):
        yield from _texts(side)


def _texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _words(text: str) -> str:
    """`User-Agent` and `userAgent` as `user_agent`."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    return _BETWEEN.sub("_", parted.lower())
