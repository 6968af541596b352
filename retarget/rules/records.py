"""Records: mappings whose keys are declared once, with shape, default, a sentence and an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from retarget.rules.names import meant_by, unknown
from retarget.rules.places import Place
from retarget.rules.shapes import BAD, Schema, Shape, described

# Values by key, as far as they could be read.
Values = Mapping[str, Any]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `default` and `example` are as an author writes them; else the model's own default counts."""

    name: str
    shape: Shape
    says: str
    example: Any
    required: bool = False
    default: Any = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping with those keys and no others, `exactly_one` of which there must be.

    `check` notes what is wrong between keys, in `Values` that may lack keys and hold BAD;
    `build` makes the model's value once nothing is wrong in the whole document.
    """

    what: str
    keys: tuple[Key, ...]
    build: Callable[[Values], Any]
    exactly_one: tuple[str, ...] = ()
    check: Callable[[Values, Place], None] | None = None

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """A Draft of what could be read."""
        if not isinstance(value, Mapping):
            names = ", ".join(key.name for key in self.keys)
            at.problem(f"found {described(value)}; known: a mapping, {self.what}, with {names}")
            return BAD
        meant = self._check_keys(value, at)
        values: dict[str, Any] = {}
        for key in self.keys:
            if key.name in meant:
                values[key.name] = BAD  # there is a mistake in its name, which is told, and no other
                continue
            given = value.get(key.name, key.default)
            if key.name in value or given is not None:
                values[key.name] = key.shape.read(given, at.child(key.name))
        if self.check is not None:
            self.check(values, at)
        return Draft(self, values)

    def schema(self) -> Schema:
        """An object; the sentences become descriptions."""
        schema: Schema = {
            "type": "object",
            "properties": {key.name: _property(key) for key in self.keys},
            "required": [key.name for key in self.keys if key.required],
            "additionalProperties": False,
        }
        if self.exactly_one:
            schema["oneOf"] = [{"required": [name]} for name in self.exactly_one]
        return schema

    def _check_keys(self, value: Mapping[Any, object], at: Place) -> frozenset[str]:
        """Note unknown and missing keys; those that are meant by an unknown one, and are not there."""
        known = [key.name for key in self.keys]
        strange = [str(name) for name in value if name not in known]
        for name in strange:
            at.child(name).problem(unknown("key", name, known))
        meant = frozenset(meant_by(name, known) for name in strange) - value.keys()
        there = meant | value.keys()
        for key in self.keys:
            if key.required and key.name not in there:
                at.child(key.name).problem(f"missing; known: {key.says} Example: {_example(key)}")
        found = [name for name in self.exactly_one if name in there]
        if self.exactly_one and len(found) != 1:
            said = f"found {' and '.join(found)}" if found else "missing"
            at.problem(f"{said}; known: exactly one of {', '.join(self.exactly_one)}")
        return meant


class Short(msgspec.Struct, frozen=True):
    """A record, or the text of its key `key` alone."""

    record: Record
    key: str

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """A Draft of the record either way."""
        if not isinstance(value, str):
            return self.record.read(value, at)
        draft = Draft(self.record, {self.key: self._shape.read(value, at)})
        if self.record.check is not None:
            self.record.check(draft.values, at)
        return draft

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [self._shape.schema(), self.record.schema()]}

    @property
    def _shape(self) -> Shape:
        return next(key.shape for key in self.record.keys if key.name == self.key)


class OrWord(msgspec.Struct, frozen=True):
    """A record, or one word that stands for it."""

    record: Record
    word: str

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The word, or a Draft of the record."""
        if value == self.word:
            return value
        if isinstance(value, str):
            at.problem(f"found {described(value)}; known: {self.word}, or a mapping, {self.record.what}")
            return BAD
        return self.record.read(value, at)

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [{"const": self.word}, self.record.schema()]}


class Draft(msgspec.Struct, frozen=True):
    """What could be read of a record."""

    record: Record
    values: Values


def within(values: Values, key: str) -> Values:
    """What could be read of the record under `key`; nothing where there is none."""
    draft = values.get(key)
    return draft.values if isinstance(draft, Draft) else {}


def built(value: Any) -> Any:  # noqa: ANN401 - from drafts to the model, whatever it holds
    """`value` with every draft in it built, innermost first. Only for documents without a problem."""
    if isinstance(value, Draft):
        return value.record.build({name: built(inner) for name, inner in value.values.items()})
    if isinstance(value, tuple):
        return tuple(built(inner) for inner in value)
    if isinstance(value, dict):
        return {name: built(inner) for name, inner in value.items()}
    return value


def _example(key: Key) -> str:
    """The key as YAML, of which JSON is a part."""
    plain = isinstance(key.example, str)
    return f"{key.name}: {key.example if plain else msgspec.json.encode(key.example).decode()}"


def _property(key: Key) -> Schema:
    default = {} if key.default is None else {"default": key.default}
    return {**key.shape.schema(), "description": key.says, "examples": [key.example], **default}
