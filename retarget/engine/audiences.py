"""Ad audiences parted by product sets: which of them a person joins, and who else keeps them there."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from retarget.engine import about
from retarget.engine.candidate import Candidate
from retarget.journeys.model import Journey, Membership
from retarget.rules.model import Audience
from retarget.rules.scene import Scene


def parted(journey: Journey, change: Candidate, audience: Audience, scene: Scene) -> Iterator[Candidate]:
    """The change as it is; with product sets one for each that a product belongs to, as it is known now.

    Nothing ends it but what ends one of these products, where its rule ends by products.
    """
    if not audience.sets:
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
