"""Margins: what the shop expects to earn by what a message is about, as far as that is known.

Money is in the shop's own currency; prices are those that the person saw. What nobody can tell is unknown,
never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from retarget.engine.candidate import Candidate
from retarget.journeys import offers
from retarget.journeys.model import Journey
from retarget.sums import total


class Expected(NamedTuple):
    """What the person would pay, and what of it the shop would keep; None: unknown."""

    worth: float | None
    margin: float | None


def expected(journey: Journey, candidate: Candidate) -> Expected:
    """Of the product, of the lines of the cart, or of one of each product of the checkout.

    Nobody knows what a person, a search or a category will come to.
    """
    lines = _lines(journey, candidate)
    if not lines:
        return Expected(None, None)
    prices = {name: _price(journey, candidate, name) for name in lines}
    margins = {name: offers.margin_of(journey, name) for name in lines}
    return Expected(_sum(lines, prices), _sum(lines, margins))


def _lines(journey: Journey, candidate: Candidate) -> dict[str, float]:
    """How many of each product."""
    kind, subject = candidate.rule.subject, candidate.subject_id
    if kind == "product":
        return {subject: 1.0}
    if kind == "cart":
        return {name: line.quantity for name, line in journey.carts.get(subject, {}).items()}
    return dict.fromkeys(candidate.products, 1.0) if kind == "checkout" else {}


def _price(journey: Journey, candidate: Candidate, name: str) -> float | None:
    line = journey.carts.get(candidate.subject_id, {}).get(name) if candidate.rule.subject == "cart" else None
    if line is not None and line.price is not None:
        return line.price
    product = journey.products.get(name)
    return product.price if product is not None else None


def _sum(lines: Mapping[str, float], each: Mapping[str, float | None]) -> float | None:
    """None where one is unknown: the others alone would tell nothing."""
    found: Iterable[float | None] = each.values()
    known = [one for one in found if one is not None]
    if len(known) < len(lines):
        return None
    return total([one * lines[name] for name, one in zip(lines, known, strict=True)])
