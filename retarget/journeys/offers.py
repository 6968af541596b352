"""What a journey knows of the shop's present offer of a product, as the catalogue has told it."""

from __future__ import annotations

from retarget.catalogue import Listing
from retarget.journeys.model import Journey, Offer


def offer_of(listing: Listing) -> Offer:
    """What a journey keeps of a listing."""
    return Offer(listing.price, listing.stock, listing.margin, listing.expires, listing.said.get("price", 0))


def is_gone(journey: Journey, product_id: str, at: int) -> bool:
    """Whether the catalogue says that a product cannot be bought."""
    product = journey.products.get(product_id)
    offer = product.offer if product is not None else None
    return offer is not None and (offer.stock == 0 or 0 < offer.expires <= at)


def margin_of(journey: Journey, product_id: str) -> float | None:
    """The margin that the shop expects of one piece of a product; None when it has not said."""
    product = journey.products.get(product_id)
    return product.offer.margin if product is not None and product.offer is not None else None
