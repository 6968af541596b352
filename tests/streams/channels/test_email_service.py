"""`retarget channel email` on real parts: a broker, a relay, and what comes of messages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams.channels.email import EmailChannel
from tests.streams.channels.conftest import SEAL, Engine, message, until, working
from tests.support.mailbox import Mailbox


def in_seconds(seconds: float) -> str:
    """A moment from now, as messages write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def channel(engine: Engine, mailbox: Mailbox, *overrides: str) -> EmailChannel:
    """The channel with this mailbox as its relay."""
    relay = ("email.host=127.0.0.1", f"email.port={mailbox.port}")
    return EmailChannel(engine.settings(*relay, *overrides), SEAL)


async def test_each_message_becomes_a_mail_once(topics: Engine, mailbox: Mailbox) -> None:
    """A repeat by the headers is dropped, also after a restart; the engine hears of each delivery once."""
    async with working(topics, channel(topics, mailbox)) as service:
        await topics.put(message(1), message(2))
        await topics.put(message(1), message(2), again=True)
        await until(lambda: service.count("handed") == 2 and service.count("repeat") == 2)
    await topics.put(message(1), message(2), again=True)
    await topics.put(message(3))
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1)
    assert sorted(mailbox.ids) == ["m1", "m2", "m3"]
    told = await topics.there("touchpoints")
    assert sorted(one["campaign"]["message_id"] for one in told) == ["m1", "m2", "m3"]
    assert {one["type"] for one in told} == {"email_delivered"}
    assert len({one["id"] for one in told}) == 3


async def test_not_before_its_time_and_not_after(topics: Engine, mailbox: Mailbox) -> None:
    """A message waits for `not_before`, through a restart too; one that has expired goes nowhere."""
    waits = message(1, not_before=in_seconds(6))
    await topics.put(waits, message(2), message(3, expires_at=in_seconds(-1)))
    begun = asyncio.get_running_loop().time()
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1 and service.count("expired") == 1)
    assert mailbox.ids == ["m2"]
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1)
        assert service.count("expired") == 0
    assert asyncio.get_running_loop().time() - begun > 5
    assert mailbox.ids == ["m2", "m1"]


async def test_a_code_that_has_expired_is_promised_to_nobody(topics: Engine, mailbox: Mailbox) -> None:
    """Nor is its message sent, however long that is good; one whose code ends at no date is set aside."""
    offer = {"kind": "percent", "percent": 10.0, "code": "C"}
    ends = {1: in_seconds(-1), 2: in_seconds(600), 3: "tomorrow"}
    given = [message(number, offer=offer | {"expires_at": end}) for number, end in ends.items()]
    await topics.put(*given, message(4, offer=given[0]["offer"], expires_at=in_seconds(600)))
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1 and service.count("expired") == 2)
    assert mailbox.ids == ["m2"]
    (reason, said) = (await topics.dead())["m3"]
    assert reason == "bad_message"
    assert said.startswith("offer.expires_at is")


async def test_what_is_called_back_while_it_waits_does_not_go(topics: Engine, mailbox: Mailbox) -> None:
    """A recall ends a message that waits; of one that has gone it is counted that it came too late."""
    await topics.put(message(1, not_before=in_seconds(600)), message(2))
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1)
        for number in (1, 2):
            recall = {"operation": "recall", "recall_of": f"m{number}", "person": f"person {number}"}
            await topics.put(message(f"r{number}", **recall))
        await until(lambda: service.count("recalled") == 1 and service.count("too_late") == 1)
    assert mailbox.ids == ["m2"]


async def test_what_cannot_be_sent_is_a_dead_letter_with_one_reason(topics: Engine, mailbox: Mailbox) -> None:
    """Each keeps its message; a mailbox that is not there is told to the engine."""
    mailbox.answers = lambda address: "550 5.1.1 no such user" if address.startswith("p1@") else None
    await topics.put(
        message(1),
        message(2, to={"email": "nonsense"}),
        message(3, to={"external": "u3"}),
        message(4, template="no-such"),
        message(5, template="loyal-customer-thanks"),
        message(6, template="../../secrets"),
        message(7),
        b'{"message_id": "m8"}',
    )
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("dead") == 6 and service.count("handed") == 2)
    dead = await topics.dead()
    assert {name: reason for name, (reason, _) in dead.items()} == {
        "m1": "bad_address", "m2": "bad_address", "m3": "no_address", "m4": "no_template",
        "m6": "no_template", "m8": "bad_message",
    }  # fmt: skip
    bounced = [one for one in await topics.there("touchpoints") if one["type"] == "email_bounce"]
    assert [one["campaign"]["message_id"] for one in bounced] == ["m1"]


async def test_a_missing_variable_is_named(topics: Engine, mailbox: Mailbox, tmp_path: Path) -> None:
    """The template's and the variable's name stand in the dead letter."""
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "own.j2").write_text(
        "{% extends layout %}{% block subject %}x{% endblock %}"
        "{% block body %}{{ context.table_number }}{% endblock %}"
    )
    await topics.put(message(1, template="own"))
    own = channel(topics, mailbox, f"channel.templates={tmp_path}")
    async with working(topics, own) as service:
        await until(lambda: service.count("dead") == 1)
    reason, detail = (await topics.dead())["m1"]
    assert reason == "missing_variable"
    assert "own" in detail
    assert "table_number" in detail


async def test_what_may_pass_is_tried_again(topics: Engine, mailbox: Mailbox) -> None:
    """A relay that has no room for the moment gets the mail later."""
    refusals = iter(["450 4.2.0 greylisted"])
    mailbox.answers = lambda _: next(refusals, None)
    await topics.put(message(1))
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1)
        assert service.count("later") == 1
        assert service.repeats() == 0
    assert mailbox.ids == ["m1"]


async def test_a_connection_that_dies_before_the_answer_repeats_once_at_most(
    topics: Engine, mailbox: Mailbox
) -> None:
    """The mail goes once more and is counted; after another such end it is a dead letter, sent no further."""

    def breaks(stage: str) -> None:
        last = mailbox.ids[-1] if stage == "taken" else ""
        if last == "m2" or (last == "m1" and mailbox.ids.count("m1") == 1):
            raise ConnectionResetError

    mailbox.stages = breaks
    await topics.put(message(1), message(2))
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("handed") == 1 and service.count("dead") == 1)
        assert service.repeats() == 2
    assert sorted(mailbox.ids) == ["m1", "m1", "m2", "m2"]
    assert (await topics.dead())["m2"][0] == "unknown_outcome"
