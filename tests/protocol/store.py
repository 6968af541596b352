"""The store as one lane sees it: images that follow each other, and that may be lost or brought back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from retarget.engine.ceilings import Granted
from streams.lanes import positions
from streams.ports import Ask, Checkpoint


class Image(NamedTuple):
    """All that the store holds at one time; never changed."""

    sequence: int = 0
    meta: bytes = b""
    journeys: Mapping[str, bytes] = {}
    waits: Mapping[str, int] = {}
    listings: Mapping[str, bytes] = {}
    followers: frozenset[tuple[str, str]] = frozenset()
    granted: Mapping[tuple[str, int], int] = {}  # (rule, window) -> what the lane has of its ceiling

    def after(self, checkpoint: Checkpoint) -> Image:
        """The image with a checkpoint written."""
        journeys, waits = (
            {**self.journeys, **dict(checkpoint.journeys)},
            {**self.waits, **dict(checkpoint.waits)},
        )
        for person in checkpoint.forgotten:
            journeys.pop(person, None)
        for person in checkpoint.unwaited:
            waits.pop(person, None)
        listings = {**self.listings, **dict(checkpoint.listings)}
        followers = (self.followers | {*checkpoint.following}) - {*checkpoint.unfollowing}
        for product in checkpoint.unlisted:
            listings.pop(product, None)
        return Image(checkpoint.after, checkpoint.meta, journeys, waits, listings, followers, self.granted)

    def after_grant(self, ask: Ask) -> Image:
        """The image once a lane has more of a ceiling, which nobody else uses: one more than it lacks."""
        place = ask.rule, ask.shortage.window
        known = max(self.granted.get(place, 0), ask.has)
        lacks = ask.shortage.wanted - (known - ask.has)
        more = min(lacks + 1, ask.shortage.most - known) if lacks > 0 else 0
        return self._replace(granted={**self.granted, place: known + more})

    def has(self, ask: Ask) -> Granted:
        """What the lane has of it."""
        found = self.granted[ask.rule, ask.shortage.window]
        return Granted(ask.shortage.window, found, last=found >= ask.shortage.most)

    def content(self) -> object:
        """What must be the same in every image of this sequence: all but the place of the journal record."""
        held = positions.decode(self.meta)
        catalogue = self.listings, self.followers, held.fanned, held.has_listings, held.spreads
        crossings = held.sent, held.crossed
        where = held.clock, held.frontier, held.held, held.incarnation
        return self.journeys, self.waits, where, catalogue, crossings

    def followers_of(self, product: str, after: str, limit: int) -> list[str]:
        """As JourneyStore.followers, of one product."""
        return sorted(person for what, person in self.followers if what == product and person > after)[:limit]

    def page(self, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        """As JourneyStore.waits."""
        found = sorted((due, person) for person, due in self.waits.items() if after < due <= until)
        if len(found) > limit:
            last = found[limit - 1][0]
            found = [wait for wait in found if wait[0] <= last]
        return found


class StoredImages:
    """What is stored now, and everything that ever was."""

    def __init__(self, beside: StoredImages | None = None) -> None:
        """`beside`: what the same store holds of another lane; what befalls it befalls both."""
        self.now = Image()
        self.ever = [self.now]
        self.sequences = {self.now.sequence}  # that ever were stored
        self.forked: int | None = None  # a sequence with two contents: must never be
        self.invented: int | None = None  # one that somebody was told and that never was: must never be
        self._contents: dict[int, object] = {}
        self._store = beside.joined_by(self) if beside is not None else _Store(self)

    def write(self, checkpoint: Checkpoint) -> int:
        """Compare and set; the sequence afterwards."""
        if self.now.sequence == checkpoint.expected:
            self._put(self.now.after(checkpoint))
            self._compare()
        return self.now.sequence

    def _compare(self) -> None:
        content = self.now.content()
        if self._contents.setdefault(self.now.sequence, content) != content:
            self.forked = self.now.sequence

    def grant(self, ask: Ask) -> Granted:
        """See JourneyStore."""
        self._put(self.now.after_grant(ask))
        return self.now.has(ask)

    def fail_over(self, lost: int) -> None:
        """Lose the last writes, whosoever they are, as a new primary may."""
        self._store.fail_over(lost)

    def go_back(self, *, whole: bool) -> None:
        """Bring the whole store back as it once was: half of all its writes ago, or as it began."""
        self._store.go_back(whole=whole)

    def restore(self, image: Image) -> None:
        """Bring an image of some former time back."""
        self._put(image)

    def joined_by(self, images: StoredImages) -> _Store:
        """The store, once it has another lane."""
        self._store.add(images)
        return self._store

    def _put(self, image: Image) -> None:
        self._store.wrote(self)
        self.now = image
        self.sequences.add(image.sequence)
        self.ever.append(image)
        self._store.noted()


class _Store:
    """The one that all lanes share: in which order they wrote, and what it held then."""

    def __init__(self, first: StoredImages) -> None:
        self._lanes = [first]
        self._before: list[tuple[StoredImages, Image]] = []  # whose write, and what was there
        self._moments: list[tuple[Image, ...]] = [(first.now,)]

    def add(self, images: StoredImages) -> None:
        """One more lane, before anything is written."""
        self._lanes.append(images)
        self._moments = [tuple(one.now for one in self._lanes)]

    def wrote(self, images: StoredImages) -> None:
        """A lane is about to write."""
        self._before.append((images, images.now))

    def noted(self) -> None:
        """It has written."""
        self._moments.append(tuple(one.now for one in self._lanes))

    def fail_over(self, lost: int) -> None:
        """See StoredImages."""
        for _ in range(min(lost, len(self._before))):
            images, before = self._before.pop()
            images.now = before

    def go_back(self, *, whole: bool) -> None:
        """See StoredImages."""
        held = self._moments[0 if whole else len(self._moments) // 2]
        for images, image in zip(self._lanes, held, strict=True):
            images.restore(image)
