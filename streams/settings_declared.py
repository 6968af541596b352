"""The settings of the engine, declared once each: type, default, meaning and reason."""
# ruff: noqa: RUF009 - `setting(...)` is how a field is declared here

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from retarget.times import DAY, HOUR, MINUTE, SECOND
from streams.settings_kinds import (
    Count,
    Duration,
    Limit,
    LimitsByName,
    Named,
    Names,
    Pairs,
    RatesByName,
    Share,
    SomeNames,
    TimeOfDay,
    Zone,
    masked,
    masked_url,
    whole,
)
from streams.settings_source import open_settings, setting

Dialect = Literal[
    "auto", "canonical", "segment", "ga4", "snowplow", "meta", "braze", "cloudevents", "criteo"
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """Who this worker is."""

    id: Named = setting(
        "retarget",
        "Name of the engine: the consumer group, the start of transactional ids and of keys in the store.",
        because="two engines with one name would fence each other",
    )
    worker_id: str = setting(
        "",
        "Name of this worker within the engine, the same after a restart; empty: the name of the machine.",
        because="a worker that comes back under its name gets its lanes back without a rebalance",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Kafka:
    """The broker and the topics."""

    bootstrap: Named = setting("localhost:9092", "Addresses of the first brokers to ask, with commas.")
    emit: Literal["transactional", "idempotent"] = setting(
        "transactional",
        "How messages leave: in transactions, or with headers by which consumers drop repeats.",
        because="idempotent is for brokers without transactions; see docs on delivery guarantees",
    )
    partitions: Count = setting(
        8,
        "Partitions of every input topic, thus the number of lanes.",
        because="a person's lane, and all state there, follows from it; `retarget repartition` changes it",
    )
    replication: Annotated[int, whole(-1)] = setting(
        -1, "Copies of every topic that is created; -1: 3, or as many as there are brokers."
    )
    input_topics: SomeNames = setting(
        ("touchpoints",), "Topics with touchpoints; all have the same number of partitions."
    )
    catalogue_topic: Named = setting("catalogue", "Topic with prices and stock; any number of partitions.")
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = setting(
        "plaintext", "How the connection is secured."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "SCRAM-SHA-512", "How the password is proven, when `kafka.security` begins with sasl."
    )
    sasl_user: str = setting("", "User name at the broker.")
    sasl_password: str = setting(
        "", "Password at the broker; better in the environment than in a file.", mask=masked
    )
    ca_file: str = setting("", "File with the broker's certificate authority; empty: the machine's own.")


# How an address of a server may begin, with what it means to redis-py; so may that of those who watch it.
SERVERS: Final[Mapping[str, str]] = {
    "redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss",
}  # fmt: skip
WATCHED: Final = "+sentinel"
STORE_SCHEMES: Final = (*SERVERS, "unix", *(f"{name}{WATCHED}" for name in SERVERS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """Redis or Valkey."""

    url: Named = setting(
        "redis://localhost:6379/0",
        "Address of the store: `redis://`, `rediss://`, or `redis+sentinel://HOST:PORT,HOST:PORT/NAME`.",
        mask=masked_url,
    )
    compress: Literal["none", "zstd", "columns"] = setting(
        "none",
        "How journeys are compressed in the store; `columns`: laid out before. All forms are read.",
        because="18 KB become 7 for 45 us of CPU to write and read them, and 3 for 1,300 as columns",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Copies of all lanes, from which they come back when the store is lost."""

    folder: str = setting(
        "",
        "Folder of the snapshots, the same for `retarget snapshot` and all workers; empty: none.",
        because="without one, a lost store comes back only while Kafka has all inputs from the beginning",
    )
    every: Duration = setting(
        0,
        "`retarget snapshot` goes on and makes one as often as this; 0: it makes one and ends.",
        because="each begins at the former one, so it must be younger than what inputs are kept for",
    )
    keep: Count = setting(3, "Snapshots that are kept; when one is written, older ones are removed.")
    erased_kept: Duration = setting(
        400 * DAY,
        "How long it is known beside the snapshots, as keyed hashes, who was erased.",
        because="longer than any snapshot or backup of one may be brought back",
    )
    merge_kept: Duration = setting(
        30 * DAY,
        "How long at least lanes' words to each other are kept; older ones go with snapshots; 0: for ever.",
        because="they hold histories of anonymous people, and a store that fails over may go back a little",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Where the rules are."""

    dir: str = setting("", "Folder with the rules' YAML files; empty: the rules that ship.")
    source: Literal["folder", "topic"] = setting(
        "folder",
        "Which rules a worker decides by: those of the folder when it starts, or those that were published.",
        because="`retarget rules publish` changes the rules of all workers at once, without a restart",
    )
    unknown: Literal["refuse", "newest"] = setting(
        "refuse",
        "What a claim does with batches whose bundle is lost: stand still, or repeat them by the newest.",
        because="other rules may come to other messages than those that went out",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """The clock of a lane."""

    lateness: Duration = setting(
        2 * SECOND,
        "How far the clock stays behind the largest event time, so that displaced events are put in order.",
        because="most producers send within a second or two; every message waits for as long",
    )
    max_skew: Duration = setting(
        5 * MINUTE,
        "How far an event's time may lie after its record's timestamp before it is clamped to that.",
        because="phones' clocks are wrong by minutes, not by hours",
    )
    max_age: Duration = setting(30 * DAY, "Events older than this, by the clock, open nothing any more.")
    idle: Literal["wall", "heartbeat", "off"] = setting(
        "wall",
        "What moves the clock of a lane that is caught up and idle: the wall clock, heartbeats, nothing.",
    )
    idle_after: Duration = setting(1 * SECOND, "How long a lane is without events before it counts as idle.")
    now: Literal["wall", "event"] = setting(
        "wall",
        "What counts as now: the wall clock, or the lane's clock.",
        because="event is for loads of old data, whose messages would all be stale by the wall clock",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """When a message may still go out."""

    max_delay: Duration = setting(
        1 * HOUR,
        "A step that is due longer ago than this is suppressed as stale.",
        because="after an outage of days nobody gets three reminders in a minute",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """How touchpoints are read."""

    dedupe_window: Duration = setting(
        24 * HOUR, "An event id counts as a repeat for this long, and at least among the last 128."
    )
    dialect: Dialect = setting("auto", "The form of the events; auto: recognised by content.")
    dialect_by_topic: Pairs = setting({}, "Topics with a dialect of their own, as TOPIC=DIALECT.")
    max_bytes: Count = setting(
        1_000_000,
        "Records longer than this are dead letters.",
        because="Kafka's own default limit; longer ones would block a lane",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who is whom."""

    nobody: Names = setting(
        (
            "null",
            "nil",
            "none",
            "undefined",
            "nan",
            "[object object]",
            "guest",
            "anonymous",
            "unknown",
            "(not set)",
            "not_set",
            "00000000-0000-0000-0000-000000000000",
            "test@test.com",
            "test@example.com",
        ),
        "Ids that stand for no one person, in letters of any size: they join nobody, and are nobody's.",
        because="what producers send where they know nobody would make one person of everybody",
    )
    apart: Names = setting(
        (),
        "Anonymous ids that are people of their own, whoever they are said to be; a replay takes them apart.",
        because="a wrong identify that has joined two people is undone so, by an operator (docs/runbook.md)",
    )
    most: Count = setting(
        50,
        "Anonymous ids that are joined to one person at most; further ones stay people of their own.",
        because="a till or a call centre meets thousands of devices; people have a few",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """What counts as consent."""

    assume: Literal["denied", "granted"] = setting(
        "denied", "What a person gets who never said anything.", because="marketing needs a granted consent"
    )
    double_opt_in: Names = setting(
        (),
        "Channels on which a granted consent for marketing counts only when it is confirmed.",
        because="whoever types an address need not be its owner",
    )
    confirmed_by: str = setting(
        "", "Rule whose message asks for the confirmation: a click in it gives it; empty: none does."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietHours:
    """When marketing rests, in the person's own zone."""

    enabled: bool = setting(default=True, sentence="Whether messages wait for the morning.")
    start: TimeOfDay = setting(21 * HOUR, "First moment of the quiet hours.")
    end: TimeOfDay = setting(8 * HOUR, "First moment after the quiet hours.")
    zone: Zone = setting("UTC", "Zone of people whose profile and location tell none.")
    spread: Duration = setting(
        30 * MINUTE,
        "Messages of the night leave spread over this time after the end.",
        because="channel services and shops need not stand a flood at eight sharp",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Caps:
    """How many messages a person gets, in rolling windows; `total` counts all marketing."""

    limits: LimitsByName = open_settings(
        {"total": (Limit(3, 24 * HOUR), Limit(8, 7 * DAY)), "direct_mail": (Limit(1, 30 * DAY),)},
        "Caps by `total`, channel, purpose or tag, as COUNT/DURATION; off: none.",
        because="more than this and people unsubscribe",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Channels:
    """How people are reached."""

    external: Names = setting(
        ("email", "push", "ads", "sms", "whatsapp", "direct_mail", "service"),
        "Channels whose service looks up the address of an identified person by itself.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """How fast messages leave on each channel, all lanes together."""

    by_channel: RatesByName = open_settings(
        {"email": None},
        "Rates by channel, as COUNT/DURATION; off: none. Each lane paces its share by `not_before`.",
        because="mail providers and print shops take only so many at once; a rate delays and never drops",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldOut:
    """The control group over all rules; rules may have one of their own."""

    global_: Share = setting(
        0.0, "Share of people who get no marketing at all, so that its effect can be measured."
    )
    salt: Named = setting("retarget", "Chooses the people; another salt chooses others.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arbitration:
    """Which of several messages a person gets."""

    window: Duration = setting(
        0,
        "Marketing to one person that comes within this time competes: only what has the most value is sent.",
        because="it delays every marketing message by as much; 0: nothing waits, and nothing competes",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """When rules pause by themselves."""

    purchase_silence: Duration = setting(
        0,
        "Guarded rules pause while a lane has heard of no purchase for longer than this; 0: they never do.",
        because="set it to several times the longest that a lane goes without one, nights included",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """What the shop tells of its products."""

    enabled: bool = setting(
        default=True,
        sentence="Whether the shop tells prices and stock; false: no rule may ask for them.",
        because="who follows which product is written down else, which costs up to a fifth of an event",
    )
    currency: str = setting(
        "",
        "Currency of the catalogue's prices, such as EUR; empty: that in which the person saw the product.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """How much a lane takes at once."""

    records: Count = setting(10_000, "A batch is full with this many records.")
    persons: Count = setting(
        1_000,
        "A batch is full with this many people.",
        because="one call to the store takes 500 to 1,000 journeys well",
    )
    wait: Duration = setting(30, "A batch is cut after this when little comes in.")
    waits: Count = setting(1_000, "A jump of the clock is worked off in portions of this many waits.")
    cached_persons: Count = setting(
        10_000,
        "Journeys a lane keeps in memory.",
        because="in Python one takes 5 to 50 KB, by what its person does",
    )
