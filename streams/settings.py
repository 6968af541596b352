"""The settings of a worker: loaded from all sources, checked at once, and described."""
# ruff: noqa: RUF009 - every section is frozen, so one default serves all

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args, get_type_hints
from urllib.parse import urlsplit

from retarget.errors import BadInput
from retarget.rules import model
from retarget.rules.currencies import CURRENCIES
from retarget.rules.names import unknown
from retarget.times import DAY, HOUR, MINUTE
from streams.settings_declared import (
    STORE_SCHEMES,
    App,
    Arbitration,
    Batch,
    Caps,
    Catalogue,
    Channels,
    Clock,
    Consent,
    Delivery,
    Guard,
    HoldOut,
    Identity,
    Input,
    Kafka,
    QuietHours,
    Rates,
    Rules,
    Snapshot,
    Store,
)
from streams.settings_messages import Offers, Personal, Privacy, Purl, Retention, Senders, Shops, Topics
from streams.settings_services import (
    Ads,
    Channel,
    Chat,
    Collect,
    DirectMail,
    Email,
    Log,
    Onsite,
    Push,
    Sms,
    Web,
    Whatsapp,
)
from streams.settings_source import (
    CONFIG,
    Declared,
    declaration_of,
    declared_in,
    gather,
    of_environment,
    of_file,
    of_flags,
    of_presets,
)


class Row(NamedTuple):
    """One line of `retarget settings`, with its secret masked."""

    key: str
    value: str
    source: str
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings of one worker; `sources` says where each key's value came from."""

    app: App = App()
    kafka: Kafka = Kafka()
    store: Store = Store()
    snapshot: Snapshot = Snapshot()
    rules: Rules = Rules()
    clock: Clock = Clock()
    delivery: Delivery = Delivery()
    input: Input = Input()
    identity: Identity = Identity()
    consent: Consent = Consent()
    quiet_hours: QuietHours = QuietHours()
    caps: Caps = Caps()
    channels: Channels = Channels()
    rates: Rates = Rates()
    hold_out: HoldOut = HoldOut()
    arbitration: Arbitration = Arbitration()
    guard: Guard = Guard()
    catalogue: Catalogue = Catalogue()
    offers: Offers = Offers()
    shops: Shops = Shops()
    personal: Personal = Personal()
    senders: Senders = Senders()
    purl: Purl = Purl()
    retention: Retention = Retention()
    topics: Topics = Topics()
    privacy: Privacy = Privacy()
    batch: Batch = Batch()
    web: Web = Web()
    collect: Collect = Collect()
    channel: Channel = Channel()
    email: Email = Email()
    push: Push = Push()
    ads: Ads = Ads()
    sms: Sms = Sms()
    whatsapp: Whatsapp = Whatsapp()
    onsite: Onsite = Onsite()
    chat: Chat = Chat()
    direct_mail: DirectMail = DirectMail()
    log: Log = Log()
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def describe(self) -> tuple[Row, ...]:
        """Every key with its value, source and sentence, in the order of declaration, secrets masked."""
        return tuple(
            Row(key, declared.shown(value), self.sources.get(key, "default"), declared.sentence)
            for key, declared, value in self._rows()
        )

    def deciding(self) -> dict[str, str]:
        """The settings that decide what is sent, as texts that `load_settings` takes back as presets.

        Of secrets a fingerprint, which tells only whether two are the same.
        """
        return {
            key: fingerprint(_told(value)) if declared.mask else declared.kind.write(value)
            for key, declared, value in self._rows()
            if key.partition(".")[0] in DECIDING
        }

    def _rows(self) -> list[tuple[str, Declared, object]]:
        rows: list[tuple[str, Declared, object]] = []
        for key, declared in DECLARED.items():
            section, _, _ = key.partition(".")
            value = getattr(getattr(self, section), declared.attribute)
            each = value.items() if declared.open else [(None, value)]
            rows += [(f"{section}.{name}" if name else key, declared, one) for name, one in each]
        return rows


SECTIONS: Final[Mapping[str, type]] = {
    name: section for name, section in get_type_hints(Settings).items() if name != "sources"
}
DECLARED: Final[Mapping[str, Declared]] = declared_in(SECTIONS)
# A batch that is replayed must find these as they were, so the journal's bundle holds them.
DECIDING: Final = frozenset(
    {
        "clock",
        "delivery",
        "input",
        "identity",
        "consent",
        "quiet_hours",
        "caps",
        "channels",
        "rates",
        "hold_out",
        "arbitration",
        "guard",
        "catalogue",
        "offers",
        "shops",
        "personal",
        "senders",
        "purl",
        "retention",
    }
)
_CHANNELS: Final[tuple[str, ...]] = get_args(model.Channel)
GUESSED: Final = 16  # a secret of fewer characters can be
_LONGEST_LINK: Final = 400 * DAY
_LONGEST_KEPT: Final = 4_000 * DAY
SECRET: Final = "offers.secret"  # noqa: S105 - its name
PURL_KEYS: Final = "purl.keys"


def _told(secret: object) -> str:
    """A secret as one text; of several the first, by which things are made."""
    return str(next(iter(secret), "")) if isinstance(secret, tuple) else str(secret)


def fingerprint(secret: str) -> str:
    """By which a secret is known again without being told; of none the empty text."""
    return blake2b(secret.encode(), digest_size=8, person=b"retarget.setting").hexdigest() if secret else ""


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    *,
    presets: Mapping[str, str] | None = None,
    past: bool = False,
) -> Settings:
    """Defaults, then `presets` (a command's own), the file, the environment, `--set`; the last one wins.

    Without `config` the file is the one that RETARGET_CONFIG names. `past`: the presets are a bundle's, in
    which a former version let names pass that nobody knows. Raises BadInput with every problem.
    """
    environ = environ or {}
    path = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    gathered = gather(
        DECLARED,
        (
            lambda: of_presets(presets or {}),
            lambda: of_file(path) if path else [],
            lambda: of_environment(environ, DECLARED),
            lambda: of_flags(overrides),
        ),
    )
    settings = _built(gathered.values, gathered.sources)
    if problems := [*_contradictions(settings), *(() if past else _unknown(settings))]:
        raise BadInput(problems)
    return settings


def _built(values: Mapping[str, object], sources: Mapping[str, str]) -> Settings:
    fields: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for key, declared in DECLARED.items():
        if declared.open:
            fields[key.removesuffix(".*")][declared.attribute] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        declared = DECLARED.get(key) or DECLARED[f"{section}.*"]
        if declared.open:
            fields[section][declared.attribute][name] = value
        else:
            fields[section][declared.attribute] = value
    built: dict[str, Any] = {name: section(**fields[name]) for name, section in SECTIONS.items()}
    return Settings(**built, sources=dict(sources))


def _contradictions(settings: Settings) -> list[str]:
    kafka, quiet, purl = settings.kafka, settings.quiet_hours, settings.purl
    dialects = settings.input.dialect_by_topic
    said = {
        "kafka.catalogue_topic": (
            kafka.catalogue_topic in kafka.input_topics,
            f"found {kafka.catalogue_topic!r}, which is also in kafka.input_topics; expected another topic",
        ),
        "kafka.input_topics": (
            any(topic.startswith("retarget.") for topic in kafka.input_topics),
            "found a topic of the engine's own output; expected names that do not begin with retarget.",
        ),
        "kafka.replication": (kafka.replication == 0, "found 0, expected -1 or at least 1"),
        "kafka.sasl_user": (
            kafka.security.startswith("sasl") and not (kafka.sasl_user and kafka.sasl_password),
            f"kafka.security is {kafka.security}; expected kafka.sasl_user and kafka.sasl_password with it",
        ),
        "quiet_hours.end": (
            quiet.enabled and quiet.start == quiet.end,
            "found the same time as quiet_hours.start; to have none set quiet_hours.enabled to false",
        ),
        "web.token": (
            0 < len(settings.web.token) < GUESSED,
            f"found {len(settings.web.token)} characters, which can be guessed; expected at least {GUESSED}",
        ),
        PURL_KEYS: (
            (bool(purl.base) and not purl.keys) or any(len(key) < GUESSED for key in purl.keys),
            f"found none, or one that can be guessed; expected at least {GUESSED} characters with purl.base",
        ),
        "privacy.keys": (
            any(len(key) < GUESSED for key in settings.privacy.keys),
            f"found one that can be guessed; expected at least {GUESSED} characters",
        ),
        **{
            f"retention.{name}": (not DAY <= kept <= _LONGEST_KEPT, "expected a day to 4000 days")
            for name, kept in dataclasses.asdict(settings.retention).items()
        },
        **{
            f"topics.{name}": (not HOUR <= kept <= _LONGEST_KEPT, "expected an hour to 4000 days")
            for name, kept in dataclasses.asdict(settings.topics).items()
        },
        "snapshot.merge_kept": (0 < settings.snapshot.merge_kept < HOUR, "expected 0, or at least an hour"),
        "purl.base": (
            bool(purl.base) and not _is_address(purl.base, end="/"),
            "found another form of address, expected https://… in ASCII with a / at its end",
        ),
        "purl.lasts": (not MINUTE <= purl.lasts <= _LONGEST_LINK, "expected a minute to 400 days"),
        "collect.purl_target": (
            bool(settings.collect.purl_target) and not _is_address(settings.collect.purl_target),
            "found another form of address, expected https://… in ASCII without #",
        ),
        "store.url": (
            settings.store.url.partition("://")[0] not in STORE_SCHEMES,
            f"found an address of another kind, expected {', '.join(STORE_SCHEMES)} and ://…",
        ),
        "input.dialect_by_topic": (
            any(_not_a_dialect(name) for name in dialects.values())
            or not dialects.keys() <= {*kafka.input_topics},
            "expected TOPIC=DIALECT with topics of kafka.input_topics and dialects of input.dialect",
        ),
    }
    return [f"{_place(settings, key)}: {sentence}" for key, (wrong, sentence) in said.items() if wrong]


def _unknown(settings: Settings) -> Iterator[str]:
    """Names of channels and currencies that nothing answers to: whatever they shall do would never happen."""
    external, currency = settings.channels.external, settings.catalogue.currency
    said = [(f"rates.{name}", "channel", name, _CHANNELS) for name in settings.rates.by_channel]
    said += [("channels.external", "channel", name, _CHANNELS) for name in external]
    said += [("catalogue.currency", "currency of ISO 4217", currency, CURRENCIES)] if currency else []
    for key, what, name, known in said:
        if name not in known:
            yield f"{_place(settings, key)}: {unknown(what, name, known)}"


def _is_address(text: str, end: str = "") -> bool:
    """Whether it is that of a web page as links and headers have it; without TLS only on this machine."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    plain = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    fits = (parts.scheme == "https" or plain) and bool(parts.hostname) and not parts.fragment
    return fits and text.isascii() and text.isprintable() and " " not in text and text.endswith(end)


def _not_a_dialect(name: str) -> bool:
    try:
        DECLARED["input.dialect"].kind.read(name)
    except ValueError:
        return True
    return False


def _place(settings: Settings, key: str) -> str:
    return f"{settings.sources.get(key, 'default')}: {key}"


def sentence_of(key: str) -> str:
    """What a key means, for help texts. Raises KeyError for an unknown one."""
    declared = declaration_of(key, DECLARED)
    if declared is None:
        raise KeyError(key)
    return declared.sentence
