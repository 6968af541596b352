"""Product sets: products by what they are, which part an ad audience; declared once for a folder of rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from retarget.rules.conditions import Condition, Vocabulary
from retarget.rules.names import shown, unknown
from retarget.rules.places import Document, Place, Reading
from retarget.rules.shapes import BAD, Expression, Named, Schema, Several, Text, described

# What a product is: what the person did with it, and how many there are left, is for the rule's conditions.
WORDS: Final = ("product.id", "product.category", "product.price", "product.price_now", "product.margin")
NAME: Final = Text("a code: lower-case letters, digits and _, a letter first", "[a-z][a-z0-9_]*", 32)
# Each is an audience for the platforms to fill, and a person may be in 200 of them.
MOST: Final = 50


class Belonging(msgspec.Struct, frozen=True):
    """A condition by which a product belongs to a set."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The Condition, which asks for nothing but WORDS."""
        known = at.reading.vocabulary.names
        words = Vocabulary({word: known[word] for word in WORDS if word in known})
        reading = Reading(at.reading.document, words)
        reading.problems, reading.subject = at.reading.problems, "product"
        return Expression().read(value, Place(reading, at.path))

    def schema(self) -> Schema:
        """As that of a condition."""
        return Expression().schema()


_DECLARED: Final = Named(Belonging(), NAME, "set: condition")
_LISTED: Final = Several(NAME, "product set", most=MOST)


class ProductSets(msgspec.Struct, frozen=True):
    """Names of sets that are declared beside the rule, or sets of its own by name."""

    form: str = "a list of product sets, or a mapping of set: condition"

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """Name -> Condition either way, in order."""
        if isinstance(value, Mapping):
            if len(value) > MOST:
                at.problem(f"found {len(value)} product sets; known: at most {MOST}")
            return _DECLARED.read(value, at)
        if not isinstance(value, list):
            at.problem(f"found {described(value)}; known: {self.form}")
            return BAD
        names, declared = _LISTED.read(value, at), at.reading.document.sets
        return {
            name: _declared(name, declared, at.child(index))
            for index, name in enumerate(names)
            if isinstance(name, str)
        }

    def schema(self) -> Schema:
        """Both forms."""
        return {"anyOf": [_LISTED.schema(), {**_DECLARED.schema(), "maxProperties": MOST}]}


def _declared(name: str, declared: Mapping[str, Any], at: Place) -> Any:  # noqa: ANN401 - see Shape
    if name not in declared:
        at.problem(unknown("product set", name, declared))
    elif declared[name] is BAD:
        at.problem(f"found {shown(name)}, which is wrong where it is declared; known: a set without mistakes")
    return declared.get(name, BAD)


def read_sets(documents: Iterable[Document], vocabulary: Vocabulary) -> tuple[dict[str, Any], list[str]]:
    """The declared sets by name, and a line for each problem; BAD stands for a set that has one."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    first: dict[str, str] = {}
    for document in documents:
        reading = Reading(document, vocabulary)
        read = _DECLARED.read(document.data, reading.root)
        for name, condition in read.items() if isinstance(read, dict) else ():
            if name in first:
                said = f"found the product set {shown(name)} a second time; the first is at {first[name]}"
                reading.root.child(name).problem(said)
            first.setdefault(name, f"{document.file}:{document.line((name,))}")
            found.setdefault(name, condition)
        problems += reading.lines
    return found, problems


def self_contained(document: Document) -> Any:  # noqa: ANN401 - plain data
    """The document's data with each declared set that it names written out, for whoever has no such file."""
    if not document.sets or not isinstance(document.data, Mapping):
        return document.data
    steps = document.data.get("steps")
    if not isinstance(steps, list):
        return document.data
    return {**document.data, "steps": [_written_out(step, document.sets) for step in steps]}


def _written_out(step: Any, declared: Mapping[str, Any]) -> Any:  # noqa: ANN401 - plain data
    audience = step.get("audience") if isinstance(step, Mapping) else None
    if not isinstance(audience, Mapping) or not isinstance(names := audience.get("sets"), list):
        return step
    texts = {name: declared[name].text for name in names if isinstance(declared.get(name), Condition)}
    return {**step, "audience": {**audience, "sets": texts}}
