"""Feeds of products: what can be read is loaded, each bad row is told with its line and its reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from retarget.errors import BadInput, Rejected
from retarget.times import parse_time
from streams.feeds import read_feeds
from streams.feeds.fields import PLENTY

MERCHANT = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0">
<channel>
<title>A shop</title>
<item>
  <g:id>tent</g:id>
  <title>Tent &amp; pegs</title>
  <link>https://shop.example/tent</link>
  <g:image_link>https://shop.example/tent.jpg</g:image_link>
  <g:price>129.90 EUR</g:price>
  <g:sale_price>99.90 EUR</g:sale_price>
  <g:cost_of_goods_sold>60.00 EUR</g:cost_of_goods_sold>
  <g:availability>in_stock</g:availability>
  <g:brand>Fjell</g:brand>
  <g:product_type>Outdoor &gt; Tents</g:product_type>
  <g:expiration_date>2026-12-31T00:00+01:00</g:expiration_date>
  <g:shipping><g:price>5 EUR</g:price></g:shipping>
</item>
<item>
  <g:id>mat</g:id>
  <g:price>cheap</g:price>
</item>
<item><g:price>1 EUR</g:price></item>
<item><g:id>mug</g:id><g:availability>out of stock</g:availability></item>
</channel>
</rss>
"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<entry><g:id>tent</g:id><link href="https://shop.example/tent"/><g:price>10 EUR</g:price></entry></feed>"""
CSV = """sku;title;price;quantity;colour
tent;"Tent, ""big""
and green";129.90;3;green
mat;Mat;ten;1;blue
mug;Mug;5
;Nothing;1;1;x
lamp;Lamp;20 EUR;-1;x
cup;Cup;EUR 4;7;x
"""


def read(
    folder: Path,
    name: str,
    content: str | bytes,
    most: int = 100_000,
    **more: Any,  # noqa: ANN401
) -> list[tuple[int, object]]:
    """Each record's line, with what it holds or the reason why there is none."""
    file = folder / name
    raw = content.encode() if isinstance(content, str) else content
    file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return [
        (one.line, one.found.detail if isinstance(one.found, Rejected) else json.loads(one.raw))
        for one in read_feeds([file], most, timed=False, **more)
    ]


@pytest.mark.parametrize("name", ["feed.xml", "feed.xml.gz"])
def test_google_merchant(tmp_path: Path, name: str) -> None:
    """RSS, with the price of the sale, the margin by the cost, and the shop's own category."""
    tent, mat, nameless, mug = read(tmp_path, name, MERCHANT)
    assert tent == (
        5,
        {
            "product_id": "tent", "name": "Tent & pegs", "url": "https://shop.example/tent", "price": 99.9,
            "image_url": "https://shop.example/tent.jpg", "stock": PLENTY, "margin": 39.9, "brand": "Fjell",
            "category": "Outdoor > Tents", "expires": 1_798_671_600_000,
        },
    )  # fmt: skip
    assert mat[0] == 19
    assert str(mat[1]).startswith("price is 'cheap'; it must be a number such as 12.50")
    assert nameless[0] == 23
    assert "product_id is missing" in str(nameless[1])
    assert mug == (24, {"product_id": "mug", "stock": 0})


def test_atom(tmp_path: Path) -> None:
    """Its links are attributes."""
    assert read(tmp_path, "feed.atom", ATOM) == [
        (2, {"product_id": "tent", "url": "https://shop.example/tent", "price": 10}),
    ]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("prefix", ["g", "merchant"])
def test_googles_element_counts_before_one_of_the_same_name(tmp_path: Path, prefix: str, order: int) -> None:
    """Atom's own `id` is no product's, nor is what other namespaces say; theirs count where it has none."""
    elements = [
        "<media:id>7</media:id>", "<id>tag:shop,2026:sku1</id>", "<G:id>sku1</G:id>",
        "<title>News</title>", "<G:title>Tent</G:title>",
        '<link href="https://shop.example/news"/>', "<G:link>https://shop.example/tent</G:link>",
        "<media:brand>Agency</media:brand>", "<brand>Fjell</brand>", "<G:brand> </G:brand>",
        "<G:price>10 EUR</G:price>",
    ]  # fmt: skip
    entry = "".join(elements[::order]).replace("G:", f"{prefix}:")
    spaces = f'xmlns:media="http://media" xmlns:{prefix}="http://base.google.com/ns/1.0"'
    plain = "<entry><id>mat</id><title>Mat</title><G:price>5</G:price></entry>".replace("G:", f"{prefix}:")
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom" {spaces}><entry>{entry}</entry>{plain}</feed>'
    assert [found for _, found in read(tmp_path, "feed.atom", feed)] == [
        {
            "product_id": "sku1",
            "name": "Tent",
            "url": "https://shop.example/tent",
            "brand": "Fjell",
            "price": 10,
        },
        {"product_id": "mat", "name": "Mat", "price": 5},
    ]


SALE = """<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>tent</g:id>
<g:price>129.90 EUR</g:price><g:sale_price>99.90 EUR</g:sale_price>
<g:sale_price_effective_date>{period}</g:sale_price_effective_date>{more}
<g:cost_of_goods_sold>60.00 EUR</g:cost_of_goods_sold></item></channel></rss>"""
REGULAR, ON_SALE = (129.9, 69.9), (99.9, 39.9)


@pytest.mark.parametrize(
    ("period", "now", "price"),
    [
        ("2026-03-01T13:00-0800/2026-03-08T15:30-0800", "2026-03-01T20:59:59Z", REGULAR),
        ("2026-03-01T13:00-0800/2026-03-08T15:30-0800", "2026-03-01T21:00:00Z", ON_SALE),
        ("2026-03-01T13:00-0800 / 2026-03-08T15:30-0800", "2026-03-08T23:29:59Z", ON_SALE),
        ("2026-03-01T13:00-0800 / 2026-03-08T15:30-0800", "2026-03-08T23:30:00Z", REGULAR),
        ("2026-03-01T13:00:00+01:00/2026-03-08T15:30z", "2026-03-01T12:00:00Z", ON_SALE),
        ("2026-03-01/2026-03-08", "2026-02-28T23:59:59Z", REGULAR),
        ("2026-03-01/2026-03-08", "2026-03-08T23:59:59Z", ON_SALE),
        ("2026-03-01/2026-03-08", "2026-03-09T00:00:00Z", REGULAR),
        (" ", "2026-03-09T00:00:00Z", ON_SALE),
    ],
)
def test_a_sale_price_counts_within_its_period(
    tmp_path: Path, period: str, now: str, price: tuple[float, float]
) -> None:
    """Else the usual one; the margin goes by the price that counts."""
    feed = SALE.format(period=period, more="")
    [(_, found)] = read(tmp_path, "feed.xml", feed, now=parse_time(now))
    assert isinstance(found, dict)
    assert (found["price"], found["margin"]) == price


@pytest.mark.parametrize(
    ("time", "now", "price"),
    [
        ("2026-03-02T00:00:00Z", 0, ON_SALE),
        ("2026-02-02T00:00:00Z", 0, REGULAR),
        ("2026-02-02T00:00:00Z", "2026-03-02T00:00:00Z", ON_SALE),
        ("2026-03-02T00:00:00Z", "2026-03-20T00:00:00Z", REGULAR),
        ("2026-03-02T00:00:00Z", "2026-02-20T00:00:00Z", ON_SALE),
    ],
)
def test_a_period_is_held_against_the_later_of_now_and_the_records_time(
    tmp_path: Path, time: str, now: str | int, price: tuple[float, float]
) -> None:
    """A replay has no now, and what is loaded now holds now, however long ago the shop last touched it."""
    feed = SALE.format(period="2026-03-01/2026-03-08", more=f"<g:updated_at>{time}</g:updated_at>")
    moment = now if isinstance(now, int) else parse_time(now)
    [(_, found)] = read(tmp_path, "feed.xml", feed, now=moment)
    assert isinstance(found, dict)
    assert (found["price"], found["margin"]) == price


@pytest.mark.parametrize("period", ["soon", "2026-03-01", "2026-03-08/2026-03-01", "/", "a/b/c"])
def test_a_period_that_cannot_be_read(tmp_path: Path, period: str) -> None:
    """Nobody knows which price holds: the row is told and left out; without a sale price it says nothing."""
    feed = f"id,price,sale_price,sale_price_effective_date\na,9,7,{period}\nb,9,,{period}\n"
    (line, said), other = read(tmp_path, "feed.csv", feed, now=1)
    assert line == 2
    assert str(said).startswith(
        f"sale_price_effective_date is {period!r}; write START/END such as 2026-03-01T"
    )
    assert other == (3, {"product_id": "b", "price": 9})


def test_xml_that_breaks_off(tmp_path: Path) -> None:
    """What came before is loaded; the mistake is told with its line."""
    found = read(tmp_path, "feed.xml", MERCHANT[: MERCHANT.index("<g:price>cheap")] + "<oops")
    assert [line for line, _ in found] == [5, 21]
    assert "not sound XML" in str(found[1][1])


@pytest.mark.parametrize(
    "attack",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><rss><item><id>&b;</id></item></rss>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><id>&a;</id><price>1</price></item></rss>',
        '<!DOCTYPE rss SYSTEM "http://shop.example/x.dtd"><rss><item><id>a</id><price>1</price></item></rss>',
        "<a>" * 50_000,
    ],
)
def test_what_is_no_feed_but_an_attack(tmp_path: Path, attack: str) -> None:
    """No entity is expanded, no file is opened, no depth is followed."""
    [(_, said)] = read(tmp_path, "feed.xml", attack)
    assert "DOCTYPE" in str(said) or "deep" in str(said)


def test_one_product_that_is_too_large(tmp_path: Path) -> None:
    """It is left out, the next is read; a tag without an end is the end."""
    large = f"<item><id>a</id><title>{'x' * 5000}</title></item>"
    small = "<item><id>b</id><price>1</price></item>"
    found = read(tmp_path, "feed.xml", f"<rss>{large}{small}</rss>", most=1000)
    assert "more than 1,000" in str(found[0][1])
    assert found[1][1] == {"product_id": "b", "price": 1}
    found = read(tmp_path, "feed.xml", f"<rss>{small}<item a='{'x' * 300_000}'/></rss>", most=1000)
    assert found[0][1] == {"product_id": "b", "price": 1}
    assert "one tag" in str(found[-1][1])


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    """Columns by the names that shops give them, rows over several lines, each bad one by itself."""
    content = CSV if delimiter == ";" else CSV.replace(";", delimiter).replace("Tent,", "Tent")
    found = read(tmp_path, "feed.csv", content)
    assert found[0][0] == 2
    assert found[0][1]["product_id"] == "tent"  # type: ignore[index]
    assert found[0][1]["stock"] == 3  # type: ignore[index]
    assert [line for line, _ in found] == [2, 4, 5, 6, 7, 8]
    said = [str(one) for _, one in found]
    assert said[1].startswith("price is 'ten'")
    assert said[2] == "the row has 3 columns where 5 are expected"
    assert "product_id is missing" in said[3]
    assert said[4].startswith("stock is -1")
    assert found[5][1] == {"product_id": "cup", "name": "Cup", "price": 4, "stock": 7}


@pytest.mark.parametrize("time", ["²", "9" * 5_000, "soon", "-1"])
def test_times_that_are_none(tmp_path: Path, time: str) -> None:
    """Refused with the column; the next row is read."""
    found = read(tmp_path, "feed.csv", f"sku,price,updated_at\na,1,{time}\nb,2,1772362800000\n")
    assert str(found[0][1]).startswith("updated_at is ")
    assert found[1][1] == {"product_id": "b", "price": 2, "time": 1_772_362_800_000}


def test_rows_that_are_no_text(tmp_path: Path) -> None:
    """The row is left out, not the file."""
    found = read(tmp_path, "feed.csv", b"sku,price\na,1\n\xff\xfe,2\nb,3\n")
    assert [one for _, one in found if isinstance(one, dict)] == [
        {"product_id": "a", "price": 1},
        {"product_id": "b", "price": 3},
    ]
    assert found[1][0] == 3


def test_csv_with_a_mapping(tmp_path: Path) -> None:
    """A shop's own names."""
    mapping = tmp_path / "m.toml"
    mapping.write_text('[columns]\nArtikel = "product_id"\nPreis = "price"\n')
    assert read(tmp_path, "feed.csv", "Artikel,Preis,price\ntent,3,9\n", mapping=mapping) == [
        (2, {"product_id": "tent", "price": 3}),
    ]
    mapping.write_text('[columns]\nArtikel = "article"\n')
    with pytest.raises(BadInput, match="no field"):
        read(tmp_path, "feed.csv", "Artikel\ntent\n", mapping=mapping)


def test_json_lines(tmp_path: Path) -> None:
    """As the topic has them."""
    assert read(tmp_path, "feed.jsonl", '{"product_id": "a", "price": 1}\n\nno\n') == [
        (1, {"product_id": "a", "price": 1}),
        (3, "the record is not JSON in UTF-8: Input data was truncated"),
    ]


def test_what_cannot_be_a_feed(tmp_path: Path) -> None:
    """Said at once."""
    for name, content, form in (
        ("a.csv", "", "auto"),
        ("a.csv", "one\n", "auto"),
        ("a.csv", "a,b\n", "taobao"),
    ):
        with pytest.raises(BadInput):
            read(tmp_path, name, content, form=form)
