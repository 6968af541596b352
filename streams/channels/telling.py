"""What a channel service tells: feedback as touchpoints, with ids that are always the same; dead letters."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from retarget.decode import encode_touchpoint
from retarget.messages import Message, stable_id
from retarget.times import format_time
from retarget.touchpoints import Touchpoint, TouchpointType
from streams.channels.outcomes import Channel, Outcome
from streams.channels.queue import Unreadable
from streams.kafka.sending import Outgoing
from streams.producing import keyed
from streams.topics import dead_channel_topic

_encoder: Final = msgspec.json.Encoder()


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


def dead_letter(channel: Channel, unsent: Unreadable, now: int, partitions: Mapping[str, int]) -> Outgoing:
    """A message that could not be sent, for `retarget redrive`."""
    letter = {
        "reason": unsent.outcome.reason,
        "detail": unsent.outcome.detail,
        "time": format_time(now),
        "destination": channel.destination,
        "raw": base64.b64encode(unsent.raw).decode(),
        "schema": 1,
    }
    topic = dead_channel_topic(channel.name)
    return keyed(unsent.key, _encoder.encode(letter), topic, partitions[topic])
