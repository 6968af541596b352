"""Ad audiences: which of them a decision has a person join or leave, and who else keeps them there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from retarget.engine import about, reach
from retarget.engine.candidate import Candidate
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys.model import Journey, Membership
from retarget.messages import Message, stable_id
from retarget.rules.model import Audience
from retarget.rules.scene import Scene
from retarget.times import format_time

ADS: Final = "ads"
# By these a platform knows people, or a service finds what it does; by tokens none does.
_KNOWN_BY: Final = ("email", "phone", "external")
# No address is longer; what is would be kept with each of many audiences.
_LONGEST: Final = 320


def changes(journey: Journey, change: Candidate, audience: Audience, scene: Scene) -> Iterator[Candidate]:
    """The change as it is; with product sets one for each that a product belongs to, as it is known now.

    Nobody leaves what no rule has put them into. With sets nothing ends a change but what ends one of these
    products, where its rule ends by products.
    """
    if not audience.sets:
        if not change.removes or _joined(journey, change):
            yield change
        return
    products = products_of(journey, change)
    for name, condition in audience.sets.items():
        belonging = [product for product in products if scene.holds_of(product, condition)]
        if belonging:
            yield replace(
                change, audience_name=audience.of_set(name), of_set=belonging,
                about=belonging[: about.PRODUCTS_KEPT] if change.about else [],
            )  # fmt: skip


def _joined(journey: Journey, change: Candidate) -> list[Membership]:
    """By what the person is in the audience of the change."""
    named = change.audience_name
    return [one for one in journey.audiences if one.audience == named and one.lasts(change.at)]


def take_out(journey: Journey, change: Candidate, moment: Moment) -> str:
    """Take the person out of the audience, by whatever they are in it; the message's id."""
    rule, joined = change.rule, _joined(journey, change)
    journey.audiences = [one for one in journey.audiences if one not in joined]
    message = Message(
        message_id=change.message_id(journey.person, ADS),
        recall_of=joined[-1].message_id,
        decision_id=change.decision_id(journey.person),
        operation=change.operation,
        channel=ADS,
        rule=rule.name,
        rule_version=rule.version,
        step=change.number,
        person=journey.person,
        user_id=journey.user_id,
        anonymous_id=journey.anonymous_id,
        subject=change.subject,
        audience=change.audience_name,
        to=address_of(journey, joined[-1], moment.policy),
        purpose=rule.purpose,
        due=format_time(change.due),
        decided_at=format_time(change.now),
        priority=rule.priority,
        why=rule.why or rule.description,
        trace=change.trace,
    )
    moment.emit_message(message)
    told = _known_as(joined[-1])
    for one in reversed(joined):
        if not _known_as(one) <= told:
            told |= _known_as(one)
            moment.emit_message(_of_another_address(journey, message, one, moment.policy))
    return message.message_id


def _of_another_address(journey: Journey, message: Message, joined: Membership, policy: Policy) -> Message:
    """The removal once more, of the same person as a platform knows them by a former address."""
    return replace(
        message,
        message_id=stable_id(message.message_id, joined.message_id),
        recall_of=joined.message_id,
        to=address_of(journey, joined, policy),
    )


def join(journey: Journey, joined: Membership) -> None:
    """Note a membership in place of the one by the same rule and subject.

    That one stays beside it where it was by an address that is another one by now: it is still to be left.
    """
    same, known = (joined.audience, joined.rule, joined.subject), _known_as(joined)
    journey.audiences = [
        one
        for one in journey.audiences
        if (one.audience, one.rule, one.subject) != same
        or (one.lasts(joined.since) and not _known_as(one) <= known)
    ]
    journey.audiences.append(joined)


def noted(to: Mapping[str, Any]) -> dict[str, Any]:
    """What a membership keeps of the address by which somebody is added."""
    said = {key: to[key] for key in _KNOWN_BY if isinstance(to.get(key), str | int)}
    return {key: value for key, value in said.items() if len(str(value)) <= _LONGEST}


def address_of(journey: Journey, joined: Membership, policy: Policy) -> dict[str, Any]:
    """By what they were added, whatever has become of it since; tokens are the present ones."""
    present = reach.address(journey, ADS, policy) or {}
    if not joined.to:
        return present
    return joined.to | {key: value for key, value in present.items() if key not in _KNOWN_BY}


def _known_as(joined: Membership) -> set[tuple[str, str]]:
    return {(key, str(value).strip().lower()) for key, value in joined.to.items()}


def products_of(journey: Journey, candidate: Candidate) -> list[str]:
    """All that a candidate is about: the products of the step's own choice, else the subject's."""
    if candidate.step.products is not None:
        return candidate.products
    # Service looks after what was bought, and an audience may be that of buyers; all else reminds.
    wanted = candidate.rule.purpose == "marketing" and candidate.audience is None
    rule, shown = candidate.rule, candidate.products
    return about.products(journey, rule.subject, candidate.subject_id, shown, wanted=wanted)


def not_kept(journey: Journey, left: Membership, to: dict[str, Any], at: int) -> dict[str, Any] | None:
    """What of the address nothing else, not expired by `at`, keeps in the audience; None: they stay."""
    others = [one for one in journey.audiences if one.audience == left.audience and one.lasts(at)]
    if not others:
        return to
    if not left.to or not all(one.to for one in others):
        return None
    kept = {known for one in others for known in _known_as(one)}
    alone = {key for key, value in _known_as(left) if (key, value) not in kept}
    return {key: value for key, value in left.to.items() if key in alone} or None
