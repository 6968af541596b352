"""What no template of ours writes is in its reader's language, too: letters, sites, WhatsApp, pushes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pypdfium2
import pytest

from retarget.messages import Message
from streams.channels.batches.letters import LetterChannel
from streams.channels.gateways import GATEWAYS
from streams.channels.push import PushChannel
from streams.settings import load_settings
from tests.streams.channels.conftest import message
from tests.streams.channels.test_batches import contents
from tests.support.receiver import Receiver

WHY: Final = "You asked us something in the chat."
IN_FRENCH: Final = "Raison de ce message\u00a0: une question posée dans la discussion."
HELLO: Final = "Bonjour Madame O\u2019Neil,"
APPROVED: Final = """
[cart-reminder-1]
name = "after_our_chat"
languages = ["fr"]
variables = [
    "product_1_price", "product_1_price_as_of", "percent", "minimum_basket", "code_expires_at", "why",
]
"""


def french(**more: Any) -> Message:  # noqa: ANN401 - fields of a message
    """A message for somebody in Paris."""
    offer = {"kind": "percent", "percent": 12.5, "minimum_basket": 1250.0, "code": "X"}
    salutation = {"line": HELLO, "language": "fr"}
    told = {
        "context": {"salutation": salutation, "purchases": 0}, "why": WHY,
        "locale": "fr-FR", "timezone": "Europe/Paris",
        "offer": offer | {"expires_at": "2099-03-03T22:30:00.000Z"},
        "products": [{"product_id": "p", "price": 1299.5, "price_as_of": "2026-02-28T23:30:00.000Z"}],
    }  # fmt: skip
    return msgspec.convert(message(1, **{**told, **more}), Message)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Whoever takes them."""
    with Receiver() as server:
        yield server


async def posted(receiver: Receiver, name: str, *settings: str) -> Any:  # noqa: ANN401 - JSON
    """What a channel posts of the message."""
    channel = GATEWAYS[name](load_settings(overrides=[f"{name}.url={receiver.url}", *settings]))
    [outcome] = await channel.hand_over([french(channel=name, to={"phone": "+33 6 12 34 56 78"})])
    await channel.stop()
    assert outcome.kind == "handed"
    return json.loads(receiver.posted[0].body)


async def test_whatsapp_says_figures_and_reasons_as_they_are_written_there(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Nobody reads 1299.50, or 2026-03-03T22:30:00.000Z, in a chat."""
    (tmp_path / "approved.toml").write_text(APPROVED)
    told = await posted(
        receiver, "whatsapp", "whatsapp.sender=1", f"whatsapp.templates={tmp_path / 'approved.toml'}"
    )
    said = [one["text"] for one in told["template"]["components"][0]["parameters"]]
    assert " | ".join(said).split() == (
        f"1 299,50 | 1er mars 2026 | 12,5 | 1 250,00 | 3 mars 2099, 23:30 UTC+01:00 | {IN_FRENCH}".split()
    )


@pytest.mark.parametrize("name", ["onsite", "chat"])
async def test_the_site_and_the_chat_say_why_in_the_persons_language(receiver: Receiver, name: str) -> None:
    """What their own services format, such as prices, stays as it is."""
    told = await posted(receiver, name)
    assert told["why"] == IN_FRENCH
    assert told["products"][0]["price"] == "1299.50"


async def test_a_push_says_why_in_the_persons_language(receiver: Receiver) -> None:
    """In its data, for the app."""
    given = [f"push.fcm_url={receiver.url}", "push.fcm_project=shop", "push.fcm_token=secret"]
    channel = PushChannel(load_settings(overrides=given))
    [outcome] = await channel.hand_over([french(channel="push", to={"push_token": "abc"})])
    await channel.stop()
    assert outcome.kind == "handed"
    assert json.loads(receiver.posted[0].body)["message"]["data"]["why"] == IN_FRENCH


async def test_a_letter_says_why_in_the_persons_language(tmp_path: Path) -> None:
    """In the list and on the proof, which shows the apostrophe of a name as it is."""
    channel = LetterChannel(load_settings(overrides=[f"direct_mail.folder={tmp_path}"]))
    address = {"street": "1 rue X", "postal_code": "75001", "city": "Paris"}
    [outcome] = await channel.hand_over([french(channel="direct_mail", to={"address": address})])
    await channel.stop()
    assert outcome.kind == "handed"
    [listed], [proof] = contents(tmp_path, ".csv"), contents(tmp_path, ".pdf")
    [row] = csv.DictReader(listed.decode().splitlines())
    plain = " ".join(IN_FRENCH.split())
    assert (row["why"], row["product_1_price"]) == (plain, "1299.50")
    text = pypdfium2.PdfDocument(proof)[0].get_textpage().get_text_range()
    assert plain in " ".join(text.split())
    assert HELLO in text
