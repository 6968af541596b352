"""Audiences of ads and letters: batches that go whole, and once."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from retarget.errors import BadInput
from streams.channels.batches.ads import AdsChannel
from streams.channels.batches.files import write_once
from streams.channels.batches.letters import LetterChannel
from streams.channels.outcomes import Outcome
from tests.streams.channels.conftest import Engine, message, until, working
from tests.support.receiver import Receiver

ADDRESS = {"street": "Lane 1", "postal_code": "12345", "city": "Town", "country": "DE"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The platform."""
    with Receiver() as server:
        yield server


def change(number: int, operation: str = "add", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """A change of an audience."""
    to = {"email": f" P{number}@Mail.Example ", "phone": "+49 170 1"}
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
    assert first["email_sha256"] == sha256(b"p0@mail.example").hexdigest()
    assert first["phone_sha256"] == sha256(b"491701").hexdigest()
    assert "mail.example" not in json.dumps(batches).lower()
    order = [one["message_id"] for one in members]
    assert order.index("madd0") < order.index("mremove0")


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


async def test_files_are_there_once(topics: Engine, tmp_path: Path) -> None:
    """A service that dies after writing a batch writes it no second time."""
    settings = topics.settings(f"ads.folder={tmp_path}")
    await topics.put(*(change(number) for number in range(20)), channel="ads")

    class Dying(AdsChannel):
        async def hand_over(self, messages: Any) -> list[Outcome]:  # noqa: ANN401 - as the channel has it
            await super().hand_over(messages)
            return [Outcome(kind="doubt")] * len(messages)

    async with working(topics, Dying(settings)) as service:
        await until(lambda: service.count("doubt", "ads") == 20)
    await topics.put(*(change(number) for number in range(20, 25)), channel="ads")
    async with working(topics, AdsChannel(settings)) as service:
        await until(lambda: service.count("handed", "ads") == 25)
    members = [one["message_id"] for raw in contents(tmp_path, ".json") for one in json.loads(raw)["members"]]
    assert sorted(members) == sorted(f"madd{number}" for number in range(25))


async def test_letters_are_a_list_and_a_proof_each(topics: Engine, tmp_path: Path) -> None:
    """With the link as a QR code; an address without a town is a dead letter; a recall is a row."""
    letter = {"channel": "direct_mail", "template": "brochure", "rule": "brochure"}
    purl = "https://shop.example/p/abc"
    await topics.put(
        message(
            1, to={"address": ADDRESS}, purl=purl, context={"salutation": {"first_name": "Änn"}}, **letter
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
    by_id = {row["message_id"]: row for row in rows}
    assert by_id.keys() == {"m1", "m3", "m4"}
    assert by_id["m1"]["salutation"] == "Hello Änn,"
    assert by_id["m1"]["purl"] == purl
    assert by_id["m3"]["street"] == "'=cmd()"
    assert (by_id["m4"]["operation"], by_id["m4"]["recall_of"]) == ("recall", "m1")
    proofs = contents(tmp_path, ".pdf")
    assert all(raw.startswith(b"%PDF-") for raw in proofs)
    assert [b"/Subtype /Image" in raw for raw in proofs] == [True, False]
    assert (await topics.dead("direct_mail"))["m2"] == (
        "bad_address",
        "the address has no postal_code and no city",
    )


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
