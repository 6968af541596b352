"""JSON Schemas (draft 2020-12) of everything that passes a topic, made from the types that write and read it.

The files beside this module are what `python -m streams.schemas` writes; a test keeps them in step. A change
that an existing consumer could stumble over needs a new version: a new file, beside the old one.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from retarget.catalogue.records import TEXTS, TOLD
from retarget.engine import gates
from retarget.journeys.consents import MOST_CHANNELS
from retarget.lane.intake import DeadLetter
from retarget.messages import SCHEMA_VERSION, Decision, Message
from retarget.rules.model import Channel, Purpose, SubjectKind
from retarget.rules.schema import json_schema as rule_schema
from retarget.touchpoints import IMPERSONAL, LONGEST_ID, TYPES, Touchpoint
from streams.cases.grammar import json_schema as cases_schema
from streams.channels.telling import Unsent
from streams.ports import JournalRecord
from streams.schemas import channels

Schema = dict[str, Any]

FOLDER: Final = Path(__file__).resolve().parent
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TIME: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
}
_INPUT_TIME: Final[Schema] = {
    "anyOf": [
        {"type": "string", "format": "date-time", "description": "RFC 3339; without a zone it is UTC"},
        {"type": "integer", "minimum": 0, "description": "epoch milliseconds"},
    ]
}
_STATES: Final = ("granted", "denied", "revoked", "pending", "confirmed")
_AN_ID: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
_SET_ASIDE: Final[Mapping[str, Schema]] = {
    "time": TIME,
    "raw": {"type": "string", "contentEncoding": "base64"},
    "schema": {"const": SCHEMA_VERSION},
}
# What the types leave as text because reading it in the hot loop must cost nothing.
_NARROWER: Final[Mapping[str, Mapping[str, Schema]]] = {
    "Message": {
        **dict.fromkeys(("due", "decided_at", "not_before", "expires_at"), TIME),
        "channel": {"enum": list(get_args(Channel))},
        "purpose": {"enum": list(get_args(Purpose))},
        "schema": {"const": SCHEMA_VERSION},
        "products": {"type": "array", "items": channels.product(TIME)},
        "context": channels.context(TIME),
    },
    "Decision": {
        **dict.fromkeys(("due", "decided_at", "release"), TIME),
        "channel": {"enum": list(get_args(Channel))},
        "reason": {"enum": list(gates.NAMES)},
        "schema": {"const": SCHEMA_VERSION},
    },
    "Subject": {"kind": {"enum": list(get_args(SubjectKind))}},
    "GateRecord": {"gate": {"enum": [*gates.NAMES, "ended"]}},
    "DeadLetter": _SET_ASIDE,
    "Unsent": _SET_ASIDE,
}


def schemas() -> dict[str, Schema]:
    """Every published schema by its file name."""
    return {
        f"{name}.v{SCHEMA_VERSION}.json": {"$schema": DIALECT, "$id": _id(name), **schema}
        for name, schema in {
            "touchpoint": _touchpoint(),
            "message": {**_written(Message), "allOf": channels.rules()},
            "decision": _written(Decision),
            "dead": _written(DeadLetter),
            "dead_channel": _written(Unsent),
            "catalogue": _catalogue(),
            "journal": _of(JournalRecord),
            "rule": rule_schema(),
            "cases": cases_schema(),
        }.items()
    }


def render(schema: Schema) -> str:
    """A schema as it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def write() -> None:
    """Write every file anew."""
    for name, schema in schemas().items():
        (FOLDER / name).write_text(render(schema), encoding="utf-8")


def _id(name: str) -> str:
    return f"urn:retarget:schema:{name}:{SCHEMA_VERSION}"


def _of(kind: type[msgspec.Struct]) -> Schema:
    """The schema of a type, with the types inside it as definitions."""
    _, found = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    components: dict[str, Schema] = {name: _tidied(name, schema) for name, schema in found.items()}
    top = components.pop(kind.__name__)
    return {**top, "$defs": components} if components else top


def _written(kind: type[msgspec.Struct]) -> Schema:
    """What we write: every field is there, null where there is nothing to say."""
    schema = _of(kind)
    for part in (schema, *schema.get("$defs", {}).values()):
        part["required"] = list(part["properties"])
        for field in part["properties"].values():
            field.pop("default", None)
    return schema


def _tidied(name: str, schema: Schema) -> Schema:
    narrower = _NARROWER.get(name, {})
    missing = narrower.keys() - schema["properties"].keys()
    assert not missing, f"{name} has no field {missing}"
    fields = {
        field: _narrowed(found, narrower[field]) if field in narrower else found
        for field, found in schema["properties"].items()
    }
    return {**schema, "description": inspect.cleandoc(schema["description"]), "properties": fields}


def _narrowed(field: Schema, narrower: Schema) -> Schema:
    if "anyOf" not in field:
        return narrower
    return {**field, "anyOf": [one if one == {"type": "null"} else narrower for one in field["anyOf"]]}


def _catalogue() -> Schema:
    """What a shop should write of a product. The engine reads more than this, such as numbers as text."""
    amount: Schema = {"type": "number", "minimum": 0}
    said: dict[str, Schema] = {
        "product_id": {**_AN_ID, "description": "absent: the record's key"},
        "id": {**_AN_ID, "description": "the record's own; a repeat is dropped"},
        "time": {**_INPUT_TIME, "description": "since when it is so; absent: the record's timestamp"},
        "price": amount,
        "stock": amount,
        "margin": {"type": "number"},
        "expires": {**_INPUT_TIME, "description": "when the present offer ends"},
        **{name: {"type": "string"} for name in TEXTS},
    }
    assert said.keys() >= {*TOLD}
    return {
        "title": "Catalogue",
        "description": "What is so of a product from a moment on; what is left out stays as it was.",
        "type": "object",
        "properties": said,
        "anyOf": [{"required": [name]} for name in TOLD],
    }


def _touchpoint() -> Schema:
    """What producers should write. The engine reads more than this, such as numbers for ids."""
    schema = _of(Touchpoint)
    for part in (schema, *schema["$defs"].values()):
        named = part["properties"]
        ids = [name for name in named if name.endswith("id") or name == "category"]
        part["properties"] = named | {name: _narrowed(named[name], _AN_ID) for name in ids}
    fields = schema["properties"]
    fields["type"] = {"enum": sorted(TYPES), "description": "any other is read as custom, with it for a name"}
    fields["time"] = {**_INPUT_TIME, "description": "when it happened; absent: the record's timestamp"}
    state = {"enum": list(_STATES)}
    several = {"type": "object", "minProperties": 1, "maxProperties": MOST_CHANNELS}
    told = {"state": state, "channels": {**several, "additionalProperties": state}}
    fields["consent"]["anyOf"][0]["properties"] = told
    person = [{"required": [name], "properties": {name: _AN_ID}} for name in ("user_id", "anonymous_id")]
    told = {"required": ["type"], "properties": {"type": {"enum": sorted(IMPERSONAL)}}}
    return {
        **schema,
        "description": "One thing that happened to one person, in the canonical form.",
        "required": ["type"],
        "anyOf": [*person, told],
    }
