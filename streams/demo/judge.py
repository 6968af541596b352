"""An opinion of our own on the one thing that must never happen: a reminder of what has been bought.

It looks at the input and at the message, never at what the engine says about itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from retarget.messages import Message
from retarget.times import parse_time
from streams.demo.witness import Deed, Witness
from streams.topics import partition_of

# A purchase under another key of the same person reaches this one through two topics; later it was known.
_TRAVELS_S: Final = 5.0
_JUDGED: Final = frozenset({"cart", "checkout", "product"})


def comes_after_purchase(
    message: Message, emitted: float, witness: Witness
) -> Literal["known", "of another id"] | None:
    """Whether it reminds of a cart, checkout or product after a purchase that was known, and of whom.

    `emitted`: when its record reached the topic (epoch s). Known in the lane itself is a purchase that stands
    before the record which moved the clock to the decision. One under another id of the same person the
    engine cannot know as long as ids are not joined.
    """
    if message.operation != "send" or message.subject.kind not in _JUDGED:
        return None
    touched = _touched(message, witness)
    lane = partition_of(message.person.encode(), len(witness.sent))
    mover = witness.moved_by(lane, parse_time(message.decided_at))
    own = (deed for deed in witness.deeds(message.person) if deed.nth < mover)
    if _bought(message, own, touched):
        return "known"
    others = (deed for key in witness.others(message.person) for deed in witness.deeds(key))
    arrived = (deed for deed in others if deed.handed_over < emitted - _TRAVELS_S)
    return "of another id" if _bought(message, arrived, touched) else None


def _bought(message: Message, deeds: Iterable[Deed], touched: int) -> bool:
    return any(_ends(message, deed, touched) for deed in deeds if deed.event.type == "purchase")


def _touched(message: Message, witness: Witness) -> int:
    """When the cart or checkout was last touched, by anybody it belongs to; -1 when never."""
    due, subject = parse_time(message.due), message.subject
    keys = (message.person, *witness.others(message.person))
    deeds = (deed for key in keys for deed in witness.deeds(key))
    about = (deed.event.time for deed in deeds if deed.is_about(subject.kind, subject.id))
    return max((time for time in about if time <= due), default=-1)


def _ends(message: Message, deed: Deed, touched: int) -> bool:
    """Whether this purchase left nothing to be reminded of."""
    if message.subject.kind == "product":
        products = {item.product_id for item in deed.event.items}
        return message.subject.id in products and deed.event.time <= parse_time(message.decided_at)
    return deed.event.time > touched >= 0
