"""The story of a person as the input topics of their lanes hold it."""

from __future__ import annotations

from functools import partial

from retarget.engine.policy import Policy
from retarget.errors import Rejected
from retarget.lane.crossing import Joins, unpack
from streams.backtest.history import Past, past_of
from streams.backtest.reuniting import Kin
from streams.kafka import KafkaAddress, Reader
from streams.kafka.address import address_of
from streams.kafka.inventory import partitions_of
from streams.kafka.looking import spans
from streams.settings import Settings
from streams.topics import MERGE, lane_of
from streams.what_if.story import Story, StoryTeller, together


async def story_of_topics(settings: Settings, person: str, policy: Policy) -> Story:
    """Read the lanes that this person is in, under all their ids.

    Raises BadInput, Unreachable, UnknownOutcome, LaneRefused.
    """
    past = await past_of(settings, settings.kafka.input_topics)
    home = partial(lane_of, lanes=past.history.lanes)
    names = await _names(past, person, address_of(settings), policy)
    stories: dict[int, Story] = {}
    for lane in sorted({home(name) for name in names}):
        teller = StoryTeller(names, by_time=False, is_nobody=policy.is_nobody, idle_after=past.idle_after)
        async for told in past.told(lane):
            teller.add(told)
        stories[lane] = teller.close(ahead=0, at_least=past.until)
    # Decided is where the person is known.
    users = {event.user_id for story in stories.values() for event in story.everybody if event.user_id}
    known = person if person in users else min(users & names, default=person)
    own = stories.pop(home(known))
    return together(own, list(stories.values())).of(person)


async def _names(past: Past, person: str, address: KafkaAddress, policy: Policy) -> frozenset[str]:
    """Every id of the person: by events that show two, and by what lanes have told each other."""
    home = partial(lane_of, lanes=past.history.lanes)
    kin, names, read = Kin(home), frozenset({person}), set[int]()
    while lanes := {home(name) for name in names} - read:
        for lane in sorted(lanes):
            await _words(address, lane, kin, policy)
            async for told in past.told(lane):
                if told.event is not None:
                    kin.hear(told.event, policy)
        read |= lanes
        names = kin.family(person)
    return names


async def _words(address: KafkaAddress, lane: int, kin: Kin, policy: Policy) -> None:
    """To whom the anonymous people of a lane were said to belong."""
    if lane >= (await partitions_of(address, [MERGE])).get(MERGE, 0):
        return
    span = (await spans(address, MERGE, (lane,)))[lane]
    reader = Reader(address)
    await reader.start()
    try:
        for record in await reader.read(MERGE, lane, span.start, span.end):
            try:
                crossing = unpack(record.value or b"")
            except Rejected:
                continue
            if isinstance(crossing, Joins) and crossing.person not in policy.apart:
                kin.meet(crossing.person, crossing.to)
    finally:
        await reader.close()
