"""Ceilings: how many messages a rule may send to everybody together, as a bound on what a mistake can do.

Each lane has its share of a rule's ceiling, in windows that begin with the epoch: nothing but the lane's own
clock and sends decides, so that a replay gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from retarget.engine.policy import Policy
from retarget.rules.model import Rule

# Rule -> (the window, how many it sent in it); the lane keeps it with its positions.
Risen = dict[str, tuple[int, int]]


def share(policy: Policy, rule: Rule) -> int | None:
    """How many messages of the rule a lane may send in a window; None without a ceiling."""
    if rule.ceiling is None or not policy.lanes:
        return None
    return rule.ceiling.most // policy.lanes


def sent(risen: Mapping[str, tuple[int, int]], rule: Rule, at: int) -> int:
    """How many were sent in the window of `at`."""
    window, count = risen.get(rule.name, (-1, 0))
    return count if rule.ceiling is not None and window == at // rule.ceiling.within else 0


def count(risen: Risen, rule: Rule, at: int) -> None:
    """Count a message of a rule with a ceiling, sent at `at`."""
    if rule.ceiling is not None:
        risen[rule.name] = (at // rule.ceiling.within, sent(risen, rule, at) + 1)
