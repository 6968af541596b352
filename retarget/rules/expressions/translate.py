"""From syntax tree to typed terms: every node of the language has a method here, every other is refused."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final

from retarget.rules.expressions import logic
from retarget.rules.expressions.arithmetic import calculation, negative
from retarget.rules.expressions.calls import DURATIONS, call, duration
from retarget.rules.expressions.comparison import comparison
from retarget.rules.expressions.syntax import Problem, place_of, source_of
from retarget.rules.expressions.terms import (
    Complaint,
    Function,
    Name,
    Read,
    Term,
    Type,
    Vocabulary,
    Window,
    literal,
)
from retarget.rules.names import unknown

_COMPARISONS: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_SIGNS: Final[Mapping[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%",
}  # fmt: skip
_YES_NO: Final = {"true": True, "false": False}
# Deeper nesting is no condition that a person can read.
_DEEPEST: Final = 40
# Products of such numbers stay exact enough, and never grow beyond what a float holds.
_LARGEST: Final = 1e15
_EXISTING: Final = 'exists(profile.country) or exists(trait("email"))'
_LANGUAGE: Final = "known: names, numbers, texts, lists, comparisons, and, or, not, in, + - * / %, calls"


class Translation:
    """One condition on its way from tree to term.

    Collects problems, names read, windows, texts of calls, and what says that one was told as another type.
    """

    def __init__(self, text: str, vocabulary: Vocabulary, subject: str | None) -> None:
        self.problems: list[Problem] = []
        self.names: set[str] = set()
        self.texts: set[str] = set()
        self.windows: list[Window] = []
        self.misfits: list[Read] = []
        self._text = text
        self._vocabulary = vocabulary
        self._subject = subject
        self._depth = 0

    def term(self, node: ast.expr) -> Term | None:
        """The term of a node, None when it has a problem."""
        method = _METHODS.get(type(node))
        if method is None:
            self._complain(node, f"{self._source(node)} is not part of the language; {_LANGUAGE}")
            return None
        if self._depth >= _DEEPEST:
            self._complain(node, f"nested more than {_DEEPEST} deep; write it in smaller parts")
            return None
        self._depth += 1
        try:
            return method(self, node)
        finally:
            self._depth -= 1

    def yes_or_no(self, node: ast.expr) -> Term | None:
        """The term of a node that must be true or false."""
        term = self.term(node)
        if term is not None and term.type != "bool":
            self._complain(node, f"{term.text} is a {term.type}, not true or false; compare it")
            return None
        return term

    def _literal(self, node: ast.Constant) -> Term | None:
        kind = _kind_of(node.value)
        if kind is None:
            self._complain(node, f"{self._source(node)} is no value; known: numbers, texts, true, false")
            return None
        return literal(self._source(node), kind, node.value)

    def _name(self, node: ast.Name | ast.Attribute) -> Term | None:
        name = _dotted(node)
        if name in _YES_NO:
            return literal(name, "bool", _YES_NO[name])
        known = self._vocabulary.names.get(name) if name else None
        if name is None or known is None:
            self._complain(node, self._unknown_name(name or self._source(node)))
            return None
        if not self._exists(known):
            self._complain(node, self._elsewhere(name, known))
            return None
        self.names.add(name)
        if known.window is not None and known.window not in self.windows:
            self.windows.append(known.window)
        if known.misfit is not None:
            self.misfits.append(known.misfit)
        return Term(text=name, type=known.type, read=known.read, choices=known.choices, of=_element(known))

    def _list(self, node: ast.List) -> Term | None:
        elements = [self.term(element) for element in node.elts]
        terms = [term for term in elements if term is not None]
        if len(terms) < len(elements):
            return None
        types = {term.type for term in terms}
        if len(types) != 1 or "list" in types or not all(term.constant for term in terms):
            self._complain(node, 'a list holds literals of one type, such as ["viewed", "carted"]')
            return None
        return literal(self._source(node), "list", tuple(term.value for term in terms), types.pop())

    def _logic(self, node: ast.BoolOp) -> Term | None:
        parts = [self.yes_or_no(value) for value in node.values]
        terms = [part for part in parts if part is not None]
        if len(terms) < len(parts):
            return None
        join = logic.both if isinstance(node.op, ast.And) else logic.either
        return join(self._source(node), terms)

    def _sign(self, node: ast.UnaryOp) -> Term | None:
        if isinstance(node.op, ast.Not):
            part = self.yes_or_no(node.operand)
            return part and logic.negation(self._source(node), part)
        if not isinstance(node.op, ast.USub):
            self._complain(node, f"{self._source(node)} is not part of the language; {_LANGUAGE}")
            return None
        part = self.term(node.operand)
        return part and self._checked(node, negative(self._source(node), part))

    def _compare(self, node: ast.Compare) -> Term | None:
        terms = [self.term(operand) for operand in (node.left, *node.comparators)]
        links: list[Term] = []
        for index, operator in enumerate(node.ops):
            left, right, sign = terms[index], terms[index + 1], _COMPARISONS[type(operator)]
            if sign in ("is", "is not"):
                self._complain(node, f"{sign} is not part of the language; known: ==, !=, in, exists(name)")
            elif _are_alike(node, index):
                both = self._source(node.comparators[index])
                self._complain(node, f"both sides of {sign} are {both}; known: another value on one of them")
            elif left is not None and right is not None:
                text = f"{left.text} {sign} {right.text}"
                link = self._checked(node, comparison(text, sign, left, right))
                links += [link] if link else []
        if len(links) < len(node.ops):
            return None
        return links[0] if len(links) == 1 else logic.both(self._source(node), links)

    def _calculate(self, node: ast.BinOp) -> Term | None:
        left, right = self.term(node.left), self.term(node.right)
        sign = _SIGNS.get(type(node.op))
        if sign is None:
            self._complain(node, f"{self._source(node)} is not part of the language; {_LANGUAGE}")
        if sign is None or left is None or right is None:
            return None
        return self._checked(node, calculation(self._source(node), sign, left, right))

    def _call(self, node: ast.Call) -> Term | None:
        label = _dotted(node.func)
        if label == "exists":
            return self._existence(node)
        function = self._vocabulary.functions.get(label) if label else None
        if label is None or (label not in DURATIONS and function is None):
            name = label or self._source(node.func)
            self._complain(node, unknown("function", name, self._function_names()))
            return None
        given = [self.term(argument) for argument in node.args]
        named = {keyword.arg or "**": self.term(keyword.value) for keyword in node.keywords}
        if "**" in named or len(named) < len(node.keywords):
            self._complain(node, f"{label}: every named argument is written once, as name=value")
            return None
        terms = [term for term in given if term]
        by_name = {name: term for name, term in named.items() if term}
        if len(terms) < len(given) or len(by_name) < len(named):
            return None
        if function is None or label in DURATIONS:
            return self._checked(node, duration(self._source(node), label, [*terms, *by_name.values()]))
        return self._called(node, label, function, terms, by_name)

    def _called(
        self, node: ast.Call, label: str, function: Function, given: list[Term], named: dict[str, Term]
    ) -> Term | None:
        if not self._exists(function):
            self._complain(node, self._elsewhere(label, function))
            return None
        outcome = call(self._source(node), function, given, named)
        if isinstance(outcome, list):
            for complaint in outcome:
                self._complain(node, f"{label}: {complaint}")
            return None
        self.texts.update(one.value for one in given if one.type == "text")
        term, window = outcome
        if window is not None and window not in self.windows:
            self.windows.append(window)
        if function.misfit is not None:
            self.misfits.append(function.misfit(*(one.value for one in given)))
        return term

    def _existence(self, node: ast.Call) -> Term | None:
        asked = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if asked is None or (_dotted(asked) is None and not isinstance(asked, ast.Call)):
            self._complain(node, f"exists takes one name or call, such as {_EXISTING}")
            return None
        term = self.term(node.args[0])
        return term and logic.existence(self._source(node), term.read)

    def _checked(self, node: ast.expr, outcome: Term | Complaint) -> Term | None:
        if isinstance(outcome, Term):
            return outcome
        self._complain(node, outcome)
        return None

    def _complain(self, node: ast.expr, sentence: str) -> None:
        self.problems.append(Problem(*place_of(self._text, node), sentence))

    def _source(self, node: ast.expr) -> str:
        return source_of(self._text, node)

    def _exists(self, word: Name | Function) -> bool:
        return self._subject is None or word.subjects is None or self._subject in word.subjects

    def _elsewhere(self, label: str, word: Name | Function) -> str:
        """That a word is for other subjects; and what may stand here, if no rule has such a subject."""
        places, homes = self._vocabulary.places, sorted(word.subjects or ())
        if (here := places.get(self._subject or "")) is not None:
            known = [name for name, one in self._vocabulary.names.items() if self._is_of_place(one)]
            twins = [name for name in known if name.partition(".")[2] == label.partition(".")[2]]
            meant = f"; nearest: {twins[0]}" if twins else ""
            return f"{label} does not exist in {here}; known: {', '.join(sorted(known))}{meant}; else use if"
        if places.keys() >= {*homes}:
            return f"{label} exists in {' and '.join(places[home] for home in homes)} only"
        return f"{label} does not exist for the subject {self._subject}; it exists for: {', '.join(homes)}"

    def _is_of_place(self, name: Name) -> bool:
        return name.subjects is not None and self._subject in name.subjects

    def _unknown_name(self, name: str) -> str:
        """Names of the same family (`cart.`) when there are any, else all: the whole list is long."""
        names = [known for known, word in self._vocabulary.names.items() if self._exists(word)]
        head = name.partition(".")[0]
        family = [known for known in names if known.partition(".")[0] == head]
        if not family and name in self._choices():
            return f'found {name} without quotes; write "{name}"'
        return unknown("name", name, family or names)

    def _choices(self) -> set[str]:
        """Every text that a name can have or a function takes."""
        names, functions = self._vocabulary.names.values(), self._vocabulary.functions.values()
        of_names = chain.from_iterable(name.choices or () for name in names)
        taken = (argument.choices or () for function in functions for argument in function.args)
        return {*of_names, *chain.from_iterable(taken)}

    def _function_names(self) -> list[str]:
        functions = self._vocabulary.functions.items()
        return ["exists", *DURATIONS, *(name for name, function in functions if self._exists(function))]


def _kind_of(value: object) -> Type | None:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float) and abs(value) <= _LARGEST:
        return "number"
    return None


def _are_alike(node: ast.Compare, index: int) -> bool:
    """Whether a link of a chain of comparisons compares something that is looked at with itself."""
    one, other = [node.left, *node.comparators][index : index + 2]
    asks = any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(one))
    return asks and ast.dump(one) == ast.dump(other)


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _element(name: Name) -> Type | None:
    return name.of if name.type == "list" else None


_METHODS: Final[Mapping[type[ast.expr], Callable[[Translation, Any], Term | None]]] = {
    ast.Constant: Translation._literal,  # noqa: SLF001 - the class's own table
    ast.Name: Translation._name,  # noqa: SLF001
    ast.Attribute: Translation._name,  # noqa: SLF001
    ast.List: Translation._list,  # noqa: SLF001
    ast.BoolOp: Translation._logic,  # noqa: SLF001
    ast.UnaryOp: Translation._sign,  # noqa: SLF001
    ast.Compare: Translation._compare,  # noqa: SLF001
    ast.BinOp: Translation._calculate,  # noqa: SLF001
    ast.Call: Translation._call,  # noqa: SLF001
}
