"""Audiences of ads and letters: batches that go whole, and once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pypdfium2
import pytest
import zxingcpp

from retarget.errors import BadInput
from retarget.messages import Message
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import HOUR
from streams.channels.batches.ads import AdsChannel
from streams.channels.batches.files import write_once
from streams.channels.batches.letters import LetterChannel, listed, proof
from streams.channels.outcomes import Leave, Outcome, freely
from streams.channels.queue import Queue
from streams.channels.state import State
from streams.rulebook import load_rules
from tests.core.shop import Shop
from tests.factories import NOON, a_purchase, an_event, an_item
from tests.streams.channels.conftest import Engine, message, until, working
from tests.support.receiver import Receiver

CARTED = """\
rule: carted
subject: cart
quiet: {after: 30m, opens: [add]}
unless: [{event: purchase, same: product}]
steps:
  - audience: {add: carted, sets: [a1, a2]}
"""
ADDRESS = {"street": "Lane 1", "postal_code": "12345", "city": "Town", "country": "DE"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The platform."""
    with Receiver() as server:
        yield server


def change(number: int, operation: str = "add", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """A change of an audience."""
    to = {"email": f" P{number}@Mail.Example ", "phone": "+49 170 1234567"}
    given = {"channel": "ads", "operation": operation, "audience": "cart-left", "to": to, "template": None}
    return message(f"{operation}{number}", **{"person": f"u{number}", **given, **more})


def contents(folder: Path, kind: str) -> list[bytes]:
    """All files of a kind, by name."""
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix == kind]


async def test_people_go_in_and_out_in_batches(topics: Engine, receiver: Receiver) -> None:
    """One for each audience and operation; who is known by what is hashed; nobody's removal overtakes."""
    changes = [change(number) for number in range(30)]
    await topics.put(*changes, change(0, "remove", person="u0"), channel="ads")
    async with working(topics, AdsChannel(topics.settings(f"ads.url={receiver.url}"))) as service:
        await until(lambda: service.count("handed", "ads") == 31)
    batches = [json.loads(one.body) for one in receiver.posted]
    assert len(batches) <= 4
    members = [member for batch in batches for member in batch["members"]]
    assert sorted(one["message_id"] for one in members) == sorted(
        one["message_id"] for one in [*changes, change(0, "remove")]
    )
    first = next(one for one in members if one["message_id"] == "madd0")
    row = dict(zip(batches[0]["meta_schema"], first["meta"], strict=True))
    assert row["EMAIL"] == sha256(b"p0@mail.example").hexdigest()
    assert row["PHONE"] == sha256(b"491701234567").hexdigest()
    assert {"phoneNumber": sha256(b"+491701234567").hexdigest()} in first["google"]["userData"][
        "userIdentifiers"
    ]
    assert "mail.example" not in json.dumps(batches).lower()
    order = [one["message_id"] for one in members]
    assert order.index("madd0") < order.index("mremove0")


async def test_the_audience_of_a_product_set_is_left_by_who_joined_it(
    topics: Engine, receiver: Receiver, tmp_path: Path
) -> None:
    """From rule files to the platform: each set is an audience there, and an ending takes out of its own."""
    (tmp_path / "carted.yaml").write_text(CARTED)
    (tmp_path / "shop.sets.yaml").write_text("a1: product.category == 'tents'\na2: product.price >= 500\n")
    shop = Shop(load_rules([tmp_path], VOCABULARY))
    for number in range(6):
        items = [an_item("p1", category="tents", price=40), an_item("p2", category="tv", price=900)]
        shop.read(an_event("add", at=NOON + number, person=f"u{number}", items=items))
    shop.until(NOON + HOUR)
    for number, product in enumerate(["p1", "p2", "p3"]):
        shop.read(a_purchase(product, at=NOON + 2 * HOUR, person=f"u{number}"))
    await topics.put(*shop.messages, channel="ads")
    async with working(topics, AdsChannel(topics.settings(f"ads.url={receiver.url}"))) as service:
        await until(lambda: service.count("handed", "ads") == 14)

    there: dict[str, set[str]] = {}
    for batch in [json.loads(one.body) for one in receiver.posted]:
        people = {member["user_id"] for member in batch["members"]}
        inside = there.setdefault(batch["audience"], set())
        assert people <= inside if batch["operation"] == "remove" else not people & inside
        inside ^= people
    assert there == {
        "carted-a1": {"u1", "u2", "u3", "u4", "u5"},
        "carted-a2": {"u0", "u2", "u3", "u4", "u5"},
    }


async def test_a_batch_without_an_answer_goes_again_as_it_was(topics: Engine, receiver: Receiver) -> None:
    """Also after a restart, and with more waiting behind it: the same key, the same members."""
    settings = topics.settings(f"ads.url={receiver.url}")
    receiver.answers = lambda _: 0
    await topics.put(
        change(1, person="u1"),
        change(2, person="u1", audience="x"),
        channel="ads",
    )
    async with working(topics, AdsChannel(settings)) as service:
        await until(lambda: service.count("doubt", "ads") == 2)
    await topics.put(*(change(number) for number in range(10, 20)), channel="ads")
    lost, receiver.answers = (
        {one.headers["idempotency-key"]: one.body for one in receiver.posted},
        lambda _: 200,
    )
    receiver.posted.clear()
    async with working(topics, AdsChannel(settings)) as service:
        await until(lambda: service.count("handed", "ads") == 12)
    again = {one.headers["idempotency-key"]: one.body for one in receiver.posted}
    assert lost.items() <= again.items()
    assert len(receiver.posted) == len(again)


def test_nobody_overtakes_in_a_portion() -> None:
    """Of what a person has waiting in one audience a portion has the first; it holds up the others."""
    queue = Queue("retarget.ads", 0, State())
    for offset, one in enumerate(
        [change(1), change(1, "remove"), change(2), change(3, person="u2", audience="x")]
    ):
        queue.take(offset, b"", json.dumps(one).encode(), ())
    assert [one.offset for one in queue.due(0, 10, in_order=True)] == [0, 2, 3]
    queue.put_off(queue.due(0, 10, in_order=True)[0], 100)
    assert [one.offset for one in queue.due(0, 10, in_order=True)] == [2, 3]
    queue.settle(0)
    assert [one.offset for one in queue.due(0, 1, in_order=True)] == [1]


async def test_files_are_there_once(topics: Engine, tmp_path: Path) -> None:
    """A service that dies after writing a batch writes it no second time, though batches are larger then."""
    folder = f"ads.folder={tmp_path}"
    await topics.put(*(change(number) for number in range(20)), channel="ads")

    class Dying(AdsChannel):
        async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> list[Outcome]:
            await super().hand_over(messages, leave)
            return [Outcome(kind="doubt")] * len(messages)

    async with working(topics, Dying(topics.settings(folder, "ads.batch=3"))) as service:
        await until(lambda: service.count("doubt", "ads") >= 6)
    await topics.put(*(change(number) for number in range(20, 25)), channel="ads")
    async with working(topics, AdsChannel(topics.settings(folder))) as service:
        await until(lambda: service.count("handed", "ads") == 25)
    members = [one["message_id"] for raw in contents(tmp_path, ".json") for one in json.loads(raw)["members"]]
    assert sorted(members) == sorted(f"madd{number}" for number in range(25))


async def test_letters_are_a_list_and_a_proof_each(topics: Engine, tmp_path: Path) -> None:
    """With the link as a QR code; an address without a town is a dead letter; a recall is a row."""
    letter = {"channel": "direct_mail", "template": "brochure", "rule": "brochure"}
    purl = "https://shop.example/p/abc"
    await topics.put(
        message(
            1, to={"address": ADDRESS}, purl=purl, context={"salutation": {"line": "Hello Änn,"}}, **letter
        ),
        message(2, to={"address": {"street": "Lane 2"}}, **letter),
        message(3, to={"address": {**ADDRESS, "street": "=cmd()"}}, **letter),
        channel="direct_mail",
    )
    settings = topics.settings(f"direct_mail.folder={tmp_path}")
    async with working(topics, LetterChannel(settings)) as service:
        await until(
            lambda: service.count("handed", "direct_mail") == 2 and service.count("dead", "direct_mail") == 1
        )
        recall = message(4, operation="recall", recall_of="m1", person="person 1", channel="direct_mail")
        await topics.put(recall, channel="direct_mail")
        await until(lambda: service.count("handed", "direct_mail") == 3)
    rows = [row for raw in contents(tmp_path, ".csv") for row in csv.DictReader(raw.decode().splitlines())]
    sent = {row["message_id"]: row for row in rows if row["operation"] == "print"}
    assert len(rows) == 3
    assert sent["m1"]["salutation"] == "Hello Änn,"
    assert sent["m1"]["purl"] == purl
    assert sent["m3"]["street"] == "'=cmd()"
    assert [row["message_id"] for row in rows if row["operation"] == "cancel"] == ["m1"]
    proofs = contents(tmp_path, ".pdf")
    assert all(raw.startswith(b"%PDF-") for raw in proofs)
    assert [b"/Subtype /Image" in raw for raw in proofs] == [True, False]
    assert (await topics.dead("direct_mail"))["m2"] == (
        "bad_address",
        "the address has no postal_code and no city",
    )


async def test_a_link_that_no_qr_code_holds_is_that_letters_own_trouble(
    topics: Engine, tmp_path: Path
) -> None:
    """The others of its batch are printed, and the partition goes on."""
    there = {"channel": "direct_mail", "template": "brochure", "to": {"address": ADDRESS}}
    named = {"context": {"salutation": {"line": "Hello,", "first_name": "Ann", "last_name": "Lee"}}}
    holds = "https://shop.example/p/".ljust(2_331, "x")
    links = {1: holds, 2: holds + "x", 3: "https://shop.example/p/abc"}
    given = [message(number, purl=link, **there, **named) for number, link in links.items()]
    undated = message(4, decided_at="some day", not_before="2026-03-01T11:00:00Z", **there, **named)
    outside = message("../elsewhere", purl=links[3], **there, **named)
    await topics.put(*given, undated, outside, channel="direct_mail")
    settings = topics.settings(f"direct_mail.folder={tmp_path}")
    async with working(topics, LetterChannel(settings)) as service:
        await until(
            lambda: service.count("handed", "direct_mail") == 2 and service.count("dead", "direct_mail") == 3
        )
    assert len(contents(tmp_path, ".pdf")) == 2
    rows = [row for raw in contents(tmp_path, ".csv") for row in csv.DictReader(raw.decode().splitlines())]
    assert sorted(row["message_id"] for row in rows) == ["m1", "m3"]
    dead = await topics.dead("direct_mail")
    assert dead["m2"] == ("bad_message", "its link has 2332 characters, too many for a QR code")
    assert dead["m4"][0] == "bad_message"
    assert dead["m../elsewhere"] == ("bad_message", "its message_id names no file of one folder")


@pytest.mark.parametrize("length", [20, 400])
def test_the_qr_code_of_a_proof_leads_where_the_message_does(length: int) -> None:
    """Read from the picture of the page, as a telephone reads it from paper."""
    purl = "https://shop.example/p/" + "aB3-_dEf9xYz"[: length % 13] + "Qr7_" * (length // 4)
    letter = msgspec.convert(message(1, channel="direct_mail", purl=purl), Message)
    row = {"name": "Ann", "street": "Lane 1", "postal_code": "12345", "city": "Town", "template": "x"}
    page = pypdfium2.PdfDocument(proof(letter, row | {"purl": purl}))[0]
    # 200 dots an inch, which is less than a print shop has.
    picture = page.render(scale=200 / 72).to_pil()
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [purl]


def test_a_proof_is_one_page_whatever_stands_in_it() -> None:
    """Long names, streets and reasons are cut; the list has them whole."""
    why, purl = "because " * 200, "https://shop.example/p/" + "x" * 2_000
    letter = msgspec.convert(message(1, channel="direct_mail", purl=purl, why=why), Message)
    row = {"name": "N" * 300, "street": "S" * 300, "postal_code": "1", "city": "C" * 300, "template": "x"}
    products = {f"product_{number}_name": "Name " * 200 for number in range(1, 11)}
    [page] = pypdfium2.PdfDocument(proof(letter, row | products | {"purl": purl}))
    shown = page.get_textpage()
    text = shown.get_text_range()
    assert text.count("…") == 15
    _, bottom_of_the_address, _, _ = shown.get_charbox(text.rindex("C"))
    _, _, _, top_of_the_letter = shown.get_charbox(text.index("[x]"))
    assert bottom_of_the_address > top_of_the_letter


@pytest.mark.parametrize(
    "sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_a_list_has_no_formula(sign: str) -> None:
    """Whatever a table program takes for one, at the beginning of a cell; within one it is text."""
    raw = listed([{"message_id": "m1", "name": f"{sign}1+1", "street": f"x{sign}1"}]).decode()
    [row] = csv.DictReader(io.StringIO(raw, newline=""))
    assert (row["name"], row["street"]) == (f"'{sign}1+1", f"x{sign}1")


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """What a crash has left half way is written over; what is there stays as it is."""
    (tmp_path / ".a.json.part").write_bytes(b"half")
    write_once(tmp_path / "a.json", b"first")
    write_once(tmp_path / "a.json", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"first"


def test_a_folder_must_be_named() -> None:
    """Before anything is read."""
    with pytest.raises(BadInput, match=r"ads\.folder"):
        AdsChannel(Engine("nowhere.example:9092").settings())
