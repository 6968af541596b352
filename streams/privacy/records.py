"""What the topics still hold of a person, so that people can read it.

Of an id that has been of several people in turn only what was theirs: a device may be somebody else's by now.
"""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import aclosing, suppress
from typing import Any, Final

import msgspec

from retarget.decode import read_time
from retarget.errors import Damaged, LaneRefused, Rejected
from retarget.journeys import wire
from retarget.lane.crossing import History, Joins, Leaves, Parts, Strayed, unpack
from streams.kafka.address import address_of
from streams.kafka.looking import Seen
from streams.privacy.people import Person
from streams.privacy.readable import journey_as_plain
from streams.privacy.scanning import OTHERS, inside
from streams.privacy.topics import SENT, of_person
from streams.reading import decoder_of
from streams.sealing.reading import as_far_as_opened
from streams.settings import Settings
from streams.topics import KEYS, MERGE

# A key of a person is not shown: it opens what is theirs to whoever has it.
_OF_ENGINE: Final = (*SENT, *(topic for topic in OTHERS if topic != KEYS))


async def records_of(settings: Settings, person: Person) -> dict[str, list[Any]]:
    """Of each topic what it still has of them, in order.

    Raises Unreachable, UnknownOutcome, LaneRefused.
    """
    topics = (*settings.kafka.input_topics, *_OF_ENGINE)
    async with aclosing(of_person(address_of(settings), topics, person.ids)) as records:
        found = [seen async for seen in records if _is_theirs(seen, person, settings)]
    values = await as_far_as_opened(settings, [inside(seen.value or b"null") for seen in found])
    told: dict[str, list[Any]] = {}
    for seen, value in zip(found, values, strict=True):
        told.setdefault(seen.topic, []).append(_plain(seen, value))
    return told


def _is_theirs(seen: Seen, person: Person, settings: Settings) -> bool:
    """Whether a record under one of the person's ids is not of somebody else who has had it since."""
    if seen.topic == MERGE:
        return _is_told_of(seen, person)
    if seen.topic not in settings.kafka.input_topics:
        return _is_about(seen, person)
    time = seen.timestamp
    with suppress(Rejected):
        event = decoder_of(settings, seen.topic)(seen.value or b"")
        if event.user_id is not None:
            return event.user_id in person.ids
        time = event.time if event.time >= 0 else time
    return _owner(_key(seen), time, person) == person.name


def _is_about(seen: Seen, person: Person) -> bool:
    """Whether something that left was about them: under an id of a device, about who had that by then."""
    said = _read(inside(seen.value or b"null"))
    told = said if isinstance(said, dict) else {}
    whose, time = told.get("person") or _key(seen), 0
    with suppress(Rejected):
        time = read_time(told.get("due") or told.get("time"))
    return whose in person.ids and _owner(whose, time, person) == person.name


def _key(seen: Seen) -> str:
    return (seen.key or b"").decode(errors="replace")


def _is_told_of(seen: Seen, person: Person) -> bool:
    """Whether one lane told another of this person: not whose else an id is."""
    try:
        crossing = unpack(seen.value or b"")
    except Rejected:
        return False
    if isinstance(crossing, Joins | Parts):
        return crossing.to in person.ids
    if isinstance(crossing, Strayed) and crossing.event.user_id is None:
        return _owner(crossing.person, crossing.event.time, person) == person.name
    return not isinstance(crossing, Strayed) or crossing.event.user_id in person.ids


def _owner(name: str, time: int, person: Person) -> str:
    """Whose an id was at a time, epoch ms, as its lane has it; empty for somebody else, or who was erased."""
    if name in person.others:
        return ""
    led = next((one.journey for one in person.kept if one.name == name and one.journey.moved), None)
    if led is None:
        return person.name
    return "" if led.was_erased(time) else led.owner(time)


def _plain(seen: Seen, value: bytes) -> Any:  # noqa: ANN401 - whatever JSON has
    if seen.topic == MERGE:
        return _crossing(value)
    if (within := inside(value)) != value:
        return _read(value) | {"raw": _read(within)}
    said = _read(value)
    if (whole := seen.value or b"null") == value or inside(whole) == whole:
        return said
    # A dead letter: why it was set aside, with what was in it in place of its bytes.
    return _read(whole) | {"raw": said}


def _read(value: bytes) -> Any:  # noqa: ANN401 - whatever JSON has
    with suppress(ValueError, RecursionError):
        return json.loads(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _crossing(value: bytes) -> Any:  # noqa: ANN401 - whatever JSON has
    crossing = unpack(value)
    said = {name: getattr(crossing, name) for name in crossing.__struct_fields__}
    if isinstance(crossing, Leaves):
        del said["tokens"]  # by these the device is found, which is somebody else's
    if isinstance(crossing, History):
        try:
            said["journey"] = journey_as_plain(wire.decode(crossing.journey))
        except (Damaged, LaneRefused) as error:
            said["journey"] = str(error)
    kind = type(crossing).__name__.lower()
    plain: dict[str, Any] = msgspec.to_builtins({"what": kind} | said)
    return plain
