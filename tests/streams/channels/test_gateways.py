"""Short messages, WhatsApp, the site and the chat: one request each, to a server on this machine."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from retarget.errors import BadInput
from streams.channels.gateways import GATEWAYS, approved
from streams.settings import load_settings
from tests.streams.channels.conftest import Engine, message, until, working
from tests.streams.channels.test_killed import MESSAGES, counted, page, running, settled
from tests.support.receiver import Posted, Receiver

PHONE: Final = "+49 170 1234567"
PURL: Final = "https://go.shop.example/p/x"
TEMPLATES: Final = """
[chat-follow-up]
name = "after_our_chat"
languages = ["en", "de"]
variables = ["salutation", "link"]
"""
PATHS: Final = {
    "sms": "/messages",
    "whatsapp": "/106540352242922/messages",
    "onsite": "/placements",
    "chat": "/handovers",
}
NAMES: Final = [*PATHS]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Whoever takes them."""
    with Receiver() as server:
        yield server


@pytest.fixture
def given(receiver: Receiver, tmp_path: Path) -> Mapping[str, str]:
    """The settings of all four."""
    templates = tmp_path / "templates.toml"
    templates.write_text(TEMPLATES)
    urls = {f"{name}.url": receiver.url for name in NAMES} | {f"{name}.token": f"of-{name}" for name in NAMES}
    return urls | {
        "sms.stop": "STOP to 12345",
        "whatsapp.sender": "106540352242922",
        "whatsapp.templates": str(templates),
    }


def overrides(given: Mapping[str, object]) -> list[str]:
    """As words."""
    return [f"{key}={value}" for key, value in given.items()]


def told(number: int | str, channel: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a message
    """A message of that channel."""
    known = {"to": {"phone": PHONE}, "template": "chat-follow-up", "purl": PURL, "channel": channel}
    return message(number, **{**known, **more})


def test_short_messages_without_a_way_out_are_warned_of(
    given: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """At the start, not with the first dead letter."""
    GATEWAYS["sms"](load_settings(None, {}, overrides(given)))
    assert not caplog.messages
    GATEWAYS["sms"](load_settings(None, {}, overrides({**given, "sms.stop": ""})))
    (said,) = caplog.messages
    assert "sms.stop is not set" in said


@pytest.mark.parametrize("name", NAMES)
async def test_each_message_goes_once_in_its_form(
    topics: Engine, receiver: Receiver, given: Mapping[str, str], name: str
) -> None:
    """With the service's token, and with its id, by which it is known again; a repeat of a record is none."""
    settings = topics.settings(*overrides(given))
    await topics.put(*(told(number, name) for number in range(12)), channel=name)
    await topics.put(*(told(number, name) for number in range(12)), channel=name, again=True)
    async with working(topics, GATEWAYS[name](settings), settings=settings) as service:
        await until(lambda: service.count("handed", name) == 12 and service.count("repeat", name) == 12)
    assert Counter(one.headers["idempotency-key"] for one in receiver.posted) == {
        f"m{number}": 1 for number in range(12)
    }
    assert {(one.path, one.headers["authorization"]) for one in receiver.posted} == {
        (PATHS[name], f"Bearer of-{name}")
    }


async def test_what_a_short_message_says(
    topics: Engine, receiver: Receiver, given: Mapping[str, str]
) -> None:
    """The template's text with link and way out; without a template or a number it is a dead letter."""
    settings = topics.settings(*overrides(given))
    await topics.put(
        told(1, "sms"), told(2, "sms", template="unknown"), told(3, "sms", to={"phone": "170"}),
        told(4, "sms", to={}), channel="sms",
    )  # fmt: skip
    async with working(topics, GATEWAYS["sms"](settings), settings=settings) as service:
        await until(lambda: service.count("handed", "sms") == 1 and service.count("dead", "sms") == 3)
    [posted] = receiver.posted
    assert json.loads(posted.body)["text"] == f"Thank you for chatting with us. {PURL}\nSTOP to 12345"
    assert {key: reason for key, (reason, _) in (await topics.dead("sms")).items()} == {
        "m2": "no_template", "m3": "bad_address", "m4": "no_address",
    }  # fmt: skip


async def test_what_whatsapp_has_not_approved_does_not_go(
    topics: Engine, receiver: Receiver, given: Mapping[str, str]
) -> None:
    """And what it has goes by its name there, with its variables in order."""
    settings = topics.settings(*overrides(given))
    await topics.put(told(1, "whatsapp"), told(2, "whatsapp", template="other"), channel="whatsapp")
    async with working(topics, GATEWAYS["whatsapp"](settings), settings=settings) as service:
        await until(lambda: service.count("handed", "whatsapp") == service.count("dead", "whatsapp") == 1)
    template = json.loads(receiver.posted[0].body)["template"]
    assert template["name"] == "after_our_chat"
    assert [one["text"] for one in template["components"][0]["parameters"]] == ["Hello,", PURL]
    assert (await topics.dead("whatsapp"))["m2"] == ("no_template", "whatsapp.templates has no 'other'")


@pytest.mark.parametrize(("name", "taken_back"), [("onsite", True), ("chat", True), ("sms", False)])
async def test_what_has_gone_is_taken_back_where_that_can_be(
    topics: Engine,
    receiver: Receiver,
    given: Mapping[str, str],
    name: str,
    taken_back: bool,  # noqa: FBT001
) -> None:
    """On a page and in the chat; a short message has been read."""
    settings = topics.settings(*overrides(given))
    async with working(topics, GATEWAYS[name](settings), settings=settings) as service:
        await topics.put(told(1, name), channel=name)
        await until(lambda: service.count("handed", name) == 1)
        recall = told(2, name, operation="recall", recall_of="m1", person="person 1")
        await topics.put(recall, channel=name)
        outcome = "handed" if taken_back else "too_late"
        await until(lambda: service.count(outcome, name) == (2 if taken_back else 1))
    recalled = [json.loads(one.body).get("recall_of") for one in receiver.posted]
    assert recalled == ([None, "m1"] if taken_back else [None])


@pytest.mark.parametrize(("name", "most"), [("sms", 99), ("onsite", 3)])
async def test_without_an_answer(
    topics: Engine, receiver: Receiver, given: Mapping[str, str], name: str, most: int
) -> None:
    """A short message goes once more and never a third time; for a service of the shop's until it answers."""
    receiver.answers = lambda _: 200 if len(receiver.posted) > most else 0
    settings = topics.settings(*overrides(given))
    await topics.put(told(1, name), channel=name)
    async with working(topics, GATEWAYS[name](settings), settings=settings) as service:
        outcome = "dead" if name == "sms" else "handed"
        await until(lambda: service.count(outcome, name) == 1)
    assert len(receiver.posted) == (2 if name == "sms" else most + 1)
    assert {one.headers["idempotency-key"] for one in receiver.posted} == {"m1"}
    if name == "sms":
        assert (await topics.dead(name))["m1"][0] == "unknown_outcome"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("name", NAMES)
async def test_killed_and_started_again(
    topics: Engine,
    receiver: Receiver,
    given: Mapping[str, str],
    name: str,
    answered: bool,  # noqa: FBT001
) -> None:
    """Everything arrives; only what was under way comes again, under its key and with the same in it."""
    settings: dict[str, object] = {
        **given, "kafka.bootstrap": topics.address.bootstrap, "kafka.emit": "idempotent",
        "store.url": topics.store,
    }  # fmt: skip
    await topics.put(*(told(number, name) for number in range(MESSAGES)), channel=name)
    with running(name, settings) as service:
        seen = [0]

        def die(_: Posted) -> int:
            seen[0] += 1
            if seen[0] == MESSAGES // 2:
                service.kill()
                return 200 if answered else 0
            return 200

        receiver.answers = die
        service.listening()
        await asyncio.to_thread(service.ended)
    receiver.answers = lambda _: 200
    with running(name, settings) as service:
        address = service.listening()
        async with asyncio.timeout(60):
            while len(keys(receiver)) < MESSAGES or not await settled(address):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        repeats = counted(await asyncio.to_thread(page, address), "retarget_channel_repeats_total")
        assert service.stop() == 0
    sent = keys(receiver)
    assert sent.keys() == {f"m{number}" for number in range(MESSAGES)}
    # So many at once, in each of two partitions.
    assert sum(sent.values()) - MESSAGES <= repeats <= 16
    bodies = {
        (one.headers["idempotency-key"], re.sub(rb'"ttl_s":\d+', b"", one.body)) for one in receiver.posted
    }
    assert len(bodies) == MESSAGES
    assert await topics.dead(name) == {}


def keys(receiver: Receiver) -> Counter[str]:
    """How often each message came."""
    return Counter(one.headers["idempotency-key"] for one in receiver.posted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "whatsapp.templates: "),
        ("[a]\nname = 'x'", "Object missing required field `languages`"),
        ("[a]\nname = 'x'\nlanguages = 'en'", "Expected `array`"),
    ],
)
def test_templates_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    """One line with the file and what is wrong."""
    path = tmp_path / "templates.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=re.escape(said)):
        approved(str(path))
