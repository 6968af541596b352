"""What a channel service tells: feedback as touchpoints, with ids that are always the same; dead letters."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from retarget.decode import encode_touchpoint
from retarget.messages import SCHEMA_VERSION, Message, stable_id
from retarget.times import format_time
from retarget.touchpoints import Touchpoint, TouchpointType
from streams.channels.outcomes import Channel, Outcome, Reason
from streams.channels.queue import Unreadable
from streams.kafka.sending import Outgoing
from streams.producing import keyed
from streams.topics import dead_channel_topic

_encoder: Final = msgspec.json.Encoder()
# A mail address, or a number as long as a telephone's; shorter words of an address tell nothing alone.
_ADDRESS: Final = re.compile(r"[^\s<>\"']+@[^\s<>\"']+|\+?\d[\d /-]{5,}\d")
_TELLING: Final = 4


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel service could not send.

    `time`: when it was given up, RFC 3339. `destination`: which of a channel's, empty where there is one.
    `raw`: the message's bytes as they came, in base64.
    """

    reason: Reason
    detail: str
    time: str
    destination: str
    raw: str
    schema: int = SCHEMA_VERSION


def touchpoint(
    message: Message,
    kind: TouchpointType,
    now: int,
    **more: Any,  # noqa: ANN401 - fields of a touchpoint
) -> Touchpoint:
    """What happened to a message, at `now` (epoch ms). Told twice it has the same id, and counts once."""
    return Touchpoint(
        id=stable_id("feedback", message.message_id, kind),
        type=kind,
        time=now,
        user_id=message.user_id,
        anonymous_id=message.anonymous_id or (None if message.user_id else message.person),
        channel=message.channel,
        source="retarget",
        campaign={"name": message.rule, "message_id": message.message_id},
        trace=message.trace,
        **more,
    )


def feedback(
    message: Message, outcome: Outcome, now: int, topic: str, partitions: Mapping[str, int]
) -> list[Outgoing]:
    """The records for the engine."""
    return [record(touchpoint(message, kind, now), topic, partitions[topic]) for kind in outcome.feedback]


def record(event: Touchpoint, topic: str, partitions: int) -> Outgoing:
    """A touchpoint as a record of its person."""
    return keyed(event.person.encode(), encode_touchpoint(event), topic, partitions)


def without_addresses(detail: str, message: Message) -> str:
    """What a relay or service has said of a message, without where it was to go: that is sealed."""
    known = sorted(filter(None, _texts(message.to)), key=len, reverse=True)
    for text in known:
        if len(text) >= _TELLING:
            detail = re.sub(re.escape(text), "…", detail, flags=re.IGNORECASE)
    return _ADDRESS.sub("…", detail)


def _texts(given: object) -> Iterator[str]:
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, list):
        for one in given:
            yield from _texts(one)
    elif given is not None:
        yield str(given)


def dead_letter(channel: Channel, unsent: Unreadable, now: int, partitions: Mapping[str, int]) -> Outgoing:
    """A message that could not be sent, for `retarget redrive`."""
    assert unsent.outcome.reason is not None
    letter = Unsent(
        reason=unsent.outcome.reason,
        detail=unsent.outcome.detail,
        time=format_time(now),
        destination=channel.destination,
        raw=base64.b64encode(unsent.raw).decode(),
    )
    topic = dead_channel_topic(channel.name)
    return keyed(unsent.key, _encoder.encode(letter), topic, partitions[topic])
