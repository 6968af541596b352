"""What the engine calls back, and the channel service in whose hands it waits, of two partitions."""

from __future__ import annotations

import pytest

from retarget.times import MINUTE
from streams.topics import partition_of
from tests.core.lanes import Lanes
from tests.core.shop import a_rule
from tests.factories import NOON, an_event
from tests.streams.channels.conftest import Engine, message, until, working
from tests.streams.channels.test_email_service import channel, in_seconds
from tests.support.mailbox import Mailbox


@pytest.mark.parametrize("cause", ["unsubscribe", "erase"])
async def test_after_a_merge_a_waiting_mail_is_found(topics: Engine, mailbox: Mailbox, cause: str) -> None:
    """It waits under the anonymous id; the known person unsubscribes, or is erased, in another partition."""
    assert partition_of(b"a1", 2) != partition_of(b"u1", 2)
    mail = a_rule(
        rule="every_view", subject="person", event="view", description="x",
        steps=[{"channels": ["email"], "template": "cart-reminder-1"}],
    )  # fmt: skip
    told = an_event("profile", person="a1", traits={"email": "a@mail.example"})
    lanes = Lanes([mail]).read(told, an_event("view", person="a1", at=NOON + 1))
    (sent,) = lanes.sent()
    lanes.read(an_event("identify", at=NOON + MINUTE, anonymous_id="a1")).cross()
    lanes.read(an_event(cause, at=NOON + 2 * MINUTE)).cross()
    (recall,) = lanes.sent(operation="recall")
    async with working(topics, channel(topics, mailbox)) as service:
        await topics.put(sent | {"not_before": in_seconds(600)}, under=lanes.keys[sent["message_id"]])
        await until(lambda: service.waiting() == 1)
        await topics.put(recall, under=lanes.keys[recall["message_id"]])
        await topics.put(message(1, person="a1"), message(2, person="u1"))
        await until(lambda: service.count("handed") == 2)
        await until(lambda: service.waiting() == 0)
        assert (service.count("recalled"), service.count("too_late")) == (1, 0)
    assert sorted(mailbox.ids) == ["m1", "m2"]
