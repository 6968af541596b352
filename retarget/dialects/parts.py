"""What the dialects have in common: objects within objects, numbers as text, types by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, TypeGuard

from retarget.decode import from_mapping, parse_object, read_object
from retarget.dialects.names import remembered
from retarget.errors import Rejected
from retarget.touchpoints import TYPES, Touchpoint

# These fields each dialect says for itself. A property of any other name of ours (`session_id`, `currency`,
# `geo`, `dwell_ms`...) means in every dialect what it means in ours.
OWN: Final[Mapping[str, Any]] = dict.fromkeys(
    ("type", "name", "id", "time", "user_id", "anonymous_id", "items", "value", "source", "medium",
     "campaign", "traits", "consent", "trace")
)  # fmt: skip
OF_CONSENT: Final = ("purpose", "channel", "state", "basis", "text_version")
# utm_medium is free text: the words that are common for each kind of reach.
_MEDIA: Final = {
    **dict.fromkeys(("cpc", "ppc", "cpm", "paid", "paid_social", "display", "banner", "retargeting"), "paid"),
    **dict.fromkeys(("email", "e-mail", "newsletter", "push", "sms", "owned"), "owned"),
    **dict.fromkeys(("organic", "referral", "social", "earned"), "earned"),
}


def inner(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object in a field; empty without one. Raises Rejected for anything else."""
    given = record.get(key)
    if isinstance(given, dict):
        return given
    return {} if given is None else read_object(given, key)


def written(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The same where some write the object as text. Raises Rejected."""
    given = record.get(key)
    return parse_object(given.encode()) if isinstance(given, str) else inner(record, key)


def touchpoint(found: dict[str, Any], time: object) -> Touchpoint:
    """The touchpoint of a producer's properties with each field of `OWN` set. Raises Rejected.

    `time`: epoch milliseconds or text; None: nothing says when it was.
    """
    if time is None:
        found.pop("time", None)
    else:
        found["time"] = time
    for name in ("dwell_ms", "position"):
        if isinstance(found.get(name), str):
            found[name] = number(found[name])
    return from_mapping(found)


def is_number(given: object) -> TypeGuard[int | float]:
    """Whether it is a number of JSON."""
    return type(given) is int or type(given) is float


def first(given: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 - JSON
    """The first of these fields that has something in it."""
    for name in names:
        if (found := given.get(name)) is not None:
            return found
    return None


def number(given: object) -> object:
    """A number that was sent as text as the number; the canonical reader judges the rest."""
    if isinstance(given, str):
        try:
            read = float(given)
        except ValueError:
            return given
        return read if isfinite(read) else given
    return given


def consent(kind: str, properties: Mapping[str, Any]) -> object:
    """What an event named after our `consent` says in its properties, in an object or flat."""
    given = properties.get("consent")
    if kind != "consent" or isinstance(given, dict):
        return given
    return {name: properties[name] for name in OF_CONSENT if properties.get(name) is not None} or None


def item(product: object, names: Mapping[str, str], field: str) -> dict[str, Any]:
    """An item of ours; `names` are the producer's names for our fields, best first. Raises Rejected."""
    if not isinstance(product, dict):
        raise Rejected("bad_field", f"{field} must be a list of objects")
    found: dict[str, Any] = {}
    for theirs, ours in names.items():
        if ours not in found and (given := product.get(theirs)) is not None:
            found[ours] = number(given) if ours in ("price", "quantity") else given
    return found


def items(products: object, names: Mapping[str, str], field: str) -> list[dict[str, Any]]:
    """The items of a list of products; none without one. Raises Rejected."""
    if products is None:
        return []
    if not isinstance(products, list):
        raise Rejected("bad_field", f"{field} must be a list of objects")
    return [item(one, names, field) for one in products]


def only(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The one event in a list of them. Raises Rejected: a record is about one thing that happened."""
    given = record.get(key)
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        count = len(given) if isinstance(given, list) else "no list of"
        raise Rejected("bad_field", f"{key} has {count} events; write each as a record of its own")
    return given[0]


@remembered
def type_named(name: str) -> str:
    """The type of ours that an event is named after, as `Store Visit`; else `custom`."""
    word = name.strip().lower().replace(" ", "_")
    return word if word in TYPES else "custom"


def medium(utm_medium: object) -> str | None:
    """Paid, owned or earned, for the usual words."""
    return _MEDIA.get(utm_medium.casefold()) if isinstance(utm_medium, str) else None


def present(**fields: object) -> dict[str, Any]:
    """The fields that have something in them."""
    return {
        name: value
        for name, value in fields.items()
        if value or (value is not None and not isinstance(value, dict | list))
    }
