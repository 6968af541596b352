"""SMS: who it is from, what it says, how to stop it, and how many messages that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.phones import e164, number_of
from retarget.formats.request import Request
from retarget.formats.segments import plain, segments_of
from retarget.messages import Message

# Gateways take no more in one go.
MOST_SEGMENTS: Final = 10
# Up to 11 letters, digits and spaces with a letter among them, or a short code.
_SENDER: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}|[0-9]{3,8}")


def request_of(message: Message, to: Mapping[str, object], text: str, *, sender: str, stop: str) -> Request:
    """The message to the person's `phone`; a marketing one ends with `stop`, which names the way out.

    Raises Unsendable.
    """
    reading.only(message, "send")
    whole = plain(_with_stop(message, reading.text(text), reading.line(stop)))
    found = segments_of(whole)
    if len(found.parts) > MOST_SEGMENTS:
        raise Unsendable(
            "too_large", f"the text takes {len(found.parts)} messages; {MOST_SEGMENTS} are the most"
        )
    body = {
        "message_id": message.message_id,
        "to": number_of(to.get("phone")),
        "from": _sender(sender),
        "text": whole,
        "encoding": found.encoding,
        "segments": len(found.parts),
    }
    return Request(path="/messages", body=body)


def _with_stop(message: Message, text: str | None, stop: str | None) -> str:
    if text is None:
        raise Unsendable("missing_variable", "the message has no text")
    if message.purpose != "marketing":
        return text
    if stop is None:
        raise Unsendable("missing_variable", "a marketing message must say how to stop it")
    return text if stop in text else f"{text}\n{stop}"


def _sender(told: str) -> str:
    if _SENDER.fullmatch(told):
        return told
    number = e164(told)
    if number is None:
        raise Unsendable("bad_message", "the sender is neither a number, a short code nor up to 11 letters")
    return number
