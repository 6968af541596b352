"""The settings of what messages say, declared once each, as in `settings_declared`."""
# ruff: noqa: RUF009 - `setting(...)` is how a field is declared here

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from retarget.times import DAY
from streams.keeping import KEPT
from streams.settings_kinds import (
    Duration,
    Named,
    Names,
    Pairs,
    SendersByName,
    ShopsById,
    masked,
    whole,
)
from streams.settings_source import open_settings, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """Discounts that messages promise."""

    secret: str = setting(
        "",
        "What people's codes are worked out from; the same in all workers and where rules are published.",
        because="whoever knows it can work out the code of anybody whose events they know",
        mask=masked,
    )
    codes: Pairs = setting(
        {},
        "Files of codes that others have made, as POOL=PATH, a code a line; rules name the pool.",
        because="the shop may have to make them; a file may grow at its end and must not change else",
    )
    open_codes: Annotated[int, whole(0)] = setting(
        1,
        "Codes of a person that may be good at once, those of one series as one; 0: as many as rules give.",
        because="whoever has one needs no second, and the two may be added up; the message goes without",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Shops:
    """The shop's stores, each by its id: `mitte = "52.5245, 13.4100; Mitte; Berlin; Mo-Sa 10-20"`."""

    by_id: ShopsById = open_settings(
        {},
        "Stores by id. Messages to people whose place is known have the nearest as `context.nearest_store`.",
        because="who lives round the corner may rather come than order",
        names=re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    )


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
class Retention:
    """How long people are remembered of whom nothing is heard."""

    known: Duration = setting(
        400 * DAY,
        "So long after their last event known people are forgotten, but for consent and what is sent once.",
        because="a year, and some days more for who comes back once a year",
    )
    anonymous: Duration = setting(
        400 * DAY,
        "The same of people of whom nobody knows who they are.",
        because="shorter than `again` or a window of a rule, that rule may decide anew about who comes back",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Topics:
    """How long topics keep what is told of people; a record is gone a day after that at the latest."""

    inputs_kept: Duration = setting(
        30 * DAY,
        "How long your input topics keep records: `retarget erase --scan` holds what it finds against it.",
        because="they are yours: their retention is set where you make them, and told here",
    )
    messages_kept: Duration = setting(
        KEPT.messages,
        "How long the topics of the channels keep messages.",
        because="longer than one waits there: for its time, the rate, or a relay that is down",
    )
    decisions_kept: Duration = setting(
        KEPT.decisions, "How long decisions are kept, thus how far back `retarget explain` sees."
    )
    dead_kept: Duration = setting(
        KEPT.dead,
        "How long dead letters are kept, of the engine and of channel services.",
        because="as long as somebody may still mend and redrive them",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Privacy:
    """What is told of people outside the store, sealed by a key of each."""

    keys: Names = setting(
        (),
        "Secrets that people's keys are wrapped by: the first wraps, all open; none: nothing is sealed.",
        because="a key of each person that is gone makes all unreadable that was ever said of them",
        mask=masked,
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
