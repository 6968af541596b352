"""Calls: durations, which are constants, and the vocabulary's functions, whose arguments are literals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from retarget.rules.expressions.terms import Argument, Complaint, Function, Term, Window, literal
from retarget.rules.names import meant_by, unknown
from retarget.times import DAY, HOUR, MINUTE, SECOND

DURATIONS: Final[Mapping[str, int]] = {"seconds": SECOND, "minutes": MINUTE, "hours": HOUR, "days": DAY}


def duration(text: str, unit: str, given: Sequence[Term]) -> Term | Complaint:
    """`unit(n)` in milliseconds; `unit` is one of DURATIONS."""
    if len(given) != 1 or given[0].type != "number" or not given[0].constant or given[0].value < 0:
        return f"{unit} takes one number that is not negative, such as {unit}(30)"
    return literal(text, "duration", round(given[0].value * DURATIONS[unit]))


def call(
    text: str, function: Function, given: Sequence[Term], named: Mapping[str, Term]
) -> tuple[Term, Window | None] | list[Complaint]:
    """The term of a vocabulary's function with these literals, and the events it looks back on."""
    complaints = list(_misfits(function, given, named))
    if complaints:
        return complaints
    values = [term.value for term in given]
    by_name = {name: term.value for name, term in named.items()}
    try:
        read = function.build(*values, **by_name)
        window = function.window(*values, **by_name) if function.window else None
        beside = function.beside(*values, **by_name) if function.beside else None
    except ValueError as error:
        return [str(error)]
    return Term(text=text, type=function.returns, read=read, beside=beside), window


def _misfits(function: Function, given: Sequence[Term], named: Mapping[str, Term]) -> Iterator[Complaint]:
    positional = [argument for argument in function.args if not argument.keyword]
    fits = [_argument_at(positional, index) for index in range(len(given))]
    if None in fits:
        yield f"takes {len(positional)} values without a name, found {len(given)}"
    placed = {argument.name for argument in fits if argument is not None}
    known = {argument.name: argument for argument in function.args if not argument.many}
    for argument, term in zip(fits, given, strict=True):
        yield from _unfit(argument, term)
    for name, term in named.items():
        if name in placed:
            yield f"{name} is given twice"
        elif name not in known:
            yield unknown("argument", name, known)
        else:
            yield from _unfit(known[name], term)
    there = placed | named.keys() | {meant_by(name, known) for name in named.keys() - known.keys()}
    for argument in function.args:
        if argument.required and argument.name not in there:
            yield f"{argument.name} is missing; {_example(argument)}"


def _argument_at(positional: Sequence[Argument], index: int) -> Argument | None:
    if index < len(positional):
        return positional[index]
    return positional[-1] if positional and positional[-1].many else None


def _unfit(argument: Argument | None, term: Term) -> Iterator[Complaint]:
    if argument is None:
        return
    if not term.constant:
        yield f"{argument.name} must be written out, found {term.text}; {_example(argument)}"
    elif term.type != argument.type:
        yield f"{argument.name} is a {argument.type}, found {term.text}, a {term.type}; {_example(argument)}"
    elif argument.choices is not None and not _is_known(argument, term.value, argument.choices):
        yield unknown(argument.name, term.value, argument.choices)
    elif argument.type == "duration" and term.value <= 0:
        yield f"{argument.name} must be longer than nothing; {_example(argument)}"


def _is_known(argument: Argument, text: str, choices: tuple[str, ...]) -> bool:
    family = argument.family
    return text in choices or bool(family and text.startswith(family) and text[len(family) :].strip())


_EXAMPLES: Final = {
    "number": "3",
    "text": '"text"',
    "bool": "true",
    "duration": "hours(48)",
    "time": "hours(48)",
    "list": '["a", "b"]',
}


def _example(argument: Argument) -> str:
    value = f'"{argument.choices[0]}"' if argument.choices else _EXAMPLES[argument.type]
    return f"write {argument.name}={value}" if argument.keyword else f"write {value}"
