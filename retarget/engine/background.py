"""What a channel is told beside the message: on which word it rests, and how the person got here."""

from __future__ import annotations

from typing import Any, Final

from retarget.engine.candidate import Candidate
from retarget.journeys import stages
from retarget.journeys.model import Consent, Journey
from retarget.messages import at_or_none

# Where somebody of the shop, or its site, goes on with the person.
_TALKING: Final = frozenset({"chat", "onsite", "service"})


def of(journey: Journey, candidate: Candidate, channel: str, said: Consent | None) -> dict[str, Any]:
    """Parts of a message's context, those of which there is something to tell."""
    found: dict[str, Any] = {}
    if candidate.rule.tags:
        found["tags"] = list(candidate.rule.tags)
    if said is not None and candidate.rule.purpose == "marketing":
        told = {"said_at": at_or_none(said.at), "basis": said.basis, "text_version": said.text_version}
        found["consent"] = {key: value for key, value in told.items() if value is not None}
    if channel in _TALKING:
        found["journey"] = so_far(journey, candidate.at)
        if journey.chat is not None:
            found["transcript"] = journey.chat.transcript
    return found


def so_far(journey: Journey, at: int) -> dict[str, Any]:
    """The last two weeks in numbers of products, and the stage (spec 3.1) they have led to."""
    since, stage = at - stages.REACH, stages.NONE
    viewed = wished = 0
    for product_id, product in journey.products.items():
        stage = max(stage, stages.of_product(journey, product_id, product, at)[0])
        viewed += product.viewed > since
        wished += product.wished > 0
    found = {
        "known_since": at_or_none(journey.first),
        "stage": stages.STAGES[stage] if stage != stages.NONE else None,
        "viewed": viewed,
        "wished": wished,
        "in_carts": len({product_id for lines in journey.carts.values() for product_id in lines}),
    }
    return {key: value for key, value in found.items() if value is not None}
