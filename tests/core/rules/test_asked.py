"""The benchmark of conditions leaves no term of the vocabulary out."""

from __future__ import annotations

from bench.asked import rows
from retarget.rules.vocabulary import VOCABULARY


def test_every_name_and_function_has_a_row() -> None:
    """A new term is measured from the day on which it comes."""
    asked = list(rows())
    names = set[str]().union(*(row.condition.names for row in asked))
    assert names == set(VOCABULARY.names)
    assert [name for name in VOCABULARY.functions if not any(f"{name}(" in row.text for row in asked)] == []
