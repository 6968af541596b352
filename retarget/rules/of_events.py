"""What conditions ask of the event that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from retarget.journeys import sentiments, spending
from retarget.rules import subjects
from retarget.rules.conditions import Name
from retarget.rules.currencies import CURRENCIES
from retarget.rules.scene import Scene
from retarget.touchpoints import TYPES


def _of_event(field: str) -> Callable[[Scene], Any]:
    return lambda scene: getattr(scene.event, field)


NAMES: Final[Mapping[str, Name]] = {
    "event.type": Name(
        type="text",
        doc="type of the event",
        read=_of_event("type"),
        event_only=True,
        choices=tuple(sorted(TYPES)),
    ),
    "event.name": Name(
        type="text", doc="the producer's own name of the event", read=_of_event("name"), event_only=True
    ),
    "event.value": Name(
        type="number", doc="value of the order, cart or event", read=_of_event("value"), event_only=True
    ),
    "event.currency": Name(
        type="text",
        doc="currency of the value, as its code of ISO 4217 in capitals",
        read=lambda scene: spending.code(scene.event.currency) if scene.event.currency else None,
        event_only=True,
        choices=(*CURRENCIES, spending.UNKNOWN),
    ),
    "event.coupon": Name(type="text", doc="coupon used", read=_of_event("coupon"), event_only=True),
    "event.dwell": Name(
        type="duration", doc="how long the view lasted", read=_of_event("dwell_ms"), event_only=True
    ),
    "event.query": Name(type="text", doc="what was searched for", read=_of_event("query"), event_only=True),
    "event.source": Name(
        type="text", doc="where the person came from", read=_of_event("source"), event_only=True
    ),
    "event.medium": Name(
        type="text",
        doc="paid, owned or earned",
        read=_of_event("medium"),
        event_only=True,
        choices=("earned", "owned", "paid"),
    ),
    "event.channel": Name(
        type="text", doc="channel of the event", read=_of_event("channel"), event_only=True
    ),
    "event.sentiment": Name(
        type="text",
        doc="how it sounds, by its word or the sign of its number",
        read=lambda scene: sentiments.word(scene.event.sentiment),
        event_only=True,
        choices=sentiments.WORDS,
    ),
    "event.sentiment_score": Name(
        type="number",
        doc="how it sounds, where it is a number",
        read=lambda scene: sentiments.score(scene.event.sentiment),
        event_only=True,
    ),
    "event.store": Name(type="text", doc="the shop visited", read=_of_event("store_id"), event_only=True),
    "event.changes_cart": Name(
        type="bool",
        doc="it put something into a cart, took something out, or is a snapshot",
        read=lambda scene: scene.change.changes_cart,
        event_only=True,
    ),
    "event.products": Name(
        type="list",
        doc="the products it is about",
        read=lambda scene: subjects.product(scene.event),
        event_only=True,
    ),
    "event.categories": Name(
        type="list",
        doc="the categories of its products",
        read=lambda scene: subjects.category(scene.event),
        event_only=True,
    ),
}
