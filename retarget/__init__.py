"""Retarget's pure core: what happened to one person goes in, decisions and messages come out.

No I/O, no clock, no randomness: the same input gives the same output, whatever runs it.
"""

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.engine.door import Engine
from retarget.engine.moment import Moment, Result
from retarget.engine.policy import Cap, Policy, QuietHours
from retarget.errors import BadInput, LaneRefused, Rejected, RetargetError, Unreachable
from retarget.lane.batch import Batch
from retarget.lane.intake import Arrival, Intake
from retarget.lane.lane import Lane
from retarget.messages import Decision, Message
from retarget.rules.matcher import Matcher
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Item, Touchpoint

__all__ = [
    "VOCABULARY",
    "Arrival",
    "BadInput",
    "Batch",
    "Cap",
    "Decision",
    "Engine",
    "Intake",
    "Item",
    "Lane",
    "LaneRefused",
    "Matcher",
    "Message",
    "Moment",
    "Policy",
    "QuietHours",
    "Rejected",
    "Result",
    "RetargetError",
    "Rule",
    "Touchpoint",
    "Unreachable",
    "decode_canonical",
    "encode_touchpoint",
]
