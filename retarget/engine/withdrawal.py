"""Withdrawal: what was sent or joined under a consent that does not hold any more is taken back at once.

Of whoever is forgotten all that was sent is. What waits is not looked at here: consent is judged anew when it
is released.
"""

from __future__ import annotations

from retarget.engine import reach, recalls
from retarget.engine.audiences import ADS
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.journeys.model import Journey
from retarget.rules.matcher import Matcher


def take_back(journey: Journey, matcher: Matcher, at: int, event_id: str, moment: Moment) -> None:
    """Leave the audiences, and call back the messages, of channels that may not be used any more.

    `at`: when that was said, epoch ms.
    """
    clock = max(at, moment.clock)
    # Who has left by themselves is not taken out.
    for membership in [one for one in journey.audiences if one.lasts(clock)]:
        rule = recalls.rule_of(matcher, membership)
        if not reach.may_address(journey, rule.purpose, ADS, moment.policy):
            recalls.leave(journey, membership, Undoing(rule, at, event_id), moment)
    for send in recalls.open_sends(journey, clock):
        rule = recalls.rule_of(matcher, send)
        if not reach.may_address(journey, rule.purpose, send.channel, moment.policy):
            recalls.recall(journey, send, Undoing(rule, at, event_id), moment)


def call_back_all(journey: Journey, matcher: Matcher, at: int, event_id: str, moment: Moment) -> None:
    """Call back what was sent to a person who is about to be forgotten, and may still wait somewhere."""
    for send in recalls.open_sends(journey, max(at, moment.clock)):
        try:
            undoing = Undoing(recalls.rule_of(matcher, send), at, event_id, bare=True)
            recalls.recall(journey, send, undoing, moment)
        except Exception as error:  # noqa: BLE001 - the other rules go on
            moment.fail(send.rule, error)
