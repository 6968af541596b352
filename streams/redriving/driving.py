"""Dead letters read, chosen, and sent again in portions."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from retarget.decode import parse_object
from retarget.errors import Rejected
from streams.kafka.address import address_of
from streams.kafka.connection import KafkaAddress
from streams.kafka.headers import RepeatFilter
from streams.kafka.inventory import existing_topics, partitions_of_topic
from streams.kafka.looking import Seen, looking, records, spans
from streams.kafka.sending import Outgoing
from streams.redriving.choosing import Choice, Letter, channel_letter_of, letter_of
from streams.redriving.ledger import Ledger, opened
from streams.redriving.mending import again, message_again, topic_for
from streams.redriving.permission import Refusal, permission_of
from streams.sealing.opening import Opening, Unopened
from streams.sealing.reading import opening_of
from streams.sealing.records import read
from streams.settings import Settings
from streams.topics import DEAD, channel_topic, dead_channel_topic

_PORTION: Final = 500
# By the message's id, or the letter's place, and which of a channel's destinations could not send it.
_Found = dict[tuple[str, str | None], tuple[Letter, list[str]]]
_Asked = Callable[[Letter], Awaitable[Refusal | None]]


@dataclass(kw_only=True)
class Told:
    """What came of it; `left` has a line for each chosen letter that cannot be sent again.

    `refused`: how many of them may not go out any more, by reason.
    """

    sent: int = 0
    before: int = 0
    left: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


async def redrive(
    settings: Settings,
    choice: Choice,
    *,
    channel: str = "",
    now: int,
    as_new: bool = False,
    dry: bool = False,
) -> Told:
    """Send the chosen letters of the engine, or of a channel's service, once more; `dry`: only tell.

    Messages go only to whom they may go now, by the store.

    Raises Unreachable, UnknownOutcome, LaneRefused, BadInput.
    """
    address, told = address_of(settings), Told()
    source = dead_channel_topic(channel) if channel else DEAD
    async with opening_of(settings) as opening:
        wanted = await _chosen(address, source, choice, channel, told, opening)
    existing = await existing_topics(address)

    def mended(letter: Letter) -> list[Outgoing]:
        topic = letter.topic if channel else topic_for(letter, settings)
        partitions = existing.get(topic, 1)
        if channel:
            return [message_again(letter, now, partitions)]
        return list(again(letter, settings, topic, partitions, as_new=as_new))

    # Whoever only looks must not shut out one that sends.
    transactional = settings.kafka.emit == "transactional" and not dry
    async with AsyncExitStack() as stack:
        asked: _Asked = _nobody_asks
        if channel and wanted:
            permission = await stack.enter_async_context(permission_of(settings))

            async def asked(letter: Letter) -> Refusal | None:
                return await permission.refusal(letter.message or {}, channel, now)

        sending = opened(address, settings.app.id, transactional=transactional)
        ledger = await stack.enter_async_context(sending)
        await _send(wanted, mended, asked, ledger, told, dry=dry)
    return told


async def _nobody_asks(_letter: Letter) -> Refusal | None:
    """What was set aside before it was decided is judged when it is."""
    return None


async def _send(
    letters: list[tuple[Letter, list[str]]],
    mended: Callable[[Letter], list[Outgoing]],
    asked: _Asked,
    ledger: Ledger,
    told: Told,
    *,
    dry: bool,
) -> None:
    records_: list[Outgoing] = []
    places: list[str] = []
    for letter, known_as in letters:
        if ledger.has(known_as[-1]):
            told.before += 1
            continue
        try:
            once_more = mended(letter)
        except Rejected as rejected:
            told.left.append(f"{letter.place}: {rejected.reason}: {rejected.detail}")
            continue
        if (refusal := await asked(letter)) is not None:
            told.left.append(f"{letter.place}: {refusal.reason}: {refusal.detail}")
            told.refused[refusal.reason] += 1
            continue
        records_ += once_more
        places += known_as
        told.sent += 1
        if not dry and len(records_) >= _PORTION:
            await ledger.send(records_, places)
            records_, places = [], []
    if records_ and not dry:
        await ledger.send(records_, places)


async def _chosen(
    address: KafkaAddress, source: str, choice: Choice, channel: str, told: Told, opening: Opening | None
) -> list[tuple[Letter, list[str]]]:
    """Each record that is wanted once, with every place at which a letter about it stands, by time."""
    found: _Found = {}
    async for seen in _read(address, source):
        try:
            if channel:
                letter = channel_letter_of(seen, channel_topic(channel))
            else:
                letter = letter_of(await _opened(seen, opening))
        except Rejected as rejected:
            told.left.append(f"{seen.topic}-{seen.partition}-{seen.offset}: {rejected.detail}")
            continue
        if choice.wants(letter):
            about = str((letter.message or {}).get("message_id") or letter.place), letter.destination
            _, before = found.get(about, (letter, []))
            found[about] = letter, [*before, letter.place]
    if channel and found:
        async for seen in _read(address, channel_topic(channel)):
            _forget_recalled(seen, found, told)
    return sorted(found.values(), key=lambda one: one[0].time)


async def _opened(seen: Seen, opening: Opening | None) -> Seen:
    """A letter of the engine's as it was before it was sealed. Raises Rejected."""
    if read(seen.value or b"") is None:
        return seen
    if opening is None:
        raise Rejected("bad_field", "it is sealed, and privacy.keys is not set")
    [found] = await opening([seen.value or b""])
    if isinstance(found, Unopened):
        raise Rejected("bad_field", f"it is sealed: {found.value}")
    return seen._replace(value=found)


def _forget_recalled(seen: Seen, found: _Found, told: Told) -> None:
    """Whoever has bought meanwhile is not reminded."""
    try:
        recalled = parse_object(seen.value or b"").get("recall_of")
    except Rejected:
        return
    if not isinstance(recalled, str):
        return
    for about in [about for about in found if about[0] == recalled]:
        letter, _ = found.pop(about)
        told.left.append(f"{letter.place}: the message has been recalled")


async def _read(address: KafkaAddress, topic: str) -> AsyncIterator[Seen]:
    repeats = RepeatFilter()
    wanted = await spans(address, topic, range(await partitions_of_topic(address, topic)))
    async with looking(address, "read_committed") as consumer:
        async for seen in records(consumer, topic, wanted):
            if repeats.is_new(seen.topic, seen.partition, seen.headers):
                yield seen
