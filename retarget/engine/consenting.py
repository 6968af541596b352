"""Consenting: what a word of consent changes, and when one that was asked for counts.

`consent` events say it in so many words, and accounts (`identify`, `profile`) may. Whatever else carries a
word is stamped with what a banner knew: that takes consent back, but never overrides what somebody took back.

With double opt-in a grant waits until it is confirmed: by a `consent` event that says so, or a click in the
message that asks for it.
"""

from __future__ import annotations

from typing import Final

from retarget.engine import reach
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys import consents
from retarget.journeys.consents import CONFIRMED, EVERY, PENDING, REFUSED, STATES, Heard
from retarget.journeys.model import Consent, Journey
from retarget.touchpoints import Touchpoint

CLICK: Final = "email_click"
# What else takes a consent back; on this channel, where none is named.
_REFUSALS: Final = {"unsubscribe": "email", "email_spam": "email"}
_WORDS: Final = frozenset({"consent", CLICK, *_REFUSALS})
_ACCOUNTS: Final = frozenset({"identify", "profile"})
# What this says is of the score alone.
_OF_ITS_OWN: Final = "score"
# Grants of one person that wait to be confirmed.
ASKED_KEPT: Final = 20


def is_word(event: Touchpoint) -> bool:
    """Whether it may give a consent, or take it back."""
    return event.type in _WORDS or (event.consent is not None and event.type != _OF_ITS_OWN)


def hear(journey: Journey, event: Touchpoint, moment: Moment) -> None:
    """Take in the words of consent in an event; a click may confirm one."""
    if event.type == CLICK:
        _clicked(journey, event, moment.policy)
    ignored = sum([said.ignored + _take(journey, said, moment.policy) for said in _said(event)])
    if ignored:
        moment.counts["ignored", "consent"] += ignored


def _said(event: Touchpoint) -> list[Heard]:
    if event.type in _REFUSALS:
        word = Consent(granted=False, at=event.time, basis=event.type)
        return [Heard(word, "marketing", event.channel or _REFUSALS[event.type], ignored=0)]
    if event.type == "consent":
        return consents.words(event.consent or {}, event.time)
    heard = STATES if event.type in _ACCOUNTS else REFUSED
    said = consents.words(event.consent, event.time) if event.consent else []
    return [one for one in said if one.state in heard]


def _take(journey: Journey, said: Heard, policy: Policy) -> int:
    """How many parts of it say nothing."""
    word, purpose, channel = said.word, said.purpose, said.channel
    if word is None:
        return 0
    if said.state == CONFIRMED:
        return 0 if _confirm(journey, purpose, channel, word.at) else 1
    if said.state == PENDING or (word.granted and _is_asked(purpose, channel, policy)):
        known = reach.consent(journey, purpose, channel)
        if known is None or not known.granted:
            _ask(journey, f"{purpose}|{channel}", word)
            return 0
        if said.state == PENDING:
            return 0  # it holds already
    if not word.granted:
        _withdraw(journey, purpose, channel, word.at)
    consents.keep(journey, purpose, channel, word)
    return 0


def _is_asked(purpose: str, channel: str, policy: Policy) -> bool:
    """Whether a grant counts only when it is confirmed."""
    wanted = policy.double_opt_in
    return bool(wanted) and purpose in ("marketing", EVERY) and (channel == EVERY or channel in wanted)


def _ask(journey: Journey, key: str, word: Consent) -> None:
    journey.asked.pop(key, None)
    journey.asked[key] = Consent(granted=False, at=word.at, basis=word.basis, text_version=word.text_version)
    while len(journey.asked) > ASKED_KEPT:
        del journey.asked[next(iter(journey.asked))]


def _confirm(journey: Journey, purpose: str, channel: str, at: int) -> bool:
    """Let what was asked by then count from now on, with the grounds on which it was asked."""
    found = [key for key in _covered(journey, purpose, channel) if journey.asked[key].at <= at]
    for key in found:
        asked = journey.asked.pop(key)
        word = Consent(granted=True, at=at, basis=asked.basis, text_version=asked.text_version)
        of, _, on = key.partition("|")
        consents.keep(journey, of, on, word)
    return bool(found)


def _withdraw(journey: Journey, purpose: str, channel: str, at: int) -> None:
    for key in _covered(journey, purpose, channel):
        if journey.asked[key].at <= at:
            del journey.asked[key]


def _covered(journey: Journey, purpose: str, channel: str) -> list[str]:
    pairs = ((key, *key.split("|", 1)) for key in journey.asked)
    return [key for key, of, on in pairs if purpose in (EVERY, of) and channel in (EVERY, on)]


def _clicked(journey: Journey, event: Touchpoint, policy: Policy) -> None:
    """A click in the message that asks confirms what had been asked by then, on its channel or on all."""
    message = (event.campaign or {}).get("message_id")
    asking = [s for s in journey.sends if s.rule == policy.confirmed_by and s.message_id == message]
    for send in asking:
        for key in list(journey.asked):
            purpose, _, channel = key.partition("|")
            if channel in (send.channel, EVERY) and journey.asked[key].at <= send.at:
                _confirm(journey, purpose, channel, event.time)
