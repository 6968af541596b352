"""What the rules that ship send has a form at every provider of its channel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest

from retarget.messages import Message
from retarget.times import DAY, parse_time
from streams import topics
from streams.cases import outcomes, running
from streams.cases.trying import try_rules
from streams.ports import Output
from streams.resources import default_rules_dir
from tests.core.formats.cases import FORMATTERS, LOOKED_UP, TERMS

# By the channel; mails are written by their service, and for service desks there is no form.
PROVIDERS: Final = {
    "push": ["fcm", "apns", "webpush"], "ads": ["meta", "google"], "sms": ["sms"], "whatsapp": ["whatsapp"],
    "direct_mail": ["letters"], "onsite": ["onsite"], "chat": ["chat"], "email": [], "service": [],
}  # fmt: skip


def test_all_that_the_shipped_rules_send_has_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message of every case beside them, sends and recalls, in and out of audiences."""
    sent: list[Message] = []

    def outcomes_of(outputs: Sequence[Output]) -> object:
        found = [one for one in outputs if one.topic not in (topics.DECISIONS, topics.DEAD)]
        sent.extend(msgspec.json.decode(one.value, type=Message) for one in found)
        return outcomes.outcomes_of(outputs)

    monkeypatch.setattr(running, "outcomes_of", outcomes_of)
    try_rules([default_rules_dir()])
    formed = {
        (one.channel, one.operation) for one in sent for name in PROVIDERS[one.channel] if form(name, one)
    }

    assert {
        ("push", "send"),
        ("ads", "add"),
        ("ads", "remove"),
        ("direct_mail", "send"),
        ("onsite", "send"),
    } <= formed


def form(provider: str, message: Message) -> str:
    """The provider's form as JSON, of a message that is formatted when it is decided."""
    now = parse_time(message.decided_at)
    message.to |= LOOKED_UP
    terms = TERMS[provider]
    timed = {"now": now} if "now" in terms else {"print_by": now + DAY} if "print_by" in terms else {}
    return json.dumps(msgspec.to_builtins(FORMATTERS[provider](message, {**terms, **timed})))
