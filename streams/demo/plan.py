"""What a demo shall be, and the settings it runs under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from retarget.times import HOUR, MINUTE, parse_time
from streams.settings import Settings

# A Monday morning in Europe, Africa and India, evening in New Zealand, night in the Americas: most people
# are awake, and somewhere the quiet hours begin. Always the same one, so that a seed repeats its day.
MORNING: Final = parse_time("2024-05-06T08:00:00Z")
# The shortest wait of the shipped rules is 30 min: after so much history the first ones have ended.
WARM_UP: Final = 45 * MINUTE
# Everybody who is awake looks in within this time, so that there is something to see all along.
OPENING: Final = 2 * HOUR
PRESETS: Final[Mapping[str, str]] = {
    "app.id": "retarget-demo",
    "kafka.emit": "idempotent",
    "kafka.partitions": "4",
    "clock.idle": "heartbeat",
    "clock.now": "event",
    "quiet_hours.enabled": "true",
    "catalogue.currency": "EUR",
    "web.port": "0",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How long (seconds), how many people, which day (seed), simulated seconds a second, and what around."""

    seconds: float
    people: int
    seed: int
    speed: float
    browser: bool
    keep: bool


def with_servers(settings: Settings, *, bootstrap: str, store_url: str) -> Settings:
    """The settings with the demo's own servers, and what those ask for, whatever the user has set.

    Simulated people never get into anybody's real topics.
    """
    return replace(
        settings,
        kafka=replace(settings.kafka, bootstrap=bootstrap, security="plaintext", emit="idempotent"),
        clock=replace(settings.clock, idle="heartbeat", now="event"),
        store=replace(settings.store, url=store_url),
    )
