"""Ad audiences: which of them a decision has a person join or leave, and who else keeps them there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from retarget.engine import about, reach
from retarget.engine.candidate import Candidate
from retarget.engine.moment import Moment
from retarget.journeys.model import Journey, Membership
from retarget.messages import Message
from retarget.rules.model import Audience
from retarget.rules.scene import Scene
from retarget.times import format_time

ADS: Final = "ads"


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
        to=reach.address(journey, ADS, moment.policy) or {},
        purpose=rule.purpose,
        due=format_time(change.due),
        decided_at=format_time(change.now),
        priority=rule.priority,
        why=rule.why or rule.description,
        trace=change.trace,
    )
    moment.emit_message(message)
    return message.message_id


def products_of(journey: Journey, candidate: Candidate) -> list[str]:
    """All that a candidate is about: the products of the step's own choice, else the subject's."""
    if candidate.step.products is not None:
        return candidate.products
    # Service looks after what was bought, and an audience may be that of buyers; all else reminds.
    wanted = candidate.rule.purpose == "marketing" and candidate.audience is None
    rule, shown = candidate.rule, candidate.products
    return about.products(journey, rule.subject, candidate.subject_id, shown, wanted=wanted)


def is_kept(journey: Journey, left: Membership, at: int) -> bool:
    """Whether something else, not expired by `at`, keeps the person in the audience that they would leave."""
    return any(one.audience == left.audience and one.lasts(at) for one in journey.audiences)
