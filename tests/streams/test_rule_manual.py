"""The manual of the rule language says what the parser does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from retarget.rules.grammar import RULE, SHOWN, STEP
from retarget.rules.parse import Document, read_rules
from retarget.rules.parts import AUDIENCE, ENDING
from retarget.rules.records import Key, Record
from retarget.rules.triggers import COUNT, QUIET
from retarget.rules.vocabulary import FUNCTIONS, NAMES, VOCABULARY
from streams.rule_manual import manual

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/rules.md"
RECORDS: Final = (RULE, COUNT, QUIET, ENDING, STEP, SHOWN, AUDIENCE)
KEYS: Final = [(record, key) for record in RECORDS for key in record.keys]


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


@pytest.mark.parametrize(("record", "key"), KEYS, ids=lambda value: getattr(value, "name", ""))
def test_every_key_is_on_the_page(record: Record, key: Key) -> None:
    """A key that the parser reads has a row with its sentence."""
    assert record in RECORDS
    assert any(line.startswith(f"| `{key.name}` |") and key.says in line for line in manual().splitlines())


def test_every_word_of_conditions_is_on_the_page() -> None:
    """Names and functions, each with its type."""
    text = manual()

    assert [name for name, found in NAMES.items() if f"| `{name}` | {found.type} |" not in text] == []
    assert [name for name in FUNCTIONS if f"| `{name}(" not in text] == []
