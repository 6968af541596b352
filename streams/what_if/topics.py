"""The story of a person as the input topics of their lane hold it."""

from __future__ import annotations

from streams.backtest.history import History
from streams.backtest.reading import NO_TIME
from streams.backtest.splitting import NEVER
from streams.clocks import now_ms
from streams.kafka.address import address_of
from streams.lanes.bundle import bundle_of
from streams.settings import Settings
from streams.topics import partition_of
from streams.what_if.story import Story, StoryTeller


async def story_of_topics(settings: Settings, person: str) -> Story:
    """Read the lane that this person is in. Raises BadInput, Unreachable, UnknownOutcome, LaneRefused."""
    history = History(address_of(settings), settings.kafka.input_topics)
    started = now_ms()
    await history.look()
    # The bundle decodes the topics by their dialects; it decides nothing here.
    intake = bundle_of(settings, [], settings.kafka.input_topics).intake
    clock = settings.clock
    idle = clock.idle == "wall"
    teller = StoryTeller(person, by_time=False, idle_after=clock.idle_after if idle else NEVER)
    lane = partition_of(person.encode(), history.lanes)
    async for told in history.told(intake, lane):
        teller.add(told)
    # Where the wall clock moves idle lanes on, it has brought them to the present.
    return teller.close(ahead=0, at_least=started if idle else NO_TIME)
