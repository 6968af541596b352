"""The settings of what makes a message personal, declared once each, as in `settings_declared`."""
# ruff: noqa: RUF009 - `setting(...)` is how a field is declared here

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from retarget.times import DAY
from streams.settings_kinds import Duration, Named, Names, SendersByName, masked
from streams.settings_source import open_settings, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Personal:
    """How messages speak to people."""

    language: Literal["none", "de", "en", "fr", "es", "nl", "it"] = setting(
        "none",
        "Language of people who have told no locale; none: they are greeted without a name, in English.",
        because="a greeting in the wrong language is worse than one without a name",
    )
    formality: Literal["formal", "informal"] = setting(
        "formal", "How people are addressed who have not told by the trait `formality`."
    )
    sender_seed: Named = setting(
        "retarget", "Chooses which of `senders.*` writes to whom; another seed chooses otherwise."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Senders:
    """Who of the shop writes to people; each person keeps theirs. Without any, messages name none."""

    by_id: SendersByName = open_settings(
        {},
        'Senders by an id of yours, such as maria = { name = "Maria Muster", role = "Advice" }.',
        because="people answer to people",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Purl:
    """The link of each message, which leads to its products and nobody else can make."""

    base: str = setting(
        "",
        "Where people reach /p/ of `retarget collect`, as https://go.shop.example/p/; empty: no links.",
    )
    keys: Names = setting(
        (),
        "Secrets that links are sealed by: the first seals, all open; the same in workers and collectors.",
        because="a new one is put before the others, and an old one taken out when its links have expired",
        mask=masked,
    )
    lasts: Duration = setting(30 * DAY, "How long a link leads anywhere, from when its message leaves.")
