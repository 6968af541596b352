"""A shop's own JSON with a mapping file: what each value becomes, what is refused, and the page's example."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from retarget.dialects.json_lines import lines_of_mapping
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Item, Touchpoint

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "dialects.md"
SHOP: Final = """
time = "seconds"
[columns]
customer.id = "user_id"
"customer.mail" = "traits.email"
"customer.tags" = "traits.tags"
when = "time"
what = "type"
"a.b" = "session_id"
sku = "items.product_id"
"cart[].price" = "items.price"
"cart[].category" = "items.category"
[types]
bought = "purchase"
7 = "view"
[constants]
"items.brand" = "Fjell"
currency = "EUR"
"""


def read(given: dict[str, Any], text: str = SHOP) -> Touchpoint:
    """The touchpoint of an object."""
    (found,) = lines_of_mapping(text, "shop.toml")(json.dumps(given).encode(), "f:1")
    return found


def test_the_example_of_the_page() -> None:
    """By that file that line becomes that touchpoint."""
    section = PAGE.read_text(encoding="utf-8").partition("## JSON with a mapping file")[2]
    mapping, line, touchpoint = re.findall(r"```(?:toml|json)\n(.*?)```", section, re.DOTALL)[:3]
    (found,) = lines_of_mapping(mapping, "shop.toml")(line.strip().encode(), "shop.jsonl:1")
    assert msgspec.to_builtins(found) == json.loads(touchpoint)


def test_values_are_those_of_their_paths() -> None:
    """Numbers as text and text as numbers, a list of items, names with dots, what is the same everywhere."""
    customer = {"id": 7, "mail": "a@b", "tags": ["x"]}
    cart: list[dict[str, object]] = [{"price": 1}, {"price": "2.5"}, {}]
    given = {"customer": customer, "a.b": "s", "when": 10.5, "what": 7, "sku": "p", "cart": cart}
    assert read(given) == Touchpoint(
        id="f:1", type="view", time=10_500, user_id="7", session_id="s", currency="EUR",
        items=[Item(product_id="p", brand="Fjell", price=price) for price in (1.0, 2.5, None)],
        traits={"email": "a@b", "tags": ["x"]},
    )  # fmt: skip


def test_what_is_not_there_is_absent() -> None:
    """Nothing at the end of a path, nothing with names on the way, null and empty text."""
    found = read({"customer": {"id": "u", "mail": ""}, "what": None, "a": "text", "cart": None})
    assert found == Touchpoint(id="f:1", user_id="u", currency="EUR", items=[Item(brand="Fjell")])


def test_a_column_may_be_the_id() -> None:
    """Else it is the line's."""
    text = '[columns]\nn = "id"\nu = "user_id"'
    assert read({"u": "u", "n": 5}, text).id == "5"
    assert read({"u": "u"}, text).id == "f:1"


@pytest.mark.parametrize(
    ("given", "reason", "said"),
    [
        ({"when": "soon"}, "bad_time", "time is 'soon'"),
        ({"when": True}, "bad_time", "time is True"),
        ({"when": -5}, "bad_time", "time is -5"),
        ({"when": 1e300}, "bad_time", "time is 1e"),
        ({"when": {"at": 1}}, "bad_time", "time is an object"),
        ({"customer": {"id": ["u"]}}, "bad_field", "user_id is a list; it must be text or a number"),
        ({"customer": {}}, "no_person", "needs user_id or anonymous_id"),
        ({"customer": 7}, "no_person", "needs user_id or anonymous_id"),
        ({"cart": {}}, "bad_field", "cart must be a list of objects"),
        ({"cart": [1]}, "bad_field", "cart must be a list of objects"),
        ({"cart": [{"price": "cheap"}]}, "bad_field", "items.price is 'cheap'; it must be a number"),
        ({"cart": [{"price": [1]}]}, "bad_field", "items[0].price is a list"),
        ({"what": {}}, "bad_field", "type is an object"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter(given: dict[str, Any], reason: str, said: str) -> None:
    """With its field and what it must be; the file is read on."""
    with pytest.raises(Rejected) as caught:
        read({"customer": {"id": "u"}} | given)
    assert caught.value.reason == reason
    assert said in caught.value.detail


@pytest.mark.parametrize("line", [b"[1]", b"{", b"7", b'"x"', b"\xff"])
def test_what_is_no_object_is_a_dead_letter(line: bytes) -> None:
    """As in every dialect."""
    with pytest.raises(Rejected) as caught:
        lines_of_mapping(SHOP, "shop.toml")(line, "f:1")
    assert caught.value.reason in ("not_json", "not_an_object")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[columns", "shop.toml: not TOML"),
        ("", "shop.toml: columns: missing"),
        ("delimiter = ';'\n[columns]\na = 'user_id'", "delimiter: is for rows, not for JSON; remove it"),
        ("header = true\n[columns]\na = 'user_id'", "header: is for rows"),
        ("[columns]\na.b = 'user'", "a.b: 'user' is no field"),
        ("[columns]\na.b = 'time'", "nothing becomes user_id"),
        (
            "[columns]\na = 'user_id'\n'b[].c' = 'query'",
            r"columns.b\[\].c: what each object of",
        ),
        ("[columns]\na = 'user_id'\n'b[]' = 'items.price'", r"columns.b\[\]: write one list on the path"),
        ("[columns]\na = 'user_id'\n'b[].c[].d' = 'items.price'", "write one list on the path"),
        ("[columns]\na = 'user_id'\n'b[].c' = 'items.price'\n'd[].c' = 'items.name'", "several: b, d"),
    ],
)
def test_problems_of_the_mapping(text: str, problem: str) -> None:
    """Each with the file, the field and the remedy."""
    with pytest.raises(BadInput, match=problem):
        lines_of_mapping(text, "shop.toml")
