"""The bundles of a worker: shelved in Kafka, so that a replay finds the one that a batch was decided by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from retarget.errors import BadInput, LaneRefused, RetargetError
from retarget.rules.vocabulary import VOCABULARY
from streams.kafka.connection import KafkaAddress
from streams.kafka.shelf import Shelf
from streams.known_names import found_names
from streams.lanes.bundle import Bundle
from streams.lanes.pools import deciding
from streams.lanes.publication import (
    Publication,
    bundle_from,
    decode,
    encode,
    id_of,
    own_of,
    publication_of,
    settings_changes,
)
from streams.ports import UnknownOutcome
from streams.rulebook import load_documents, rules_dir
from streams.settings import Settings

log: Final = logging.getLogger("retarget.rules")

_LOOK_EVERY_S: Final = 0.5
_REMEDY: Final = (
    "the journal says that it decided batches which must be repeated: see RetargetLaneRefused in the runbook"
)


class ShelvedBundles:
    """Bundles of the topic. The newest is what is published, or for good the one it was given."""

    def __init__(self, shelf: Shelf, settings: Settings, newest: Bundle) -> None:
        self._shelf, self._newest = shelf, newest
        self._topics: Sequence[str] = settings.kafka.input_topics
        self._lanes, self._kept = settings.kafka.partitions, own_of(settings)
        self._follows = settings.rules.source == "topic"
        self._stands_in = settings.rules.unknown == "newest"
        self._own: Mapping[str, str] = deciding(settings)
        self._made: dict[str, Bundle] = {newest.id: newest}
        self._refused = ""

    def newest(self) -> Bundle:
        """See Bundles."""
        return self._newest

    async def named(self, bundle: str) -> Bundle:
        """See Bundles. With `rules.unknown` newest, that one stands in for one that is lost."""
        if bundle not in self._made:
            await self._shelf.refresh()
            try:
                self._made[bundle] = self._make(bundle)
            except BadInput as error:
                if not self._stands_in:
                    raise LaneRefused(f"{error}; {_REMEDY}") from error
                log.warning("%s; its batches are repeated by %s", error, self._newest.id)
                self._made[bundle] = self._newest
        return self._made[bundle]

    def refused(self) -> str:
        """See Bundles."""
        return self._refused

    async def watch(self) -> None:
        """See Bundles."""
        if self._follows:
            self._tell_settings()
        while self._follows:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self._shelf.refresh()
            except (UnknownOutcome, RetargetError) as problem:
                log.debug("the published rules cannot be read: %s", problem)
            else:
                self._look()

    def _look(self) -> None:
        pointer = self._shelf.published
        if pointer is None or pointer.bundle == self._refused:
            return
        if pointer.bundle == self._newest.id:
            self._refused = ""
            return
        try:
            self._newest = self._made[pointer.bundle] = self._make(pointer.bundle)
        except BadInput as error:
            self._refused = pointer.bundle
            log.error("published, but not taken up: %s; %s goes on", error, self._newest.id)  # noqa: TRY400
        else:
            self._refused = ""
            log.info("bundle %s is taken up, published at %s", pointer.bundle, pointer.at)
            self._tell_settings()

    def _tell_settings(self) -> None:
        """Say which settings of this worker are overruled."""
        bundle = self._newest.id
        published = content_of(self._shelf, bundle)
        for difference in settings_changes(self._own, published.settings):
            log.warning("bundle %s overrules a setting of this worker, %s", bundle, difference)

    def _make(self, bundle: str) -> Bundle:
        content = content_of(self._shelf, bundle)
        return bundle_from(bundle, content, self._topics, self._lanes, self._kept)


def content_of(shelf: Shelf, bundle: str) -> Publication:
    """What is shelved under this id. Raises BadInput when nothing is, or nothing that this build can read."""
    shelved = shelf.shelved.get(bundle)
    if shelved is None:
        raise BadInput([f"bundle {bundle} is not in the topic of rules"])
    return decode(bundle, shelved.value)


def own_publication(settings: Settings) -> Publication | None:
    """The rules of the folder; None when a worker follows what is published. Raises BadInput."""
    if settings.rules.source == "topic":
        return None
    documents, rules = load_documents([rules_dir(settings)], VOCABULARY, found_names(settings))
    for name in [rule.name for rule in rules if rule.on_change == "finish"]:
        log.warning(
            "rule %s: on_change: finish has no effect on rules from a folder, which has no former versions; "
            "publish them, with rules.source=topic", name,
        )  # fmt: skip
    return publication_of(settings, documents)


@asynccontextmanager
async def shelved_bundles(
    settings: Settings, address: KafkaAddress, own: Publication | None, *, shelve: bool = True
) -> AsyncIterator[ShelvedBundles]:
    """A worker's bundles; its own is shelved first, so that whoever comes after it finds it.

    Without `shelve` nothing is written: who decides nothing needs only those of others.
    Raises BadInput, also when nothing is published that could be followed, Unreachable, UnknownOutcome.
    """
    async with Shelf(address) as shelf:
        bundle = _published(shelf) if own is None else id_of(own)
        if own is not None and shelve:
            await shelf.put(bundle, encode(own))
        content = own or content_of(shelf, bundle)
        topics, lanes = settings.kafka.input_topics, settings.kafka.partitions
        newest = bundle_from(bundle, content, topics, lanes, own_of(settings))
        yield ShelvedBundles(shelf, settings, newest)


def _published(shelf: Shelf) -> str:
    if shelf.published is None:
        raise BadInput(
            ["rules.source: found topic, and no rules are published; `retarget rules publish` does it"]
        )
    return shelf.published.bundle
