"""The scene: what a condition can look at while it is judged."""

from __future__ import annotations

from retarget.catalogue import News
from retarget.journeys.facts import Change
from retarget.journeys.model import Episode, Journey
from retarget.touchpoints import Touchpoint

_NOTHING = Touchpoint()


class Scene:
    """One person at one moment, with the event and the subject in question; made once, refilled each time."""

    __slots__ = ("at", "change", "episode", "event", "journey", "kind", "news", "subject")

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.event: Touchpoint = _NOTHING
        self.change = Change()
        self.kind = "person"
        self.subject = ""
        self.episode: Episode | None = None
        self.news: News | None = None
        self.at = 0

    def of_event(self, journey: Journey, event: Touchpoint, change: Change, at: int) -> None:
        """Set the scene for an event that has just been applied."""
        self.journey, self.event, self.change, self.at = journey, event, change, at
        self.episode = None

    def of_wait(self, journey: Journey, at: int) -> None:
        """Set the scene for a wait: there is no event."""
        self.journey, self.event, self.at = journey, _NOTHING, at
        self.episode = None

    def of_news(self, news: News) -> None:
        """Set the scene for a change in the catalogue, before anybody is looked at."""
        self.news = news

    def about(self, kind: str, subject: str, episode: Episode | None = None) -> None:
        """Turn to one subject."""
        self.kind, self.subject, self.episode = kind, subject, episode
