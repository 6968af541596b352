"""On the site: what a page may show beside its own content, at most once per visit."""

from __future__ import annotations

from typing import Any, Final

from retarget.formats import reading
from retarget.formats.request import Request
from retarget.formats.variables import product_of
from retarget.messages import Message

# A narrowed choice: with more there is nothing narrowed.
MOST_PRODUCTS: Final = 3
# The tag of rules that are to help somebody choose.
ADVICE: Final = "advice"


def request_of(message: Message, *, now: int, placement: str) -> Request:
    """What the site's own service keeps for the person's next page, or takes away. Raises Unsendable."""
    reading.only(message, "send", "recall")
    body: dict[str, Any] = {
        "message_id": message.message_id,
        "operation": message.operation,
        "recall_of": message.recall_of,
        "user_id": message.user_id,
        "anonymous_id": message.anonymous_id,
        "placement": placement,
    }
    return Request(path="/placements", body=body | _shown(message, now))


def _shown(message: Message, now: int) -> dict[str, Any]:
    if message.operation == "recall":
        return {}
    return {
        "template": message.template,
        "ttl_s": reading.seconds_left(message, now),
        "at_most": "once per visit",
        "interrupts": False,
        "subject": {"kind": message.subject.kind, "id": message.subject.id},
        "products": [product_of(one) for one in message.products[:MOST_PRODUCTS]],
        "offers_advice": ADVICE in reading.words(message.context.get("tags")),
        "code": message.offer.code if message.offer is not None else None,
        "link": reading.link_of(message),
        "why": message.why,
        "locale": message.locale,
    }
