"""The manual of the rule language says what the parser does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

from retarget.rules.grammar import RULE
from retarget.rules.parse import Document, read_rules
from retarget.rules.records import Key, Record
from retarget.rules.vocabulary import FUNCTIONS, NAMES, VOCABULARY
from streams.rule_manual import manual

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/rules.md"


def records_in(shape: object) -> Iterator[Record]:
    """A record and all that its keys may hold."""
    if isinstance(shape, Record):
        yield shape
        for key in shape.keys:
            yield from records_in(key.shape)
    elif isinstance(shape, msgspec.Struct):
        for name in shape.__struct_fields__:
            yield from records_in(getattr(shape, name))


RECORDS: Final = {record.what: record for record in records_in(RULE)}
KEYS: Final = [(what, key) for what, record in RECORDS.items() for key in record.keys]


def problems_of(document: Any) -> list[str]:  # noqa: ANN401 - what YAML can say
    """What the parser has against a rule."""
    _, problems = read_rules([Document("the manual", document)], VOCABULARY)
    return problems


def test_the_page_is_in_step() -> None:
    """If not: `python -m streams.rule_manual > docs/rules.md`."""
    assert PAGE.read_text(encoding="utf-8") == manual()


def test_the_examples_are_rules() -> None:
    """Whoever copies an example from the page gets a rule."""
    examples = re.findall(r"```yaml\n(.*?)```", manual(), re.DOTALL)

    assert examples
    for example in examples:
        assert problems_of(yaml.safe_load(example)) == []


@pytest.mark.parametrize(("what", "key"), KEYS, ids=lambda value: getattr(value, "name", value))
def test_every_key_is_on_the_page(what: str, key: Key) -> None:
    """A key that the parser reads, in whatever part of a rule, has a row with its sentence."""
    assert len(RECORDS) > 10, what
    assert any(line.startswith(f"| `{key.name}` |") and key.says in line for line in manual().splitlines())


def test_every_word_of_conditions_is_on_the_page() -> None:
    """Names and functions, each with its type."""
    text = manual()

    assert [name for name, found in NAMES.items() if f"| `{name}` | {found.type} |" not in text] == []
    assert [name for name in FUNCTIONS if f"| `{name}(" not in text] == []
