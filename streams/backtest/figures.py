"""Figures: what is kept of a run, and of the comparison of two; all of it adds up over parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

Row = tuple[str, str]  # rule and channel


class Figures(msgspec.Struct, kw_only=True):
    """One set of rules over the input, or over a part of it."""

    sends: dict[tuple[str, str, str], int] = {}  # rule, channel, day (UTC): messages and audience changes
    outcomes: dict[
        tuple[str, str, str], int
    ] = {}  # rule, outcome, gate that stopped it or empty: final records
    deferred: dict[str, int] = {}  # rule: how often quiet hours or a cap put a message off
    caps: dict[tuple[str, str], int] = {}  # rule and the cap it hit, such as `total 3/24h`
    recalls: dict[Row, int] = {}  # rule, channel: messages taken back
    regretted: dict[Row, int] = {}  # of these, whose ending had already happened when they were sent
    reached: int = 0  # people with at least one message
    most_per_person: int = 0  # messages to one person
    most_per_person_day: int = 0  # and on one day (UTC)
    counts: dict[str, int] = {}  # late, repeated, and dead letters of rules that failed

    def add(self, other: Figures) -> None:
        """Take in those of another part."""
        for name in _SUMMED:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, dict(Counter(mine) + Counter(theirs)))
        self.reached += other.reached
        self.most_per_person = max(self.most_per_person, other.most_per_person)
        self.most_per_person_day = max(self.most_per_person_day, other.most_per_person_day)

    def messages(self) -> int:
        """Messages sent; audience changes are none."""
        return sum(n for (_, channel, _), n in self.sends.items() if channel != "ads")

    def by_row(self) -> Counter[Row]:
        """What was sent, by rule and channel."""
        found: Counter[Row] = Counter()
        for (rule, channel, _), n in self.sends.items():
            found[rule, channel] += n
        return found

    def by_channel_day(self) -> Counter[tuple[str, str]]:
        """What was sent, by channel and day."""
        found: Counter[tuple[str, str]] = Counter()
        for (_, channel, day), n in self.sends.items():
            found[channel, day] += n
        return found

    def regret(self) -> float:
        """The share of messages whose ending had already happened when they were sent."""
        messages = self.messages()
        return sum(self.regretted.values()) / messages if messages else 0.0


class Change(msgspec.Struct, kw_only=True):
    """One rule on one channel: what the rules on trial do that the others do not."""

    added: int = 0
    removed: int = 0
    moved: int = 0  # sent by both, at another time or on another channel
    same: int = 0
    later_ms: int = 0  # the moved ones together: how much later than under the other rules

    def add(self, other: Change) -> None:
        """Take in those of another part."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Comparison(msgspec.Struct, kw_only=True):
    """Rules on trial against other rules; a moved send stands at the channel it is moved to."""

    changes: dict[Row, Change] = {}
    newly_reached: int = 0
    no_longer_reached: int = 0

    def of(self, row: Row) -> Change:
        """The change of a row, to be written to."""
        return self.changes.setdefault(row, Change())

    def add(self, other: Comparison) -> None:
        """Take in those of another part."""
        for row, change in other.changes.items():
            self.of(row).add(change)
        self.newly_reached += other.newly_reached
        self.no_longer_reached += other.no_longer_reached

    def total(self) -> Change:
        """All rows together."""
        found = Change()
        for change in self.changes.values():
            found.add(change)
        return found


_SUMMED = tuple(field.name for field in msgspec.structs.fields(Figures) if str(field.type).startswith("dict"))


def plain(table: Mapping[Any, Any]) -> list[list[Any]]:
    """A table as sorted rows, for JSON."""
    return [[*key, table[key]] if isinstance(key, tuple) else [key, table[key]] for key in sorted(table)]
