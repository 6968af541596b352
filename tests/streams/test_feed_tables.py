"""Tables of products: a cell may have several lines, and a quote that is not closed costs one row."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.errors import Rejected
from streams.feeds import read_feeds

HEAD = "id,title,price\n"
TEXT = st.text(alphabet='ab ,"\n\u00e9', max_size=30)
# Cells as an exporter writes them that knows about quotes, each on one line.
ONE_LINE = st.sampled_from(
    ["Mug", '"Mug, blue"', '"7"" tablet"', '""', '7" tablet', '" x "', '", blue"', '""""']
)


def loaded(folder: Path, table: str, most: int = 100_000) -> tuple[list[str], dict[int, str]]:
    """The products that are loaded, and what is said of which lines."""
    file = folder / "feed.csv"
    file.write_bytes(table.encode(errors="surrogateescape"))
    products: list[str] = []
    said: dict[int, str] = {}
    for one in read_feeds([file], most, timed=False):
        if isinstance(one.found, Rejected):
            assert one.line not in said
            said[one.line] = one.found.detail
        else:
            products.append(one.found.items[0].product_id or "")
    return products, said


def numbered(count: int) -> str:
    """So many rows with nothing wrong."""
    return "".join(f"B{number},Lamp,5\n" for number in range(count))


@pytest.mark.parametrize(
    ("table", "lines", "why"),
    [
        ('A,"Tent 2m,10.00\nB,Lamp,5.00\nC,Bag,6.00', (2, 4), "unexpected end of data"),
        ('A,"Tent,10\n' + numbered(30_000), (2, 502), "it has more than 500 lines"),
        (numbered(700) + 'A,"Tent,10\n' + numbered(700), (702, 1202), "it has more than 500 lines"),
        ('A,"Tent,10\nB,Lamp,5\nC,"Bag, red",6\n', (2, 4), "',' expected after '\"'"),
        ('A,"Tent,10\nB,Lamp,5\nC,", red",6\n', (2, 4), "the row has 4 columns where 3 are expected"),
        ('A,"Tent,10\nB,Lamp,5\nC,TV 55",6\n', (2, 4), "the lines between are products of their own"),
        ('A,"Tent,10\n' + f"B,{'x' * 900},5\n" * 200, (2, 113), "it has more than 100,000 bytes"),
    ],
)
def test_a_quote_that_is_not_closed_costs_its_row_alone(
    tmp_path: Path, table: str, lines: tuple[int, int], why: str
) -> None:
    """The line where it was opened is told, with how far it went; all others are loaded."""
    products, said = loaded(tmp_path, HEAD + table)
    first, last = lines
    assert list(said) == [first]
    assert said[first].startswith(f"a quote that is opened in line {first} runs on to line {last}, and ")
    assert why in said[first]
    assert len(products) == table.rstrip().count("\n") + 1 - len(said)


def test_what_is_no_text_is_told_beside_the_quote_before_it(tmp_path: Path) -> None:
    """Two lines are wrong, each in its own way."""
    products, said = loaded(tmp_path, HEAD + 'A,"Tent,10\nB,\udcff,5\nC,Bag,6\n')
    assert (products, list(said)) == (["C"], [2, 3])
    assert "invalid start byte" in said[3]


def test_text_over_several_lines_is_one_cell(tmp_path: Path) -> None:
    """Whatever stands in it: blank lines, what separates cells, numbers, quotes written twice."""
    texts = [
        "Tent\nand pegs",
        "Tent, green\n\nSleeps two, light, dry\n",
        'Sizes ("EU"):\nS,small\nM,medium,very\n5,5\nwide, tall, 20 cm',
        "\n" * 400,
        "Tent\r\nand pegs",
    ]
    table = "".join(
        f'A{number},"{text.replace(chr(34), 2 * chr(34))}",5\n' for number, text in enumerate(texts)
    )
    assert loaded(tmp_path, HEAD + table) == ([f"A{number}" for number in range(len(texts))], {})


@given(st.lists(TEXT, max_size=8))
def test_what_is_written_with_quotes_is_read(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """Any text that a writer of tables has put into quotes."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([f"A{n}", text, 5] for n, text in enumerate(texts))
    folder = tmp_path_factory.mktemp("feed")
    assert loaded(folder, HEAD + table.getvalue()) == ([f"A{n}" for n in range(len(texts))], {})


@given(st.lists(ONE_LINE | st.none(), max_size=12))
def test_any_number_of_open_quotes_cost_their_rows_alone(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str | None]
) -> None:
    """None is a cell whose quote is not closed."""
    table = "".join(f"A{n},{cell or chr(34) + 'Tent'},5\n" for n, cell in enumerate(cells))
    products, said = loaded(tmp_path_factory.mktemp("feed"), HEAD + table)
    assert products == [f"A{n}" for n, cell in enumerate(cells) if cell is not None]
    assert list(said) == [n + 2 for n, cell in enumerate(cells) if cell is None]
