"""The story of a person as the input topics of their lane hold it."""

from __future__ import annotations

from streams.backtest.history import past_of
from streams.settings import Settings
from streams.topics import partition_of
from streams.what_if.story import Story, StoryTeller


async def story_of_topics(settings: Settings, person: str) -> Story:
    """Read the lane that this person is in. Raises BadInput, Unreachable, UnknownOutcome, LaneRefused."""
    past = await past_of(settings, settings.kafka.input_topics)
    teller = StoryTeller(person, by_time=False, idle_after=past.idle_after)
    async for told in past.told(partition_of(person.encode(), past.history.lanes)):
        teller.add(told)
    return teller.close(ahead=0, at_least=past.until)
