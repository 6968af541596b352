"""Reach: on which channels a person may be addressed, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from retarget.engine.policy import Policy
from retarget.formats import postal
from retarget.journeys.consents import EVERY
from retarget.journeys.model import Consent, Journey

# The traits that are an address of each channel, the best first.
ADDRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email",),
    "push": ("push_tokens", "push_token"),
    "sms": ("phone",),
    "whatsapp": ("phone",),
    "direct_mail": postal.KINDS,
    "ads": ("email", "phone", "push_tokens", "push_token"),
}
ALWAYS: Final = frozenset({"onsite", "chat", "service"})


def address(journey: Journey, channel: str, policy: Policy) -> dict[str, Any] | None:
    """Where `channel` finds the person; None when it cannot. A postal address needs what a letter needs."""
    if channel in journey.bounced:
        return None
    known = {key: journey.traits[key] for key in ADDRESSES.get(channel, ()) if journey.traits.get(key)}
    if channel == "direct_mail":
        known = {key: told for key, told in known.items() if postal.is_found(told)}
    if known or channel in ALWAYS:
        return known
    if journey.user_id and channel in policy.external:
        return {"external": journey.user_id}
    return None


def consent(journey: Journey, purpose: str, channel: str) -> Consent | None:
    """The person's latest word that covers this purpose and channel; None when they never said one."""
    if not journey.consents:
        return None
    latest: Consent | None = None
    for word in _covering(journey, purpose, channel):
        if latest is None or word.at >= latest.at:
            latest = word
    return latest


def _covering(journey: Journey, purpose: str, channel: str) -> list[Consent]:
    keys = {f"{p}|{c}" for p in (purpose, EVERY) for c in (channel, EVERY)}
    return [word for key, word in journey.consents.items() if key in keys]


def may_address(
    journey: Journey, purpose: str, channel: str, policy: Policy, began: int | None = None
) -> bool:
    """Whether marketing may use the channel; service and transactional messages need no consent.

    Consent that is only assumed does not hold for a person who has been erased. `began`: since when that
    is open which is to be sent (epoch ms); a withdrawal since has ended it, whatever was granted after.
    """
    if purpose != "marketing":
        return True
    word = consent(journey, purpose, channel)
    if word is None:
        return policy.consent_assumed and not journey.erased
    return word.granted and (began is None or not _withdrawn(journey, purpose, channel, began, word.at))


def _withdrawn(journey: Journey, purpose: str, channel: str, began: int, granted: int) -> bool:
    """Whether there was a no in between; one that was taken back in the same moment is none."""
    return any(began < word.last_refusal < granted for word in _covering(journey, purpose, channel))
