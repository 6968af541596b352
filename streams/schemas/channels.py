"""What a message holds on each channel: the fields that a service of that channel can rely on.

What may be there is named, and more may come at any time; what must be there is said by channel.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number"}
_OBJECT: Final[Schema] = {"type": "object"}
_FLAG: Final[Schema] = {"type": "boolean"}
_ALWAYS: Final = "salutation purchases purchase_ordinal lifetime_value"


def _object(required: str = "", **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, **({"required": required.split()} if required else {})}


def product(time: Schema) -> Schema:
    """A block of `products`: a price never comes without its time."""
    known = _object(
        "product_id",
        product_id=_TEXT, name=_TEXT, category=_TEXT, url=_TEXT, image_url=_TEXT,
        quantity=_NUMBER, price=_NUMBER, price_as_of=time, currency=_TEXT, personalisation={},
    )  # fmt: skip
    return {**known, "dependentRequired": {"price": ["price_as_of"]}}


def context(time: Schema) -> Schema:
    """`context`, as far as there is something to tell."""
    return _object(
        salutation=_object(
            "line language formal neutral",
            line=_TEXT, language=_TEXT, formal=_FLAG, neutral=_FLAG, gender={"enum": ["female", "male"]},
            courtesy=_TEXT, title=_TEXT, first_name=_TEXT, last_name=_TEXT,
        ),
        sender=_object("id name", id=_TEXT, name=_TEXT),
        persona=_TEXT,
        transcript=_TEXT,
        purchases=_COUNT,
        purchase_ordinal=_COUNT,
        lifetime_value={"type": "object", "additionalProperties": _NUMBER},
        list_unsubscribe=_FLAG,
        store=_TEXT,
        location=_OBJECT,
        nearest_store=_object("id", id=_TEXT, distance_km=_NUMBER),
        tags={"type": "array", "items": _TEXT},
        consent=_object("said_at", said_at=time, basis=_TEXT, text_version=_TEXT),
        journey=_object(
            "viewed wished in_carts",
            known_since=time, stage=_TEXT, viewed=_COUNT, wished=_COUNT, in_carts=_COUNT,
        ),
    )  # fmt: skip


def rules() -> list[Schema]:
    """`allOf`: what follows from operation and channel."""
    return [
        _when("operation", ["recall", "remove"], {"recall_of": _TEXT}, {"recall_of": {"type": "null"}}),
        _when("operation", ["send", "add"], {"context": _has(_ALWAYS)}),
        _when(
            "channel", ["ads"],
            {"operation": {"enum": ["add", "remove"]}, "audience": _TEXT},
            {"operation": {"enum": ["send", "recall"]}, "audience": {"type": "null"}},
        ),
        *(_sent([channel], {"to": _one_of(words)}) for channel, words in _REACHED.items()),
        _sent(["email"], {"context": _has("list_unsubscribe")}),
        _sent(["chat", "onsite", "service"], {"context": _has("journey")}),
    ]  # fmt: skip


# By what a channel finds the person; `external`: its service looks it up.
_REACHED: Final = {
    "email": "email external",
    "push": "push_tokens push_token external",
    "ads": "email phone push_tokens push_token external",
    "sms": "phone external",
    "whatsapp": "phone external",
    "direct_mail": "address postal_address external",
}


def _has(words: str) -> Schema:
    return {"required": words.split()}


def _one_of(words: str) -> Schema:
    return {"anyOf": [_has(word) for word in words.split()]}


def _when(field: str, values: list[str], then: Schema, otherwise: Schema | None = None) -> Schema:
    found: Schema = {"if": {"properties": {field: {"enum": values}}}, "then": {"properties": then}}
    return found if otherwise is None else {**found, "else": {"properties": otherwise}}


def _sent(channels: list[str], then: Schema) -> Schema:
    case = {"channel": {"enum": channels}, "operation": {"enum": ["send", "add"]}}
    return {"if": {"properties": case}, "then": {"properties": then}}
