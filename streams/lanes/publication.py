"""Publications: bundles as bytes that any worker can make the bundle of again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from retarget.errors import BadInput
from retarget.rules.model import Rule
from retarget.rules.parse import Document, parse_rules
from retarget.rules.product_sets import self_contained
from retarget.rules.vocabulary import VOCABULARY
from streams.lanes.bundle import Bundle, build, bundle_id, bundle_of
from streams.lanes.pools import CODES, as_shelved, deciding
from streams.lanes.rollout import Rollout
from streams.settings import PURL_KEYS, SECRET, Settings, fingerprint, load_settings


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that a share of the people get instead."""

    share: float
    rules: list[dict[str, Any]]


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """Rules as their authors wrote them, and the settings that decide, as texts."""

    build: list[str]  # versions of retarget and tzdata that shelved it; part of the id
    settings: dict[str, str]
    rules: list[dict[str, Any]]
    schema: int = 1
    former: list[dict[str, Any]] = []  # earlier versions that may have episodes to finish, the oldest first
    canary: Canary | None = None

    @property
    def names(self) -> list[str]:
        """The names of its rules, those of a canary too, sorted."""
        rules = [*self.rules, *(self.canary.rules if self.canary is not None else ())]
        return sorted({str(rule.get("rule")) for rule in rules})


_decoder: Final = msgspec.json.Decoder(Publication)


def publication_of(settings: Settings, documents: Sequence[Document]) -> Publication:
    """What is shelved of these rules, which must be right."""
    rules: Any = [self_contained(document) for document in documents]
    return Publication(build=build(), settings=deciding(settings), rules=rules)


def encode(publication: Publication) -> bytes:
    """JSON, for `retarget tail`; the producer compresses it."""
    return msgspec.json.encode(publication)


def decode(bundle: str, value: bytes) -> Publication:
    """A shelved publication. Raises BadInput for one that this build cannot read."""
    try:
        return _decoder.decode(value)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            [f"bundle {bundle}: cannot be read ({error}); deploy the build that wrote it"]
        ) from error


def rules_of(bundle: str, publication: Publication) -> tuple[Rule, ...]:
    """Its rules. Raises BadInput when this build refuses one."""
    return parse_rules([Document(f"bundle {bundle}", data) for data in publication.rules], VOCABULARY)


def rollout_of(bundle: str, publication: Publication) -> Rollout:
    """What it holds beside the rules. Raises BadInput when this build refuses one."""
    former = [parse(bundle, data) for data in publication.former]
    canary = publication.canary
    if canary is None:
        return Rollout(tuple(former))
    documents = [Document(f"bundle {bundle}", data) for data in canary.rules]
    return Rollout(tuple(former), parse_rules(documents, VOCABULARY), canary.share)


def parse(bundle: str, data: dict[str, Any]) -> Rule:
    """One rule of a bundle. Raises BadInput when this build refuses it."""
    return parse_rules([Document(f"bundle {bundle}", data)], VOCABULARY)[0]


def understood(bundle: str, publication: Publication) -> tuple[Rule, ...]:
    """Its rules, as whoever shelved it meant them.

    Raises BadInput when this build refuses one, or understands them otherwise than the one that shelved them.
    """
    rules = rules_of(bundle, publication)
    found = bundle_id(publication.build, publication.settings, rules, rollout_of(bundle, publication))
    if found != bundle:
        remedy = f"deploy retarget {' with tzdata '.join(publication.build)}, which wrote it"
        raise BadInput([f"bundle {bundle}: this build understands it otherwise, as {found}; {remedy}"])
    return rules


def id_of(publication: Publication) -> str:
    """The id that its content has. Raises BadInput."""
    name = "to be published"
    rules, rollout = rules_of(name, publication), rollout_of(name, publication)
    return bundle_id(publication.build, publication.settings, rules, rollout)


class Own(NamedTuple):
    """What each worker has itself, since no topic holds it; `apart` is `identity.apart`, for all batches."""

    secret: str = ""  # offers.secret
    apart: Sequence[str] = ()
    purl_keys: Sequence[str] = ()
    codes: Mapping[str, str] = MappingProxyType({})  # the files of offers.codes


NOTHING_OWN: Final = Own()


def own_of(settings: Settings) -> Own:
    """What this worker has."""
    offers, identity = settings.offers, settings.identity
    return Own(offers.secret, identity.apart, settings.purl.keys, offers.codes)


def bundle_from(
    bundle: str, publication: Publication, topics: Sequence[str], lanes: int, own: Own = NOTHING_OWN
) -> Bundle:
    """The bundle, ready to run, for these input topics in one of so many lanes.

    Raises BadInput when this build refuses settings, or makes offers or links by other secrets or codes than
    the one that shelved them, and what `understood` raises.
    """
    rules = understood(bundle, publication)
    rollout = rollout_of(bundle, publication)
    every = (*rules, *rollout.former, *rollout.canary)
    said = publication.settings.get(SECRET, "")
    if said != fingerprint(own.secret) and any(step.offers for rule in every for step in rule.steps):
        raise BadInput(
            [f"bundle {bundle}: its codes are by another {SECRET}; set the one that it was shelved by"]
        )
    settings = _settings(
        publication,
        bundle,
        topics,
        {SECRET: own.secret, PURL_KEYS: _signing(bundle, publication, own.purl_keys)},
    )
    pools = as_shelved(bundle, publication.settings.get(CODES, ""), own.codes)
    made = bundle_of(settings, rules, topics, lanes=lanes, rollout=rollout, pools=pools)
    return made._replace(id=bundle, policy=replace(made.policy, apart=frozenset(own.apart)))


def _signing(bundle: str, publication: Publication, keys: Sequence[str]) -> str:
    """Which of the keys its links are sealed by. Raises BadInput when it is none of them."""
    said = publication.settings.get(PURL_KEYS, "")
    found = next((key for key in keys if fingerprint(key) == said), "")
    if said and not found:
        raise BadInput(
            [f"bundle {bundle}: its links are by none of {PURL_KEYS}; keep the former key behind the new one"]
        )
    return found


def _settings(
    publication: Publication, bundle: str, topics: Sequence[str], secrets: Mapping[str, str]
) -> Settings:
    """The settings that decide, and the input topics; the others are of no account here."""
    presets = {**publication.settings, "kafka.input_topics": ",".join(topics), **secrets}
    try:
        return load_settings(presets=presets, past=True)
    except BadInput as error:
        raise BadInput([f"bundle {bundle}: {problem}" for problem in error.problems]) from error


def settings_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """A sentence for each setting that decides otherwise."""
    names = sorted(before.keys() | after.keys())
    return [
        f"{name}: {after.get(name, 'not set')} instead of {before.get(name, 'not set')}"
        for name in names
        if before.get(name) != after.get(name)
    ]
