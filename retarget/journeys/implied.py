"""What a stored journey says twice: the marks of its ids, and the ids of messages, follow from the rest.

Fields are those of a journey as plain lists. Only what is found to follow is left out, by the rules below.
They are part of a stored form, so they stay as they are even if ids are made otherwise one day.
"""

from __future__ import annotations

from typing import Any, Final

from retarget.journeys.model import Journey, Membership, Send
from retarget.journeys.repeats import marks_of
from retarget.messages import stable_id

_PERSON, _RECENT, _MARKS, _SENDS, _AUDIENCES = (
    Journey.__struct_fields__.index(name)
    for name in ("person", "recent", "recent_marks", "sends", "audiences")
)
_MESSAGE, _DECISION, _KEY = (
    Send.__struct_fields__.index(name) for name in ("message_id", "decision_id", "key")
)
_JOINED: Final = Membership.__struct_fields__.index("message_id")
# Hardly any step of an audience comes later.
_STEPS: Final = range(1, 5)


def leave_out(fields: list[Any]) -> None:
    """Put None, or the number of the step, in the place of what follows from the rest."""
    if fields[_MARKS] == marks_of(fields[_RECENT]):
        fields[_MARKS] = None
    person = fields[_PERSON]
    for send in fields[_SENDS]:
        if [send[_MESSAGE], send[_DECISION]] == _of_send(send, person):
            send[_MESSAGE] = send[_DECISION] = None
    for one in fields[_AUDIENCES]:
        found = (step for step in _STEPS if one[_JOINED] == _of_audience(one, person, step))
        one[_JOINED] = next(found, one[_JOINED])


def put_back(fields: list[Any]) -> None:
    """The inverse."""
    if fields[_MARKS] is None:
        fields[_MARKS] = marks_of(fields[_RECENT])
    person = fields[_PERSON]
    for send in fields[_SENDS]:
        if send[_MESSAGE] is None:
            send[_MESSAGE], send[_DECISION] = _of_send(send, person)
    for one in fields[_AUDIENCES]:
        if isinstance(one[_JOINED], int):
            one[_JOINED] = _of_audience(one, person, one[_JOINED])


def _of_send(send: list[Any], person: str) -> list[str]:
    _, rule, subject, episode, step, channel, *_ = send
    what = (rule, send[_KEY] or person, subject, episode, str(step))
    return [stable_id(*what, channel, "send", ""), stable_id("decision", *what, "send", "")]


def _of_audience(one: list[Any], person: str, step: int) -> str:
    audience, rule, subject, episode, *_ = one
    return stable_id(rule, person, subject, episode, str(step), "ads", "add", audience)
