"""A dead letter as a record for the topic where it belongs, with the id and the time that it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from retarget import catalogue
from retarget.decode import decode_canonical, parse_object, read_time
from retarget.dialects import decoder_for
from retarget.errors import Rejected
from retarget.lane.intake import RAW_KEPT
from retarget.touchpoints import Touchpoint
from streams.kafka.headers import DESTINATION
from streams.kafka.sending import Outgoing
from streams.producing import keyed, outgoing
from streams.reading import canonical_topic, decoder_of, takes_canonical
from streams.redriving.choosing import Letter
from streams.settings import Settings

FAILED: Final = "rule_failed"


def topic_for(letter: Letter, settings: Settings) -> str:
    """Where it goes: its own topic, but for one that is read in another form than ours, in which we write.

    Raises BadInput when there is no topic for such an event.
    """
    topic = letter.topic
    if topic not in settings.kafka.input_topics or takes_canonical(settings, topic):
        return topic
    return canonical_topic(settings, f"events from {topic}")


def again(
    letter: Letter, settings: Settings, topic: str, partitions: int, *, as_new: bool
) -> Sequence[Outgoing]:
    """The records to be sent to `topic`; a heartbeat has several.

    Raises Rejected while it still cannot be used.
    """
    if not letter.raw:
        raise Rejected("bad_field", "there are no bytes in it: it is about a wait, or news of the catalogue")
    if len(letter.raw) >= RAW_KEPT:
        raise Rejected("too_large", "only its first part was kept; the whole stands in its topic, if at all")
    if letter.topic == settings.kafka.catalogue_topic:
        return [_listed(letter, settings, partitions)]
    if letter.topic not in settings.kafka.input_topics:
        raise Rejected("bad_field", f"{letter.topic} is none of kafka.input_topics")
    event = _failed(letter, as_new=as_new) if letter.reason == FAILED else _unread(letter, settings)
    return list(outgoing(event, topic, partitions))


def message_again(letter: Letter, now: int, partitions: int) -> Outgoing:
    """A message as it was. Raises Rejected for one that is worth nothing any more."""
    message = letter.message or {}
    _require_good(message, now)
    key = letter.key or str(message.get("person") or "").encode()
    again = keyed(key, msgspec.json.encode(message), letter.topic, partitions)
    if letter.destination is None:
        return again
    return msgspec.structs.replace(again, headers=[(DESTINATION, letter.destination.encode())])


def _require_good(message: Mapping[str, Any], now: int) -> None:
    """Raise Rejected when it has expired, or the code that it promises."""
    expires, offer = message.get("expires_at"), message.get("offer")
    if expires is not None and read_time(expires, "expires_at") <= now:
        raise Rejected("bad_time", f"the message was good until {expires}")
    if not isinstance(offer, Mapping) or message.get("operation", "send") != "send":
        return
    if (ends := offer.get("expires_at")) is not None and read_time(ends, "offer.expires_at") <= now:
        raise Rejected("bad_time", f"the code of the message was good until {ends}")


def _unread(letter: Letter, settings: Settings) -> Touchpoint:
    event = _decoded(letter, settings)
    event.id = event.id or letter.place
    if event.time < 0 or event.time > letter.time + settings.clock.max_skew:
        event.time = letter.time  # what its first record would have made of it
    return event


def _decoded(letter: Letter, settings: Settings) -> Touchpoint:
    """What its bytes say, read as its topic is.

    On a topic of our own form they may be in another: the collector, which takes any, writes only our form
    there, but sets aside what it could not use as it came.
    """
    try:
        return decoder_of(settings, letter.topic)(letter.raw)
    except Rejected as rejected:
        if not takes_canonical(settings, letter.topic):
            raise
        try:
            return decoder_for("auto", settings.input.max_bytes)(letter.raw)
        except Rejected as unrecognised:
            raise (rejected if unrecognised.reason == "unknown_dialect" else unrecognised) from None


def _failed(letter: Letter, *, as_new: bool) -> Touchpoint:
    """An event of which the journey knows already."""
    if not as_new:
        said = "its event has been applied, and again under its id it would be a repeat"
        raise Rejected(FAILED, f"{said}; give --as-new to count it once more, under a new id")
    event = decode_canonical(letter.raw)
    event.id = f"{event.id}~again"
    return event


def _listed(letter: Letter, settings: Settings, partitions: int) -> Outgoing:
    found = catalogue.read_record(letter.raw, letter.key, settings.input.max_bytes)
    time = found.time if found.time >= 0 else letter.time
    record = parse_object(letter.raw) | {"id": found.id or letter.place, "time": time}
    product = found.items[0].product_id or ""
    return keyed(product.encode(), msgspec.json.encode(record), letter.topic, partitions)
