"""The bundle: rules and deciding settings, made ready to run once and shared by all lanes of a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from retarget.dialects import WITH_HEADERS
from retarget.engine.door import Engine
from retarget.engine.policy import Cap, Policy, QuietHours
from retarget.engine.pools import Pool
from retarget.engine.split import Part, SplitEngine
from retarget.errors import BadInput
from retarget.lane.intake import Decode, FromCatalogue, Intake
from retarget.lane.lane import Lane
from retarget.rules.matcher import Matcher
from retarget.rules.model import Rule
from retarget.times import MINUTE
from streams.lanes.pools import deciding, read, require
from streams.lanes.rollout import NOTHING, Rollout
from streams.lanes.zones import zone_of
from streams.links.tokens import Seal
from streams.reading import decoder_of, dialect_of
from streams.settings import Settings
from streams.topics import FANNED, MERGE, lane_of


class Bundle(NamedTuple):
    """All that decides: content-addressed, so that the journal can name what a batch was decided by."""

    id: str
    matcher: Matcher
    policy: Policy
    lateness: int
    max_skew: int
    now_is_clock: bool
    decoders: Mapping[str, Decode]
    catalogue: str
    listed: FromCatalogue
    canary: tuple[Matcher, Part] | None = None
    with_headers: frozenset[str] = frozenset()
    # As one of so many lanes that tell each other of people, though it has another input; 0: by its topics.
    over: int = 0

    @property
    def crosses(self) -> bool:
        """Whether there are other lanes."""
        return bool(self.over) or not self.listed.loops

    def lane(self, partition: int) -> Lane:
        """A lane with nothing in it."""
        engine = Engine(self.matcher)
        if self.canary is not None:
            matcher, part = self.canary
            engine = SplitEngine(engine, Engine(matcher), part, self.policy.hold_out_salt)
        return Lane(
            engine,
            self.policy,
            self.lateness,
            now_is_clock=self.now_is_clock,
            partition=partition,
            home=partial(lane_of, lanes=self.over or self.listed.lanes) if self.crosses else None,
        )

    def intake(self, partition: int) -> Intake:
        """The decoding of one lane's records."""
        crossed = MERGE if self.crosses else ""
        return Intake(
            partition, self.decoders, self.max_skew, self.listed, crossed, with_headers=self.with_headers
        )


def bundle_of(
    settings: Settings,
    rules: Sequence[Rule],
    topics: Sequence[str],
    *,
    lanes: int | None = None,
    rollout: Rollout = NOTHING,
    pools: Mapping[str, Pool] | None = None,
) -> Bundle:
    """Everything that decides, from the settings and the rules; `pools` instead of those of the settings.

    `lanes` share rates and ceilings, and each listens for its own purchases: as many as there are partitions
    unless said; 0: there are no rates, ceilings or guard.
    """
    said = settings.deciding() if pools is not None else deciding(settings)
    if pools is None:
        pools = read(settings.offers.codes)
    require((*rules, *rollout.former, *rollout.canary), pools)
    decoders = {topic: decoder_of(settings, topic) for topic in topics}
    matcher, canary = rollout.matcher(rules), rollout.of_canary(rules)
    if not settings.catalogue.enabled:
        for one in (matcher, *(canary[:1] if canary is not None else ())):
            _leave_out_catalogue(one)
    return Bundle(
        id=bundle_id(build(), said, rules, rollout),
        matcher=matcher,
        policy=policy_of(settings, settings.kafka.partitions if lanes is None else lanes, pools),
        lateness=settings.clock.lateness,
        max_skew=settings.clock.max_skew,
        now_is_clock=settings.clock.now == "event",
        decoders=decoders,
        canary=canary,
        with_headers=frozenset(topic for topic in topics if dialect_of(settings, topic) in WITH_HEADERS),
        catalogue=settings.kafka.catalogue_topic,
        listed=FromCatalogue(
            topic=FANNED,
            origin=settings.kafka.catalogue_topic,
            lanes=settings.kafka.partitions if lanes is None else lanes,
            max_bytes=settings.input.max_bytes,
            loops=not set(topics) & set(settings.kafka.input_topics),
        ),
    )


def _leave_out_catalogue(matcher: Matcher) -> None:
    asking = [one.rule.name for one in matcher.rules.values() if one.asks_catalogue]
    if asking:
        raise BadInput(
            [
                f"rule {name}: it asks what the catalogue says, and catalogue.enabled is false; "
                f"set it to true or leave the rule out"
                for name in sorted(asking)
            ]
        )
    matcher.without_catalogue()


def build() -> list[str]:
    """What code decides: the versions of retarget and of the time zones' data."""
    return [version("retarget"), version("tzdata")]


def bundle_id(
    by: Sequence[str], deciding: Mapping[str, str], rules: Sequence[Rule], rollout: Rollout = NOTHING
) -> str:
    """The address of this content: 16 hex digits, the same wherever and however it was written."""
    names = sorted((rule.name, rule.version) for rule in rules)
    said = msgspec.json.encode([by, deciding, names, *rollout.said()])
    return blake2b(said, digest_size=8).hexdigest()


def policy_of(settings: Settings, lanes: int, pools: Mapping[str, Pool]) -> Policy:
    """The settings that gates look at, in one of so many lanes."""
    quiet = settings.quiet_hours
    caps = {name: tuple(Cap(*limit) for limit in limits) for name, limits in settings.caps.limits.items()}
    return Policy(
        zone_of=zone_of,
        max_age=settings.clock.max_age,
        kept=settings.retention.known,
        kept_anonymous=settings.retention.anonymous,
        dedupe_window=settings.input.dedupe_window,
        max_delay=settings.delivery.max_delay,
        consent_assumed=settings.consent.assume == "granted",
        double_opt_in=frozenset(settings.consent.double_opt_in),
        confirmed_by=settings.consent.confirmed_by,
        external=frozenset(settings.channels.external),
        quiet_hours=QuietHours(
            enabled=quiet.enabled,
            start=quiet.start // MINUTE,
            end=quiet.end // MINUTE,
            zone=quiet.zone,
            spread=quiet.spread,
        ),
        caps_total=caps.pop("total", ()),
        caps=caps,
        hold_out=settings.hold_out.global_,
        hold_out_salt=settings.hold_out.salt,
        pace=_pace(settings, lanes),
        lanes=lanes,
        arbitration=settings.arbitration.window,
        purchase_silence=settings.guard.purchase_silence if lanes else 0,
        offer_secret=settings.offers.secret,
        pools=pools,
        open_codes=settings.offers.open_codes,
        nobody=frozenset(name.strip().casefold() for name in settings.identity.nobody),
        most_joined=settings.identity.most,
        apart=frozenset(settings.identity.apart),
        shops=tuple(place._replace(id=name) for name, place in sorted(settings.shops.by_id.items())),
        language=settings.personal.language.replace("none", ""),
        formal=settings.personal.formality == "formal",
        senders=tuple(replace(one, id=name) for name, one in sorted(settings.senders.by_id.items())),
        sender_seed=settings.personal.sender_seed,
        catalogue_currency=settings.catalogue.currency,
        purl_base=settings.purl.base,
        purl_lasts=settings.purl.lasts,
        seal=Seal(settings.purl.keys[0]) if settings.purl.base else None,
    )


def _pace(settings: Settings, lanes: int) -> dict[str, int]:
    """The distance between two messages of a channel in one lane, us, never too short."""
    if not lanes:
        return {}
    rates = settings.rates.by_channel.items()
    return {name: -(-rate.window * 1000 * lanes // rate.most) for name, rate in rates if rate is not None}
