"""The heartbeat guard: while no purchase is heard of, nobody is reminded of what they may have bought.

A shop that sells goes on selling. When a lane hears of no purchase for long, the purchases have got lost on
their way, and rules that must not write to buyers cannot tell who is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from retarget.engine.policy import Policy
from retarget.rules.matcher import HEARTBEAT
from retarget.rules.model import Rule
from retarget.times import format_time

# Event type -> the latest time of such an event that the lane has applied; kept with its positions.
Heard = dict[str, int]


def hear(heard: Heard, time: int) -> None:
    """Note a purchase of `time`."""
    if time > heard.get(HEARTBEAT, -1):
        heard[HEARTBEAT] = time


def is_silent(heard: Mapping[str, int], policy: Policy, at: int) -> bool:
    """Whether the last purchase is longer ago than is set, so that guarded rules pause.

    A new lane has heard of none.
    """
    last = heard.get(HEARTBEAT)
    return bool(policy.purchase_silence) and (last is None or at - last > policy.purchase_silence)


def told(heard: Mapping[str, int], policy: Policy, rule: Rule, at: int) -> list[str]:
    """Why the guard pauses a rule, in words for the record; nothing where it does not."""
    if not rule.guarded or not is_silent(heard, policy, at):
        return []
    last = heard.get(HEARTBEAT)
    return ["no purchase yet" if last is None else f"no purchase since {format_time(last)}"]
