"""Pushes: what FCM, APNs and Web Push have in common, and which of them a device wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.request import Request
from retarget.messages import Message, stable_id
from retarget.times import DAY, SECOND

# Four weeks: the longest that FCM keeps a message, and APNs and browsers' services are not asked for more.
LONGEST_S: Final = 28 * DAY // SECOND
# Left out one after the other where the rest would not fit.
_LESS_NEEDED: Final = ("products", "why", "image", "offer")


class Notice(NamedTuple):
    """What the person reads, in their language; a template makes it."""

    title: str
    body: str


def collapse_key(message: Message) -> str:
    """What a newer push replaces, and a recall takes away: the rule's notice about this subject.

    32 hex digits: APNs takes 64 bytes, Web Push 32 characters of base64url. The person is not in it, since a
    recall may come after an anonymous person has become a known one.
    """
    subject = message.subject
    return stable_id("collapse", message.rule, subject.kind, "" if subject.kind == "person" else subject.id)


def seconds(message: Message, now: int) -> int:
    """How long a provider keeps it for a device that is off; a recall for as long as it might keep a send."""
    if message.operation == "recall":
        return LONGEST_S
    return min(reading.seconds_left(message, now), LONGEST_S)


def data_of(message: Message, notice: Notice | None) -> dict[str, str]:
    """What the app or the service worker gets; of a recall nothing that could be shown.

    `tag` is the collapse key: FCM keeps that name, and others of its own, for itself.
    """
    reading.only(message, "send", "recall")
    found: dict[str, str | None] = {
        "message_id": message.message_id,
        "operation": message.operation,
        "tag": collapse_key(message),
        "recall_of": message.recall_of,
    }
    if message.operation == "send":
        if notice is None or not (title := reading.line(notice.title)):
            raise Unsendable("missing_variable", "a push needs a title")
        found |= {"title": title, "body": reading.text(notice.body), "url": reading.link_of(message)}
        found |= {"template": message.template, **_optional(message)}
    return {key: told for key, value in found.items() if (told := reading.text(value)) is not None}


def _optional(message: Message) -> dict[str, str | None]:
    products = message.products
    return {
        "image": next(filter(None, (reading.link(one.get("image_url")) for one in products)), None),
        "offer": message.offer.code if message.offer is not None else None,
        "why": message.why,
        "products": ",".join(filter(None, (reading.line(one.get("product_id")) for one in products))),
    }


def fitted(
    data: Mapping[str, str],
    most: int,
    build: Callable[[dict[str, str]], Request],
    size: Callable[[Request], int],
) -> Request:
    """The request of as much of the data as `most` bytes hold. Raises Unsendable where it is none."""
    left = dict(data)
    for name in ("", *_LESS_NEEDED):
        left.pop(name, None)
        request = build(left)
        if size(request) <= most:
            return request
    raise Unsendable("too_large", f"title, text and link have more than the {most} bytes of a push")
