"""Offers: what a message promises, by which code, until when; and why it promises nothing.

What was given is kept as it was given: a reminder says it once more, whatever has become of the rule.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from retarget.engine import experiments, margins, pools
from retarget.engine.candidate import Candidate
from retarget.engine.margins import Expected
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys.model import Given, Journey
from retarget.messages import Offer, OfferRecord, at_or_none
from retarget.rules import model

# No vowels, so no words; no 0 and O, 1 and I and L, 2 and Z, 5 and S, 6 and G, 8 and B side by side.
ALPHABET: Final = "23456789CDFHJKMNPQRTVWXY"
# 24 ** 16 is 2 ** 73: among a hundred million codes two are alike with a chance of one in a million.
_LENGTH: Final = 16
_GROUP: Final = 4
_CENT: Final = 0.005


def of(journey: Journey, candidate: Candidate, at: int, moment: Moment) -> Offer | None:
    """What a message that leaves at `at` promises; the candidate notes what, or why nothing."""
    number = candidate.rule.offering_step(candidate.number)
    offer = _meant(journey, candidate, number, moment.policy)
    if offer is None:
        return None
    given = _given(journey, candidate, number)
    if given is not None and given.expires <= at:
        candidate.offer = OfferRecord(given=False, withheld="expired", expires_at=at_or_none(given.expires))
        return None
    found = Expected(None, None)
    if given is None:
        if offer.least_margin is not None:
            found = margins.expected(journey, candidate)
        reason, discount = _withheld(offer, found)
        if reason is None and _has_enough(journey, candidate, at, moment.policy.open_codes):
            reason = "open_code"
        if reason is not None:
            candidate.offer = _record(offer, found, discount, withheld=reason)
            return None
        code = _code(journey, candidate, number, offer, moment)
        if code is None:
            candidate.offer = _record(offer, found, discount, withheld="no_code")
            return None
        given = _give(journey, candidate, number, offer, at, code)
    candidate.offer = _record(offer, found, _discount(offer, found), given)
    return _told(given)


def code_of(policy: Policy, person: str, rule: str, subject: str, episode: str, number: int) -> str:
    """The person's own code for the offer of step `number`, in groups; worked out with the secret only."""
    key = blake2b(policy.offer_secret.encode(), digest_size=32).digest()
    text = "\x1f".join((person, rule, subject, episode, str(number)))
    rest = int.from_bytes(blake2b(text.encode(), key=key, digest_size=32, person=b"retarget.offer").digest())
    letters = []
    for _ in range(_LENGTH):
        rest, place = divmod(rest, len(ALPHABET))
        letters.append(ALPHABET[place])
    return "-".join("".join(letters[start : start + _GROUP]) for start in range(0, _LENGTH, _GROUP))


def tidy(journey: Journey, at: int) -> None:
    """Forget what has expired, unless a message that says it may still come."""
    journey.offers = [given for given in journey.offers if given.expires > at or _may_be_said(journey, given)]


def _may_be_said(journey: Journey, given: Given) -> bool:
    episode = journey.episodes.get(given.rule, {}).get(given.subject)
    if episode is not None and episode.opened_by == given.episode:
        return True
    who = (given.rule, given.subject, given.episode)
    return any((one.rule, one.subject, one.episode) == who for one in journey.deferred)


def _meant(journey: Journey, candidate: Candidate, number: int, policy: Policy) -> model.Offer | None:
    """The offer of the step, or of the step before it that it repeats, in the person's variant of that."""
    step = candidate.step
    if step.offer == model.SAME:
        step, _ = experiments.step_of(journey, candidate.rule, number, policy)
    return step.offer if isinstance(step.offer, model.Offer) else None


def _given(journey: Journey, candidate: Candidate, number: int) -> Given | None:
    what = (candidate.rule.name, candidate.subject_id, candidate.episode, number)
    return next(
        (one for one in journey.offers if (one.rule, one.subject, one.episode, one.step) == what), None
    )


def _has_enough(journey: Journey, candidate: Candidate, at: int, most: int) -> bool:
    """Whether other codes of the person are good, as many as may be; a series is one with itself."""
    if not most:
        return False
    series = (candidate.rule.name, candidate.subject_id, candidate.episode)
    others = [one for one in journey.offers if one.expires > at]
    return sum((one.rule, one.subject, one.episode) != series for one in others) >= most


def _withheld(offer: model.Offer, found: Expected) -> tuple[str | None, float | None]:
    """Why the margin forbids it, if it does, and what the discount would be."""
    discount = _discount(offer, found)
    if offer.least_margin is None:
        return None, discount
    if found.margin is None or discount is None:
        return "margin_unknown", discount
    # Sums of prices are not exact; half a cent is nothing.
    return ("margin" if found.margin - discount < offer.least_margin - _CENT else None), discount


def _discount(offer: model.Offer, found: Expected) -> float | None:
    """What it costs the shop; None where that depends on an unknown worth."""
    if offer.amount is not None:
        return offer.amount
    if found.worth is None or offer.percent is None:
        return None
    return found.worth * offer.percent / 100


def _code(
    journey: Journey, candidate: Candidate, number: int, offer: model.Offer, moment: Moment
) -> str | None:
    """The person's code; None when the pool it is to come from has none left."""
    policy = moment.policy
    if offer.codes:
        pool = policy.pools.get(offer.codes)
        return pools.take(moment.drawn, pool, moment.partition, policy.lanes)
    rule, subject, episode = candidate.rule.name, candidate.subject_id, candidate.episode
    return code_of(policy, journey.person, rule, subject, episode, number)


def _give(journey: Journey, candidate: Candidate, number: int, offer: model.Offer, at: int,
          code: str) -> Given:  # fmt: skip
    given = Given(
        code=code,
        rule=candidate.rule.name,
        subject=candidate.subject_id,
        episode=candidate.episode,
        step=number,
        at=at,
        expires=at + offer.expires,
        percent=offer.percent,
        amount=offer.amount,
        currency=offer.currency,
        minimum_basket=offer.minimum_basket,
    )
    journey.offers.append(given)
    return given


def _told(given: Given) -> Offer:
    return Offer(
        kind="percent" if given.percent is not None else "amount",
        percent=given.percent,
        amount=given.amount,
        currency=given.currency,
        code=given.code,
        expires_at=at_or_none(given.expires) or "",
        minimum_basket=given.minimum_basket,
        not_before=at_or_none(given.at),
    )


def _record(offer: model.Offer, found: Expected, discount: float | None, given: Given | None = None,
            withheld: str | None = None) -> OfferRecord:  # fmt: skip
    guarded = found.margin is not None or withheld is not None
    return OfferRecord(
        given=given is not None,
        withheld=withheld,
        code=given.code if given is not None else None,
        expires_at=at_or_none(given.expires) if given is not None else None,
        margin=found.margin,
        discount=discount if guarded else None,
        least_margin=offer.least_margin if guarded else None,
    )
