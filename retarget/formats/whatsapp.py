"""WhatsApp Business by the Cloud API: a template that WhatsApp has approved, with its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.phones import number_of
from retarget.formats.request import Request
from retarget.formats.variables import chosen
from retarget.messages import Message

MOST_CHARACTERS: Final = 1024  # of the body's variables together
_NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}))?.*")
_NONE: Final[Mapping[str, str]] = {}


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """As approved: its name, its languages, the first for everybody else, and its variables in order."""

    name: str
    languages: tuple[str, ...]
    variables: tuple[str, ...] = ()


def request_of(
    message: Message, to: Mapping[str, object], template: Template, *, sender: str,
    said: Mapping[str, str] = _NONE,
) -> Request:  # fmt: skip
    """`POST /SENDER/messages`, where `sender` is the id of the shop's number. Raises Unsendable.

    `said` are variables as the person writes them, such as amounts and times.
    """
    reading.only(message, "send")
    if not _NAME.fullmatch(template.name) or not template.languages:
        raise Unsendable(
            "bad_message", "a template has a name of small letters, digits and _, and a language"
        )
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": number_of(to.get("phone")),
        "type": "template",
        "template": {
            "name": template.name,
            "language": {"policy": "deterministic", "code": language_of(message, template)},
            "components": _components(message, template, said),
        },
        "biz_opaque_callback_data": message.message_id,
    }
    return Request(path=f"/{sender}/messages", body=body)


def language_of(message: Message, template: Template) -> str:
    """The person's own, as exactly as the template has it."""
    found = _LANGUAGE.fullmatch(message.locale or "")
    if found is not None:
        language, region = found[1].lower(), (found[2] or "").upper()
        for wanted in (f"{language}_{region}", language):
            if wanted in template.languages:
                return wanted
        for offered in template.languages:
            if offered.partition("_")[0] == language:
                return offered
    return template.languages[0]


def _components(message: Message, template: Template, said: Mapping[str, str]) -> list[dict[str, object]]:
    found = chosen(message, template.variables, said)
    if sum(map(len, found.values())) > MOST_CHARACTERS:
        raise Unsendable("too_large", f"the variables have more than {MOST_CHARACTERS} characters together")
    if not found:
        return []
    return [{"type": "body", "parameters": [{"type": "text", "text": text} for text in found.values()]}]
