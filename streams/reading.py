"""How the events of a topic are read, by the settings."""

from __future__ import annotations

from retarget.dialects import decoder_for
from retarget.dialects.model import RecordDecoder
from streams.settings import Settings


def dialect_of(settings: Settings, topic: str) -> str:
    """The form of the events of one of the topics."""
    return settings.input.dialect_by_topic.get(topic, settings.input.dialect)


def decoder_of(settings: Settings, topic: str) -> RecordDecoder:
    """What decodes its records or raises Rejected."""
    return decoder_for(dialect_of(settings, topic), settings.input.max_bytes)
