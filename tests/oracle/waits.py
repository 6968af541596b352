"""What waits for the clock: open episodes, and messages deferred by quiet hours."""

from dataclasses import dataclass

from .model import Rule, Step
from .person import Rank


@dataclass
class Episode:
    """An open episode of a quiet rule, waiting for its next step."""

    rule: Rule
    person: str
    subject: str
    touched: int
    views: int = 0
    number: int = 1
    first_due: int = 0
    delay: int = 0
    date: int | None = None
    year: int = 0
    opened_by: str = ""
    began: int = 0

    def due(self) -> int:
        """When the next step is decided."""
        if self.date is not None:
            return self.date
        if self.number == 1:
            return self.touched + self.rule.wait
        return self.first_due + self.rule.steps[self.number - 1] + self.delay

    def step(self) -> Step:
        """The next step."""
        return Step(
            self.rule, self.person, self.subject, self.number, self.due(), self.opened_by, self.since()
        )

    def since(self) -> int:
        """Since when that step is open: the last touch, or its own day; later ones since the first was."""
        if self.number > 1:
            return self.began
        return self.touched if self.date is None else self.date


@dataclass
class Deferred:
    """A message that waits for the end of the quiet hours, for room in the caps, or for its rivals."""

    held_step: Step
    release: int
    value: float = 0
    rank: Rank | None = None
    ended: bool = False

    @property
    def rule(self) -> Rule:
        """The rule of the step."""
        return self.held_step.rule

    @property
    def person(self) -> str:
        """The person of the step."""
        return self.held_step.person

    @property
    def subject(self) -> str:
        """The subject of the step."""
        return self.held_step.subject

    def due(self) -> int:
        """When it is judged anew."""
        return self.release


Wait = Episode | Deferred


def order(wait: Wait) -> tuple[int, str, int, str, str, bool]:
    """The order of waits: due, person, priority descending, rule, subject; what was deferred comes last."""
    deferred = isinstance(wait, Deferred)
    return wait.due(), wait.person, -wait.rule.priority, wait.rule.name, wait.subject, deferred
