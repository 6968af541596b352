"""Conditions that can never hold, as far as their text tells: constants, empty ranges, two texts at once.

Only what is certain is found: numbers and texts that one name or call is compared with, joined by `and`, and
`not` of what always holds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final, TypeAlias

from retarget.rules.expressions.calls import DURATIONS
from retarget.rules.expressions.syntax import Problem, source_of, tree_of
from retarget.rules.tallies import KEPT
from retarget.times import DAY

Value: TypeAlias = float | str | bool
# The low end, whether it is itself allowed, the high end, whether that is.
_Range: TypeAlias = tuple[float, bool, float, bool]
# Name -> the texts that it can be.
_Texts: TypeAlias = Mapping[str, frozenset[str]]

_ALL: Final[_Range] = (float("-inf"), True, float("inf"), True)
_COUNTED: Final = frozenset({"cart.size", "carts.size", "person.purchases", "session.events", "order.number"})
_COUNTING: Final = frozenset({"count", "since_opened", "days_with", "dwell", "distinct"})
# Of these a number is known at any time: what a comparison says of all numbers always holds.
_ALWAYS_KNOWN: Final = frozenset({"carts.size", "person.purchases", "session.events", "count", "days_with"})
# Of these no more than so many events of a subject are known.
_BOUNDED: Final = frozenset({"count", "days_with", "distinct"})
_TURNED: Final = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def never_holds(text: str, types: frozenset[str] = frozenset()) -> str | None:
    """The part of a condition by which it can never hold; None when it may, or has mistakes.

    `types`: those that the event can have at which it is judged; empty: any, or there is none.
    """
    tree = tree_of(text.strip())
    if isinstance(tree, Problem):
        return None
    part = _never(tree, {"event.type": types} if types else {})
    return None if part is None else source_of(text.strip(), part)


def always_holds(text: str) -> bool:
    """Whether it is simply true."""
    tree = tree_of(text.strip())
    return not isinstance(tree, Problem) and _always(tree)


def _never(tree: ast.expr, known: _Texts) -> ast.expr | None:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or):
        return tree if all(_never(part, known) is not None for part in tree.values) else None
    parts = list(_parts(tree))
    for part in parts:
        if _constant(part) is False:
            return part
        if isinstance(part, ast.BoolOp) and _never(part, known) is not None:
            return part
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not) and _always(part.operand):
            return part
    return _narrowed(parts, known)


def _always(tree: ast.expr) -> bool:
    """Whether it holds whatever there is; what is unknown holds in no comparison."""
    match tree:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(map(_always, parts))
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(map(_always, parts))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _never(operand, {}) is not None
        case ast.Compare(ops=[_]):
            return _constant(tree) is True or _leaves_nothing_out(tree)
    return _constant(tree) is True


def _leaves_nothing_out(tree: ast.Compare) -> bool:
    """Whether a comparison says of a number only what is so of any such number."""
    for name, operator, value in _comparisons(tree):
        if isinstance(value, float) and name.partition("(")[0] in _ALWAYS_KNOWN:
            possible, said = _first(name), _range(operator, value)
            return said != _ALL and _both(possible, said) == possible
    return False


def _parts(tree: ast.expr) -> Iterator[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for part in tree.values:
            yield from _parts(part)
    else:
        yield tree


def _narrowed(parts: list[ast.expr], known: _Texts) -> ast.expr | None:
    """The first part that leaves nothing of what the parts before it allow."""
    ranges: dict[str, _Range] = {}
    texts = dict(known)
    for part in parts:
        for name, operator, value in _comparisons(part):
            if isinstance(value, frozenset):
                texts[name] = texts.get(name, value) & value
                if not texts[name]:
                    return part
            else:
                low, with_low, high, with_high = _both(
                    ranges.get(name, _first(name)), _range(operator, value)
                )
                ranges[name] = low, with_low, high, with_high
                if low > high or (low == high and not (with_low and with_high)):
                    return part
    return None


def _comparisons(part: ast.expr) -> Iterator[tuple[str, ast.cmpop, float | frozenset[str]]]:
    """Each `name operator value` of a comparison, also of one in a chain or the other way round."""
    if not isinstance(part, ast.Compare):
        return
    sides = [part.left, *part.comparators]
    for left, operator, right in zip(sides, part.ops, sides[1:], strict=False):
        if isinstance(operator, (ast.Eq, ast.In)) and (allowed := _texts(right)) is not None:
            yield ast.unparse(left), operator, allowed
        elif _is_number(value := _constant(right)) and _constant(left) is None:
            yield ast.unparse(left), operator, float(value)  # type: ignore[arg-type]
        elif _is_number(value := _constant(left)) and _constant(right) is None:
            turned = _TURNED.get(type(operator), type(operator))()
            yield ast.unparse(right), turned, float(value)  # type: ignore[arg-type]


def _first(name: str) -> _Range:
    """What a name can be at all: a count is never negative."""
    function = name.partition("(")[0]
    most = float(KEPT) if function in _BOUNDED else float("inf")
    if function == "days_with":
        most = min(most, _days_touched(name))
    return (0, True, most, True) if name in _COUNTED or function in _COUNTING else _ALL


def _days_touched(call: str) -> float:
    """How many days a window can touch at most: one more than it is long."""
    tree = ast.parse(call, mode="eval").body
    named = tree.keywords if isinstance(tree, ast.Call) else []
    within = next((_constant(one.value) for one in named if one.arg == "within"), None)
    return ceil(within / DAY) + 1 if _is_number(within) else float("inf")  # type: ignore[operator]


def _range(operator: ast.cmpop, value: float) -> _Range:
    low, _, high, _ = _ALL
    match operator:
        case ast.Eq():
            return value, True, value, True
        case ast.Lt() | ast.LtE():
            return low, True, value, isinstance(operator, ast.LtE)
        case ast.Gt() | ast.GtE():
            return value, isinstance(operator, ast.GtE), high, True
    return _ALL


def _both(one: _Range, other: _Range) -> _Range:
    low, lacks_low = max((one[0], not one[1]), (other[0], not other[1]))
    high, with_high = min((one[2], one[3]), (other[2], other[3]))
    return low, not lacks_low, high, with_high


def _constant(node: ast.expr) -> Value | None:
    """The value of a part that looks at nothing; None when it does."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as literal):
            return literal
        case ast.Name(id="true" | "false" as word):
            return word == "true"
        case ast.UnaryOp(op=ast.USub(), operand=operand) if _is_number(value := _constant(operand)):
            return -value  # type: ignore[operator]
        case ast.Call(func=ast.Name(id=unit), args=[argument]) if unit in DURATIONS:
            value = _constant(argument)
            return float(value) * DURATIONS[unit] if _is_number(value) else None  # type: ignore[arg-type]
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            one, other = _constant(left), _constant(right)
            if _is_number(one) and _is_number(other):
                return _compared(float(one), operator, float(other))  # type: ignore[arg-type]
    return None


def _compared(one: float, operator: ast.cmpop, other: float) -> bool | None:
    if isinstance(operator, ast.NotEq):
        return one != other
    low, with_low, high, with_high = _range(operator, other)
    return (low < one or (with_low and low == one)) and (one < high or (with_high and one == high))


def _is_number(value: Value | None) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _texts(node: ast.expr) -> frozenset[str] | None:
    """The texts of a literal, or of a list of them."""
    nodes = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    values = [_constant(one) for one in nodes]
    return frozenset(map(str, values)) if values and all(isinstance(v, str) for v in values) else None
