"""The scene: what a condition can look at while it is judged."""

from __future__ import annotations

from collections import Counter

from retarget.catalogue import News
from retarget.journeys.facts import Change
from retarget.journeys.model import Episode, Journey
from retarget.rules.conditions import Condition
from retarget.rules.model import Rule
from retarget.touchpoints import Touchpoint

_NOTHING = Touchpoint()


class Scene:
    """One person at one moment, with the event and the subject in question; made once, refilled each time."""

    __slots__ = ("at", "change", "episode", "event", "journey", "kind", "misfits", "news", "rule", "subject")

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.event: Touchpoint = _NOTHING
        self.change = Change()
        self.rule: Rule | None = None
        self.kind = "person"
        self.subject = ""
        self.episode: Episode | None = None
        self.news: News | None = None
        self.at = 0
        # Rule -> how often it met a value of another type than it asks for; whoever counts them clears it.
        self.misfits: Counter[str] = Counter()

    def misfit(self) -> None:
        """Note that the rule being judged met a value of another type than it asks for."""
        self.misfits[self.rule.name if self.rule is not None else ""] += 1

    def of_event(self, journey: Journey, event: Touchpoint, change: Change, at: int) -> None:
        """Set the scene for an event that has just been applied."""
        self.journey, self.event, self.change, self.at = journey, event, change, at
        self.episode = None

    def of_wait(self, journey: Journey, at: int) -> None:
        """Set the scene for a wait: there is no event."""
        self.journey, self.event, self.at = journey, _NOTHING, at
        self.episode = None

    def of_news(self, news: News, rule: Rule) -> None:
        """Set the scene for a change in the catalogue, before anybody is looked at."""
        self.news, self.rule = news, rule

    def about(self, rule: Rule, subject: str, episode: Episode | None = None) -> None:
        """Turn to a rule and one subject of it."""
        self.rule, self.kind, self.subject, self.episode = rule, rule.subject, subject, episode

    def holds_of(self, product: str, condition: Condition) -> bool:
        """Whether a condition about products holds of this one; the scene is as before then."""
        kind, subject = self.kind, self.subject
        self.kind, self.subject = "product", product
        try:
            return condition.evaluate(self)
        finally:
            self.kind, self.subject = kind, subject
