"""Sharing: what people have in common under some rules, so that the past of one is no longer theirs alone.

A rate gives each message the next free moment of its lane, the purchase guard listens to everybody of a lane,
a pool of codes is given out by a lane in turn, and a ceiling is shared by all lanes. Under such rules lanes
are worked off whole; under others each person can be (`splitting`).
"""

from __future__ import annotations

from enum import IntEnum

from streams.lanes.bundle import Bundle


class Sharing(IntEnum):
    """How much belongs together: what happened to a person, in a lane, in all lanes."""

    PERSON = 0
    LANE = 1
    ALL = 2


def shared(bundle: Bundle) -> dict[str, Sharing]:
    """What people share under these rules, in words."""
    rules, policy = [one.rule for one in bundle.matcher.rules.values()], bundle.policy
    steps = [step for rule in rules for step in rule.steps]
    sent = {channel for step in steps for channel in step.channels_of_all}
    found = {f"the rate of {channel}": Sharing.LANE for channel in sorted(policy.pace.keys() & sent)}
    if policy.purchase_silence and bundle.matcher.guarded:
        found["the purchase guard"] = Sharing.LANE
    if any(offer.codes for step in steps for offer in step.offers):
        found["pools of codes"] = Sharing.LANE
    found |= {f"the ceiling of {rule.name}": Sharing.ALL for rule in rules if rule.ceiling is not None}
    return found
