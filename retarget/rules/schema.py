"""JSON Schema of a rule's document, for editors; derived from the same declarations as the parser."""

from __future__ import annotations

from typing import Any

from retarget.rules.grammar import RULE


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of one rule. What lies between keys is only checked by `retarget check`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of retarget",
        **RULE.schema(),
    }
