"""Rollout: how rules follow on rules: what finishes open episodes, and whom a new version is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from retarget.engine.split import Part
from retarget.rules.matcher import Matcher
from retarget.rules.model import Rule


class Rollout(NamedTuple):
    """What a bundle holds beside its rules; nothing as a rule.

    `former`: earlier versions that may have episodes to finish; `canary`: the rules that `share` of the
    people get instead, and that decide in shadow for all others.
    """

    former: tuple[Rule, ...] = ()
    canary: tuple[Rule, ...] = ()
    share: float = 0.0

    def said(self) -> list[object]:
        """What of it belongs into the bundle's id; empty for nothing."""
        if not (self.former or self.canary):
            return []
        return [_named(self.former), _named(self.canary), self.share]

    def matcher(self, rules: Sequence[Rule]) -> Matcher:
        """The rules for everybody who is not in the canary."""
        return Matcher(rules, self._finishing(rules), changed(rules, self.canary))

    def of_canary(self, rules: Sequence[Rule]) -> tuple[Matcher, Part] | None:
        """The rules for the others, and who they are."""
        if not self.canary:
            return None
        return Matcher(self.canary, self._finishing(rules)), part(rules, self.canary, self.share)

    def _finishing(self, rules: Sequence[Rule]) -> list[Rule]:
        """Every version that finishes its episodes, wherever it is in force: people may change sides."""
        return [one for one in (*self.former, *rules, *self.canary) if one.on_change == "finish"]


NOTHING: Final = Rollout()


def changed(before: Sequence[Rule], after: Sequence[Rule]) -> list[Rule]:
    """The rules of `after` that are new or of another meaning."""
    versions = {(rule.name, rule.version) for rule in before}
    return [rule for rule in after if (rule.name, rule.version) not in versions]


def part(rules: Sequence[Rule], canary: Sequence[Rule], share: float) -> Part:
    """Who is in the canary: the same people for as long as it is about the same rules."""
    names = {rule.name for rule in (*changed(rules, canary), *changed(canary, rules))}
    return Part(f"canary {' '.join(sorted(names))}", share)


def _named(rules: Sequence[Rule]) -> list[tuple[str, str]]:
    return sorted((rule.name, rule.version) for rule in rules)
