"""Everything that came out, counted from the topics; repeats by the headers are dropped before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from retarget.messages import Decision, Message


@dataclass(slots=True)
class Tally:
    """Counts of one demo. `first_s`: from the engine's start to the first message."""

    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    audiences: Counter[str] = field(default_factory=Counter)
    recalls: Counter[str] = field(default_factory=Counter)
    held_back: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    repeats_dropped: int = 0
    duplicates: int = 0
    after_purchase: int = 0
    unjoined: int = 0  # reminders of what was bought under another id
    first_s: float | None = None
    example: str = ""
    _ids: set[str] = field(default_factory=set)

    def message(self, message: Message, since_start: float) -> None:
        """Count one message or audience change."""
        if message.message_id in self._ids:
            self.duplicates += 1
        self._ids.add(message.message_id)
        match message.operation:
            case "send":
                self.messages[message.rule, message.channel] += 1
                self.first_s = since_start if self.first_s is None else self.first_s
                self.example = message.person if message.subject.kind == "cart" else self.example
            case "recall":
                self.recalls[message.rule] += 1
            case _:
                self.audiences[message.operation] += 1

    def decision(self, decision: Decision) -> None:
        """Count what became of a candidate for a message, when it did not go out."""
        if decision.operation == "send" and decision.outcome == "deferred":
            self.waiting[decision.reason or "deferred"] += 1
        elif decision.operation == "send" and decision.outcome != "sent":
            self.held_back[decision.reason or decision.outcome] += 1

    @property
    def rules(self) -> list[str]:
        """The rules that sent something, the busiest first."""
        return [rule for rule, _ in self.by_rule.most_common()]

    @property
    def by_rule(self) -> Counter[str]:
        """Messages by rule."""
        return _summed(self.messages, 0)

    @property
    def by_channel(self) -> Counter[str]:
        """Messages by channel."""
        return _summed(self.messages, 1)

    @property
    def flawless(self) -> bool:
        """Whether nothing happened that must not."""
        return not self.duplicates and not self.after_purchase


def _summed(counts: Counter[tuple[str, str]], place: int) -> Counter[str]:
    total: Counter[str] = Counter()
    for names, number in counts.items():
        total[names[place]] += number
    return total
