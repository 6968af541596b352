"""Bundles: by which one a lane decides next, and the one that the journal names for a batch of before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from retarget.errors import BadInput, LaneRefused, RetargetError
from streams.kafka.shelf import Shelf
from streams.lanes.bundle import Bundle
from streams.lanes.publication import bundle_from, decode, settings_changes
from streams.ports import UnknownOutcome
from streams.settings import Settings

log: Final = logging.getLogger("retarget.rules")

_LOOK_EVERY_S: Final = 0.5


class Bundles(Protocol):
    """Where a lane's bundles come from."""

    def newest(self) -> Bundle:
        """The one by which batches are decided that begin now."""

    async def named(self, bundle: str) -> Bundle:
        """The bundle of that id. Raises LaneRefused when there is none, UnknownOutcome."""

    async def watch(self) -> None:
        """Mind what is published, until cancelled; returns at once where nothing can change."""


class OneBundle:
    """Always the same."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def newest(self) -> Bundle:
        """See Bundles."""
        return self._bundle

    async def named(self, bundle: str) -> Bundle:
        """See Bundles."""
        if bundle != self._bundle.id:
            raise LaneRefused(f"a batch was decided by bundle {bundle}, and there is only {self._bundle.id}")
        return self._bundle

    async def watch(self) -> None:
        """See Bundles."""


class ShelvedBundles:
    """Bundles of the topic. The newest is the one published, or for good the one it was given."""

    def __init__(
        self, shelf: Shelf, topics: Sequence[str], newest: Bundle, *, follows: bool, lenient: bool
    ) -> None:
        """`follows`: take up what is published. `lenient`: the newest stands in for one that is not there."""
        self._shelf, self._topics, self._newest = shelf, tuple(topics), newest
        self._follows, self._lenient = follows, lenient
        self._made: dict[str, Bundle] = {newest.id: newest}
        self._refused = ""

    def newest(self) -> Bundle:
        """See Bundles."""
        return self._newest

    async def named(self, bundle: str) -> Bundle:
        """See Bundles."""
        found = self._made.get(bundle)
        if found is not None:
            return found
        await self._shelf.refresh()
        try:
            return self._make(bundle)
        except BadInput as error:
            if not self._lenient:
                raise LaneRefused(f"{error}; {_REMEDY}") from error
            log.warning("%s; its batches are repeated by bundle %s", error, self._newest.id)
            return self._newest

    async def watch(self) -> None:
        """See Bundles."""
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
        if pointer is None or pointer.bundle in (self._newest.id, self._refused):
            return
        try:
            self._newest = self._make(pointer.bundle)
        except BadInput as error:
            self._refused = pointer.bundle
            log.error("published, but not taken up: %s; bundle %s goes on", error, self._newest.id)  # noqa: TRY400
        else:
            self._refused = ""
            log.info("bundle %s is taken up, published at %s", pointer.bundle, pointer.at)

    def _make(self, bundle: str) -> Bundle:
        shelved = self._shelf.shelved.get(bundle)
        if shelved is None:
            raise BadInput([f"bundle {bundle} is not in the topic"])
        self._made[bundle] = bundle_from(bundle, decode(bundle, shelved.value), self._topics)
        return self._made[bundle]


_REMEDY: Final = (
    "the journal names it, so batches of the lane must be repeated by it: see RetargetLaneRefused in the "
    "runbook, or set rules.unknown=newest to have them repeated by the rules of now"
)


async def following(shelf: Shelf, settings: Settings) -> ShelvedBundles:
    """Bundles for workers with `rules.source` topic. Raises BadInput when none is published."""
    pointer, topics = shelf.published, settings.kafka.input_topics
    if pointer is None or pointer.bundle not in shelf.shelved:
        raise BadInput(
            ["rules.source is topic, and no rules are published; `retarget rules publish` does it"]
        )
    publication = decode(pointer.bundle, shelf.shelved[pointer.bundle].value)
    for difference in settings_changes(settings.deciding(), publication.settings):
        log.warning("bundle %s decides by %s, as set here", pointer.bundle, difference)
    newest = bundle_from(pointer.bundle, publication, topics)
    return ShelvedBundles(shelf, topics, newest, follows=True, lenient=settings.rules.unknown == "newest")
