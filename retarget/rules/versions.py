"""The version of a rule: the same for the same meaning, however it was laid out or spelled."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from retarget.rules.conditions import Condition, Formula
from retarget.rules.model import Rule

_DIGITS: Final = 12


def version_of(rule: Rule) -> str:
    """The first 12 hex digits of a BLAKE2b of the rule's canonical JSON; `rule.version` does not count."""
    content = msgspec.json.encode(plain(msgspec.structs.replace(rule, version="")), order="sorted")
    return blake2b(content).hexdigest()[:_DIGITS]


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a rule holds
    """What a version is made of: equal for what means the same.

    Without fields at their default, so that a new one changes no version. Order in mappings counts.
    """
    if isinstance(value, Condition | Formula):
        return value.text
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        found = {field.name: getattr(value, field.name) for field in fields if _said(value, field)}
        return {"is": type(value).__name__, **{name: plain(inner) for name, inner in found.items()}}
    if isinstance(value, Mapping):
        return [[key, plain(inner)] for key, inner in value.items()]
    if isinstance(value, tuple):
        return [plain(inner) for inner in value]
    return value


def _said(struct: msgspec.Struct, field: Any) -> bool:  # noqa: ANN401 - msgspec's own description of a field
    default = {} if field.default_factory is dict else field.default
    return bool(getattr(struct, field.name) != default)
