"""How the events of a topic are read, by the settings."""

from __future__ import annotations

from typing import Final

from retarget.dialects import decoder_for
from retarget.dialects.model import RecordDecoder
from retarget.errors import BadInput
from streams.settings import Settings

# These know our own form when they see it; every other would take it for one of its own.
_CANONICAL: Final = frozenset({"auto", "canonical"})


def dialect_of(settings: Settings, topic: str) -> str:
    """The form of the events of one of the topics."""
    return settings.input.dialect_by_topic.get(topic, settings.input.dialect)


def takes_canonical(settings: Settings, topic: str) -> bool:
    """Whether what we write there ourselves is read as it is meant."""
    return dialect_of(settings, topic) in _CANONICAL


def canonical_topic(settings: Settings, what: str) -> str:
    """The first input topic in which `what` we write ourselves is understood. Raises BadInput."""
    topics = settings.kafka.input_topics
    found = next((name for name in topics if takes_canonical(settings, name)), None)
    if found is None:
        read = ", ".join(f"{name} as {dialect_of(settings, name)}" for name in topics)
        said = f"{what} can go to no topic of kafka.input_topics, which are read otherwise ({read})"
        remedy = "write input.dialect_by_topic=TOPIC=canonical for one that has, or shall have, such events"
        raise BadInput([f"input.dialect_by_topic: {said}; {remedy}"])
    return found


def decoder_of(settings: Settings, topic: str) -> RecordDecoder:
    """What decodes its records or raises Rejected."""
    return decoder_for(dialect_of(settings, topic), settings.input.max_bytes)
