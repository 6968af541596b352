"""Ceilings: how many messages a rule may send to everybody together, as a bound on what a mistake can do.

A ceiling holds in windows that begin with the epoch, by the clocks of the lanes, which share it: each has
been granted a portion, and asks for more before its next batch when it needs some. What is granted is an
input of that batch, so that a replay gives the same (docs/decisions/0014-ceilings-in-portions.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from retarget.engine.policy import Policy
from retarget.rules.model import Rule


class Granted(msgspec.Struct, frozen=True, gc=False):
    """How many messages of a rule a lane may send in a window; `last`: there is no more to be had in it."""

    window: int
    most: int
    last: bool


class Shortage(msgspec.Struct, frozen=True, gc=False):
    """What a lane lacks: so many messages more in a window of a ceiling, of which everybody has `most`."""

    window: int
    within: int  # ms
    most: int
    wanted: int


# Rule -> (the window, how many it sent in it); the lane keeps these three with its positions.
Risen = dict[str, tuple[int, int]]
Grants = dict[str, Granted]
Short = dict[str, Shortage]


def granted(grants: Mapping[str, Granted], policy: Policy, rule: Rule, at: int) -> Granted | None:
    """What the lane may send in the window of `at`; None without a ceiling. A lane alone has all of it."""
    if rule.ceiling is None or not policy.lanes:
        return None
    window = at // rule.ceiling.within
    if policy.lanes == 1:
        return Granted(window, rule.ceiling.most, last=True)
    found = grants.get(rule.name)
    if found is None or found.window < window:
        return Granted(window, 0, last=False)
    # What was sent in a window that is over is forgotten; only another number of lanes leads back to one.
    return found if found.window == window else Granted(window, 0, last=True)


def sent(risen: Mapping[str, tuple[int, int]], rule: Rule, at: int) -> int:
    """How many were sent in the window of `at`."""
    window, count = risen.get(rule.name, (-1, 0))
    return count if rule.ceiling is not None and window == at // rule.ceiling.within else 0


def count(risen: Risen, rule: Rule, at: int) -> None:
    """Count a message of a rule with a ceiling, sent at `at`."""
    if rule.ceiling is not None:
        risen[rule.name] = (at // rule.ceiling.within, sent(risen, rule, at) + 1)


def ask(short: Short, rule: Rule, at: int) -> None:
    """Note that one more message could leave if more were granted."""
    assert rule.ceiling is not None  # only such rules are short of anything
    window, before = at // rule.ceiling.within, short.get(rule.name)
    wanted = before.wanted + 1 if before is not None and before.window == window else 1
    short[rule.name] = Shortage(window, rule.ceiling.within, rule.ceiling.most, wanted)
