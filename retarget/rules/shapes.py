"""The shapes of a rule's values: each reads a value or notes what is wrong, and gives its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from retarget.rules.conditions import Condition, parse_condition, parse_formula
from retarget.rules.names import shown, unknown
from retarget.rules.places import Place
from retarget.times import DAY, format_duration, parse_duration, spelled_out


class _Bad(msgspec.Struct, frozen=True):
    """Stands for a value whose problem has been noted."""


BAD: Final = _Bad()
Schema = dict[str, Any]

# Before the elements of a list of which all are meant, not the first that will do.
ALL: Final = "all"

# Ten years: longer is a typing error, and everything stays far below what a clock can hold.
_LONGEST: Final = 3650 * DAY


class Shape(Protocol):
    """What one value of a rule must look like."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - what the model's fields hold
        """The checked value; BAD after a problem was noted at `at`."""

    def schema(self) -> Schema:
        """The same as JSON Schema."""


class Text(msgspec.Struct, frozen=True):
    """A text that is not empty; of that pattern, which `form` says in words."""

    form: str = "a text"
    pattern: str = r"(?s).*\S.*"
    longest: int = 1_000

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The text as it is."""
        if not isinstance(value, str):
            at.problem(f"found {described(value)}; known: {self.form}")
            return BAD
        if len(value) > self.longest or not re.fullmatch(self.pattern, value):
            at.problem(f"found {described(value)}; known: {self.form}, at most {self.longest} characters")
            return BAD
        return value

    def schema(self) -> Schema:
        """A string; the pattern without Python's flags."""
        pattern = {} if self.pattern.startswith("(?s)") else {"pattern": f"^{self.pattern}$"}
        return {"type": "string", "minLength": 1, "maxLength": self.longest, **pattern}


class Number(msgspec.Struct, frozen=True):
    """A number between `least` and `most`, both allowed."""

    least: int
    most: int
    whole: bool = True

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The number; a float unless `whole`."""
        kinds = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.least <= value <= self.most:
            kind = "a whole number" if self.whole else "a number"
            at.problem(f"found {described(value)}; known: {kind} from {self.least} to {self.most}")
            return BAD
        return value if self.whole else float(value)

    def schema(self) -> Schema:
        """A number with its bounds."""
        return {"type": "integer" if self.whole else "number", "minimum": self.least, "maximum": self.most}


class Above(msgspec.Struct, frozen=True):
    """A number above 0, at most `most`."""

    most: int

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The number as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= self.most:
            at.problem(f"found {described(value)}; known: {self.form}")
            return BAD
        return float(value)

    @property
    def form(self) -> str:
        """What may stand there, in words."""
        return f"a number above 0, at most {self.most}"

    def schema(self) -> Schema:
        """A number with its bounds."""
        return {"type": "number", "exclusiveMinimum": 0, "maximum": self.most}


class Duration(msgspec.Struct, frozen=True):
    """A duration such as `30m`, read into ms; `words` stand for numbers of their own; `zero` allows 0."""

    zero: bool = False
    words: Mapping[str, int] = {}

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """Milliseconds, or what the word stands for."""
        if isinstance(value, str) and value in self.words:
            return self.words[value]
        found = self._milliseconds(value)
        if found is None or found > _LONGEST or (found == 0 and not self.zero):
            at.problem(f"found {described(value)}; known: {self._form()}{_near(value)}")
            return BAD
        return found

    def schema(self) -> Schema:
        """A string of that form, or 0, or one of the words."""
        pattern = r"^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"
        options: list[Schema] = [{"type": "string", "pattern": pattern}]
        if self.zero:
            options.append({"const": 0})
        if self.words:
            options.append({"enum": list(self.words)})
        return options[0] if len(options) == 1 else {"anyOf": options}

    def _milliseconds(self, value: object) -> int | None:
        if value == 0 and type(value) is int:
            return 0
        try:
            return parse_duration(value) if isinstance(value, str) else None
        except (ValueError, OverflowError):
            return None

    def _form(self) -> str:
        others = [*(["0"] if self.zero else []), *self.words]
        most = format_duration(_LONGEST)
        return f"a duration such as 30m, 24h or 1d 12h, at most {most}" + "".join(f", or {o}" for o in others)


def _near(value: object) -> str:
    meant = spelled_out(value) if isinstance(value, str) else ""
    return f"; nearest: {meant}" if meant else ""


class Limit(msgspec.Struct, frozen=True):
    """A count of at least 1 in a duration, written `5000/1h`; `build` makes the value of both."""

    build: Callable[[int, int], object]
    form: str = "COUNT/DURATION such as 5000/1h"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """What `build` makes of count and ms."""
        found = re.fullmatch(r"([1-9]\d{0,8})/(.+)", value) if isinstance(value, str) else None
        try:
            within = parse_duration(found[2]) if found else 0
        except (ValueError, OverflowError):
            within = 0
        if found is None or not 0 < within <= _LONGEST:
            at.problem(f"found {described(value)}; known: {self.form}")
            return BAD
        return self.build(int(found[1]), within)

    def schema(self) -> Schema:
        """A string of that form."""
        return {"type": "string", "pattern": r"^[1-9]\d{0,8}/(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"}


_LONGEST_OF_FAMILY: Final = 128


class OneOf(msgspec.Struct, frozen=True):
    """One of `known`; `what` names such a value. `refused` says why a text that seems right is not.

    `family`: whatever begins so and goes on is known, too.
    """

    what: str
    known: tuple[str, ...]
    refused: Mapping[str, str] = {}
    family: str = ""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The text as it is."""
        if not isinstance(value, str):
            at.problem(f"found {described(value)}; known: {', '.join(self.known)}")
            return BAD
        if value in self.refused:
            at.problem(f"found {described(value)}: {self.refused[value]}")
            return BAD
        if value in self.known or (self.family and self._is_of_family(value)):
            return value
        own = f"; your own events are {self.family}NAME" if self.family else ""
        at.problem(unknown(self.what, value, self.known) + own)
        return BAD

    def schema(self) -> Schema:
        """An enumeration."""
        known: Schema = {"enum": list(self.known)}
        more: Schema = {"type": "string", "pattern": f"^{self.family}.*\\S", "maxLength": _LONGEST_OF_FAMILY}
        return {"anyOf": [known, more]} if self.family else known

    def _is_of_family(self, value: str) -> bool:
        return (
            value.startswith(self.family)
            and value.strip() != self.family.strip()
            and len(value) <= _LONGEST_OF_FAMILY
        )


class Several(msgspec.Struct, frozen=True):
    """A list of different `item`s, at least `least`; with `single`, one may stand without a list."""

    item: Shape
    what: str
    least: int = 1
    most: int = 100
    single: bool = False

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The readable elements, in order; what is missing has its problem noted."""
        if self.single and isinstance(value, str):
            value = [value]
            read = [self.item.read(value[0], at)]
        elif isinstance(value, list):
            read = [self.item.read(element, at.child(index)) for index, element in enumerate(value)]
        else:
            single = f"one {self.what}, or " if self.single else ""
            several = f"one {self.what} or more" + ("" if self.least else "; [] for none")
            at.problem(f"found {described(value)}; known: {single}a list: {several}")
            return BAD
        if not self.least <= len(value) <= self.most:
            at.problem(
                f"found {len(value)} in the list; known: {self.least} to {self.most}, each a {self.what}"
            )
        for index, element in enumerate(value):
            if isinstance(element, str) and element in value[:index]:
                at.child(index).problem(f"found {shown(element)} twice; known: each {self.what} once")
        return tuple(read)

    def schema(self) -> Schema:
        """An array, or one element."""
        item = self.item.schema()
        array: Schema = {"type": "array", "items": item, "minItems": self.least, "maxItems": self.most}
        return {"anyOf": [item, array]} if self.single else array


class OrAll(msgspec.Struct, frozen=True):
    """`several` in order of choice, or all of them at once: `{all: [a, b]}`, or `all`, which is `every`."""

    several: Several
    every: tuple[str, ...]

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The elements, with ALL before them where all are meant."""
        if value == ALL:
            return (ALL, *self.every)
        if isinstance(value, str):
            at.problem(f"found {described(value)}; known: {self.form}")
            return BAD
        if not isinstance(value, Mapping):
            return self.several.read(value, at)
        if [*value] != [ALL]:
            at.problem(f"found a mapping of {', '.join(map(shown, map(str, value)))}; known: {self.form}")
            return BAD
        read = self.several.read(value[ALL], at.child(ALL))
        return BAD if read is BAD else (ALL, *read)

    @property
    def form(self) -> str:
        """What may stand there, in words."""
        return f"a list: one {self.several.what} or more; `all`, or `{{all: [...]}}`: each of them at once"

    def schema(self) -> Schema:
        """The three forms."""
        listed = self.several.schema()
        all_of = {
            "type": "object",
            "properties": {ALL: listed},
            "required": [ALL],
            "additionalProperties": False,
        }
        return {"anyOf": [listed, {"const": ALL}, all_of]}


class Named(msgspec.Struct, frozen=True):
    """A mapping from names of the author's choice to `item`s; its order counts."""

    item: Shape
    name: Text
    what: str

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The readable pairs, in order."""
        if not isinstance(value, Mapping) or not value:
            at.problem(f"found {described(value)}; known: a mapping of {self.what}")
            return BAD
        for key in value:
            self.name.read(key, at.child(str(key)))
        return {str(key): self.item.read(item, at.child(str(key))) for key, item in value.items()}

    def schema(self) -> Schema:
        """An object whose properties are alike."""
        names = self.name.schema()
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": self.item.schema(),
            "minProperties": 1,
        }


class Expression(msgspec.Struct, frozen=True):
    """A condition about the rule's subject."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The Condition."""
        if isinstance(value, bool):
            value = str(value).lower()  # YAML reads `true` before we do
        if not isinstance(value, str):
            at.problem(f"found {described(value)}; known: a condition such as cart.size > 0")
            return BAD
        condition = parse_condition(value, at.reading.vocabulary, at.reading.subject)
        if isinstance(condition, Condition):
            return condition
        for problem in condition:
            at.problem(str(problem))
        return BAD

    def schema(self) -> Schema:
        """A string: the language itself is beyond JSON Schema."""
        return {"type": ["string", "boolean"], "minLength": 1}


class Switch(msgspec.Struct, frozen=True):
    """`true` or `false`."""

    form: str = "`true` or `false`"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The value as it is."""
        if isinstance(value, bool):
            return value
        at.problem(f"found {described(value)}; known: true or false")
        return BAD

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


class Amount(msgspec.Struct, frozen=True):
    """A number, or an expression that gives one, about the rule's subject."""

    form: str = "a number or an expression"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The Formula."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            at.problem(f"found {described(value)}; known: a number such as 0.1 * cart.value")
            return BAD
        formula = parse_formula(value, at.reading.vocabulary, at.reading.subject)
        if not isinstance(formula, tuple):
            return formula
        for problem in formula:
            at.problem(str(problem))
        return BAD

    def schema(self) -> Schema:
        """A number or a string."""
        return {"type": ["string", "number"], "minLength": 1}


def described(value: object) -> str:
    """`value` in a few words for a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < _LONGEST else "a number out of range"
    if isinstance(value, str) and value:
        return f"the text {shown(value)}"
    if value is None:
        return "nothing"
    kind = next((word for kind, word in _KINDS.items() if isinstance(value, kind)), type(value).__name__)
    return f"a {kind}" if value else f"an empty {kind}"


_KINDS: Final = {str: "text", list: "list", Mapping: "mapping"}
