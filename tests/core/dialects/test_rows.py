import pytest

from retarget.dialects import dialect_named
from retarget.dialects.csv_rows import rows_of_mapping
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Item, Touchpoint

_SHOP = """
time = "seconds"
delimiter = ";"

[columns]
customer = "user_id"
when = "time"
action = "type"
sku = "items.product_id"
price = "items.price"
mail = "traits.email"

[types]
bought = "purchase"

[constants]
currency = "EUR"
"""


def _read(name: str, cells: str) -> Touchpoint:
    rows = dialect_named(name).rows
    assert rows is not None
    return rows.read(dict(zip(rows.columns, cells.split(","), strict=True)), "f:1")


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        (
            "taobao",
            "1,2268318,2520377,pv,1511544070",
            Touchpoint(
                id="f:1", type="view", time=1_511_544_070_000, user_id="1",
                items=[Item(product_id="2268318", category="2520377")],
            ),
        ),
        (
            "rees46",
            "2019-10-01 00:00:01 UTC,remove_from_cart,7,20,furniture.sofa,,543.10,5,s-1",
            Touchpoint(
                id="f:1", type="remove", time=1_569_888_001_000, user_id="5", session_id="s-1",
                items=[Item(product_id="7", category="furniture.sofa", price=543.1)],
            ),
        ),
        (
            "rees46",
            "2019-10-01 00:00:01 UTC,cart,7,20,,acme,,5,s-1",
            Touchpoint(
                id="f:1", type="add", time=1_569_888_001_000, user_id="5", session_id="s-1",
                items=[Item(product_id="7", category="20", brand="acme")],
            ),
        ),
        (
            "retailrocket",
            "1433193132535,1134473,transaction,396045,88",
            Touchpoint(
                id="f:1", type="purchase", time=1_433_193_132_535, user_id="1134473", order_id="88",
                items=[Item(product_id="396045")],
            ),
        ),
        (
            "jd",
            "204969_86551,1458049666000,6,5,479",
            Touchpoint(
                id="f:1", name="click", time=1_458_049_666_000, user_id="204969",
                items=[Item(product_id="86551", category="5", brand="479")],
            ),
        ),
    ],
)  # fmt: skip
def test_rows(name: str, cells: str, expected: Touchpoint) -> None:
    """A row of each data set is the touchpoint that the contract maps it to."""
    assert _read(name, cells) == expected


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("taobao", "1,2,3,pv,soon", "bad_time"),
        ("taobao", "1,2,3,pv,-5", "bad_time"),
        ("taobao", "1,2,3,pv,999999999999", "bad_time"),
        ("taobao", ",2,3,pv,1", "no_person"),
        ("rees46", "2019-10-01 00:00:01 UTC,cart,7,20,,acme,cheap,5,s", "bad_field"),
        ("rees46", "2019-10-01 00:00:01 UTC,cart,7,20,,acme,nan,5,s", "bad_field"),
        ("jd", "204969,1458049666000,6,5,479", "bad_field"),
    ],
)
def test_bad_cells(name: str, cells: str, reason: str) -> None:
    """A cell that cannot be read is a dead letter, not the end of the file."""
    with pytest.raises(Rejected) as caught:
        _read(name, cells)
    assert caught.value.reason == reason


def test_unknown_deed_becomes_custom() -> None:
    """A behaviour that the data set never had becomes `custom` with that name."""
    found = _read("taobao", "1,2,3,tap,1")
    assert (found.type, found.name) == ("custom", "tap")


def test_mapping_reads_rows() -> None:
    """A mapping file says which column is which field, what types mean and what is the same everywhere."""
    rows = rows_of_mapping(_SHOP, "shop.toml")
    row = {
        "customer": "7",
        "when": "10",
        "action": "bought",
        "sku": "p",
        "price": "2.5",
        "mail": "a@b",
        "x": "?",
    }
    assert rows.read(row, "f:2") == Touchpoint(
        id="f:2",
        type="purchase",
        time=10_000,
        user_id="7",
        currency="EUR",
        items=[Item(product_id="p", price=2.5)],
        traits={"email": "a@b"},
    )
    assert (rows.header, rows.delimiter) == (True, ";")
    assert rows.columns == ("customer", "when", "action", "sku", "price", "mail")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[columns", "shop.toml: not TOML"),
        ("", "columns: missing"),
        ("colums = 1\n[columns]\na='user_id'", "colums: unknown; known: columns"),
        ("columns = 1", "columns: must be a table"),
        ("[columns]\na = 'user'", "a: 'user' is no field"),
        ("[columns]\na = 'items'", "a: 'items' is no field"),
        ("[columns]\na = ['user_id']", "a: .* is no field"),
        ("[columns]\na = 'time'", "nothing becomes user_id"),
        ("[columns]\na = 'user_id'\n[types]\nx = 'buy'", "types.x: 'buy' is no type; write one of"),
        ("[columns]\na = 'user_id'\n[types]\nx = ['view']", r"types.x: \['view'\] is no type; write one of"),
        ("time = 'minutes'\n[columns]\na = 'user_id'", "time: 'minutes' is no form of time"),
        ("delimiter = ''\n[columns]\na = 'user_id'", "delimiter: '' must be one character"),
        ("header = false\n[columns]\na = 'user_id'", "names: write it exactly when header = false"),
        ("header = false\nnames = ['b']\n[columns]\na = 'user_id'", "columns.a: not in names"),
        ("[columns]\na = 'user_id'\n[constants]\nvalue = true", "constants.value: must be text or a number"),
    ],
)
def test_mapping_problems(text: str, problem: str) -> None:
    """What is wrong in a mapping file is said with file, field and remedy."""
    with pytest.raises(BadInput, match=problem):
        rows_of_mapping(text, "shop.toml")


def test_mapping_without_header() -> None:
    """Without a header the names of the columns stand in the mapping."""
    text = 'header = false\nnames = ["who", "when"]\n[columns]\nwho = "user_id"\nwhen = "time"'
    rows = rows_of_mapping(text, "shop.toml")
    assert (rows.header, rows.columns) == (False, ("who", "when"))
    found = rows.read({"who": "u", "when": "1970-01-01T00:00:01Z"}, "f:1")
    assert (found.user_id, found.time) == ("u", 1000)
