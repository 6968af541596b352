"""The words a condition may use, and the typed terms it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

Type = Literal["number", "text", "bool", "duration", "time", "list"]
# What a condition is judged on. Only the vocabulary knows what it is.
Scene: TypeAlias = Any
Read: TypeAlias = Callable[[Scene], Any]


class Window(msgspec.Struct, frozen=True):
    """The person's events of `types` are needed as far back as `within` ms, and the `number` in each.

    Those about the subject, or about another kind of subject (`about`); of a `category`, only those with a
    product of it.
    """

    types: tuple[str, ...]
    within: int
    number: str | None = None
    category: str | None = None
    about: str | None = None


class Name(msgspec.Struct, frozen=True):
    """A dotted name: `read` gives its value in a scene, None when it is not known.

    `subjects` are the kinds of subject for which it exists (None: all), `choices` the texts it can have
    (None: any), `of` the type of a list's elements. `event_only`: known only while an event is judged, not
    at the end of a wait. Durations are ms, times epoch ms. `window`: the events from which it is known.
    `misfit`: whether it was told as something of another type.
    """

    type: Type
    doc: str
    read: Read
    subjects: frozenset[str] | None = None
    choices: tuple[str, ...] | None = None
    of: Type = "text"
    event_only: bool = False
    window: Window | None = None
    misfit: Read | None = None


class Argument(msgspec.Struct, frozen=True):
    """One argument of a function; always a literal. Durations must be longer than nothing.

    `many`: takes all positional values, at least one. `keyword`: must be named. `choices`: the known texts,
    `family`: the beginning of further ones.
    """

    name: str
    type: Type
    required: bool = True
    many: bool = False
    keyword: bool = False
    choices: tuple[str, ...] | None = None
    family: str = ""


class Function(msgspec.Struct, frozen=True):
    """A call such as `count("add", within=hours(48))`.

    `build` and `window` get the literals as they were given: positional ones in order, named ones by name.
    `build` gives the reader of the call's value and may raise ValueError with a sentence about the literals;
    `window` says which events the call looks back on, `beside` is that of its term, `misfit` is as in a Name.
    """

    args: tuple[Argument, ...]
    returns: Type
    doc: str
    build: Callable[..., Read]
    window: Callable[..., Window] | None = None
    subjects: frozenset[str] | None = None
    beside: Callable[..., Callable[[float], Read]] | None = None
    misfit: Callable[..., Read] | None = None


class Vocabulary(msgspec.Struct, frozen=True):
    """All that conditions can speak of, besides `exists` and the durations, which are the language's own.

    `places`: kinds of subject that no rule has, and the place whose conditions are about them.
    """

    names: Mapping[str, Name]
    functions: Mapping[str, Function] = {}
    places: Mapping[str, str] = {}


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A checked part of a condition: its type and how its value is read.

    `constant` terms read no scene and hold their `value`; `certain` ones are never None. Where it is quicker,
    `beside` gives for a constant what reads a number that compares with it as the term's value does.
    """

    text: str
    type: Type
    read: Read
    of: Type | None = None
    choices: tuple[str, ...] | None = None
    constant: bool = False
    value: Any = None
    certain: bool = False
    beside: Callable[[float], Read] | None = None


# What was wrong, as a sentence; whoever asked knows where.
Complaint: TypeAlias = str


def misfit(scene: Scene) -> None:
    """Tell the scene, if it wants to know, that a value was not of the type that its name has."""
    note = getattr(scene, "misfit", None)
    if note is not None:
        note()


def literal(text: str, kind: Type, value: object, of: Type | None = None) -> Term:
    """The term of a value that is the same in every scene."""
    return Term(text=text, type=kind, read=lambda _: value, of=of, constant=True, value=value, certain=True)
