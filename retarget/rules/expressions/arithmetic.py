"""Which types can be added, subtracted, multiplied and divided, and how that is done."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from retarget.rules.expressions.terms import Complaint, Read, Term, Type, literal, misfit


def _scaled(duration: float, factor: float) -> int:
    return round(duration * factor)


def _scaling(factor: float, duration: float) -> int:
    return round(factor * duration)


def _divided(duration: float, parts: float) -> int:
    return round(duration / parts)


_Operate = Callable[[Any, Any], Any]

# The whole arithmetic: what is not here is refused. Durations and times stay whole milliseconds.
_MOVES: Final[Mapping[tuple[str, Type, Type], tuple[Type, _Operate]]] = {
    ("+", "number", "number"): ("number", operator.add),
    ("-", "number", "number"): ("number", operator.sub),
    ("*", "number", "number"): ("number", operator.mul),
    ("/", "number", "number"): ("number", operator.truediv),
    ("%", "number", "number"): ("number", operator.mod),
    ("+", "duration", "duration"): ("duration", operator.add),
    ("-", "duration", "duration"): ("duration", operator.sub),
    ("*", "duration", "number"): ("duration", _scaled),
    ("*", "number", "duration"): ("duration", _scaling),
    ("/", "duration", "number"): ("duration", _divided),
    ("/", "duration", "duration"): ("number", operator.truediv),
    ("-", "time", "time"): ("duration", operator.sub),
    ("+", "time", "duration"): ("time", operator.add),
    ("+", "duration", "time"): ("time", operator.add),
    ("-", "time", "duration"): ("time", operator.sub),
}

_DIVIDING: Final = ("/", "%")


def calculation(text: str, sign: str, left: Term, right: Term) -> Term | Complaint:
    """`left sign right`, unknown when one side is unknown or the result is no number (divided by 0)."""
    move = _MOVES.get((sign, left.type, right.type))
    if move is None:
        return f"cannot calculate {left.type} {sign} {right.type}; {_possible(sign)}"
    if sign in _DIVIDING and right.constant and right.value == 0:
        return f"{text} divides by 0, which is never known; known: another number"
    kind, operate = move
    read = _by_constant(operate, left, right) if right.constant else _reader(operate, left.read, right.read)
    if not (left.constant and right.constant):
        return Term(text=text, type=kind, read=read)
    value = read(None)
    return f"{text} has no value" if value is None else literal(text, kind, value)


def negative(text: str, term: Term) -> Term | Complaint:
    """`-term`, unknown when the term is."""
    if term.type not in ("number", "duration"):
        return f"cannot negate {term.text}, a {term.type}; known: number, duration"
    inner = term.read
    if term.constant:
        return literal(text, term.type, -term.value)
    return Term(text=text, type=term.type, read=_reader(operator.sub, lambda _: 0, inner))


def _possible(sign: str) -> str:
    known = [f"{a} {sign} {b}" for done, a, b in _MOVES if done == sign]
    return f"known: {', '.join(known)}" if known else "known: + - * / %"


def _by_constant(operate: _Operate, left: Term, right: Term) -> Read:
    one, other = left.read, right.value

    def run(scene: object) -> object:
        value = one(scene)
        if value is None:
            return None
        try:
            return operate(value, other)
        except TypeError:
            misfit(scene)
            return None
        except (ZeroDivisionError, OverflowError, ValueError):
            return None

    return run


def _reader(operate: _Operate, left: Read, right: Read) -> Read:
    def run(scene: object) -> object:
        one, other = left(scene), right(scene)
        if one is None or other is None:
            return None
        try:
            return operate(one, other)
        except TypeError:
            misfit(scene)
            return None
        except (ZeroDivisionError, OverflowError, ValueError):
            return None

    return run
