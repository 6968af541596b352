"""Telling: records of the catalogue written into its listings, and their news told to those they concern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from retarget import catalogue
from retarget.catalogue import Listing, News
from retarget.engine.door import Engine
from retarget.engine.moment import Moment, RulesFailed
from retarget.journeys.model import Journey
from retarget.lane.batch import Batch
from retarget.lane.intake import failed_news
from retarget.lane.spreading import Pages, Spread, audience
from retarget.touchpoints import Touchpoint


class _Lane(Protocol):
    """What is told of a lane."""

    engine: Engine
    partition: int
    journeys: dict[str, Journey]
    listings: dict[str, Listing | None]
    pages: Pages
    spreads: list[Spread]

    @property
    def follows(self) -> bool: ...


class Telling:
    """The catalogue's part of one batch."""

    def __init__(
        self,
        lane: _Lane,
        moment: Moment,
        *,
        batch: Batch,
        set_aside: Callable[[str, bytes], None],
        arm: Callable[[], None],
    ) -> None:
        """`set_aside` takes the dead letter of a rule that failed, `arm` notes the waits of the moment."""
        self._lane, self._moment, self._batch = lane, moment, batch
        self._set_aside, self._arm = set_aside, arm

    def is_ready(self, event: Touchpoint) -> bool:
        """Whether the listings of a record are loaded, and the first of those who follow its products."""
        lane = self._lane
        products = [item.product_id or "" for item in event.items]
        return all(
            product in lane.listings and (not lane.follows or (product, "") in lane.pages)
            for product in products
        )

    def relist(self, event: Touchpoint) -> None:
        """Write a record into its listings and begin to tell the news."""
        lane = self._lane
        self._batch.worked += 1
        self._moment.counts["listed",] += 1
        for item in event.items:
            product = item.product_id or ""
            before = lane.listings[product] or catalogue.UNLISTED
            after = catalogue.relist(before, item, event.traits or {}, event.time)
            if after is not before:
                lane.listings[product] = self._batch.listed[product] = after
                self._announce(News(product, event.id or "", event.time, before, after, event.trace))
        self.spread()

    def _announce(self, news: News) -> None:
        if self._lane.engine.concerns(news, self._moment):
            self._lane.spreads.append(Spread(news))
        if self._moment.failures:
            failures = RulesFailed(self._moment.failures)
            self._set_aside(news.product, failed_news(news, self._lane.partition, failures))

    def spread(self) -> bool:
        """Tell the news under way to as many as are loaded; whether all have heard of all."""
        lane, moment = self._lane, self._moment
        while lane.spreads:
            spread = lane.spreads[0]
            page = lane.pages.get((spread.news.product, spread.after))
            if page is None:
                return False
            following = moment.following.get(spread.news.product, {})
            for person in audience(page, following, spread.after):
                self._hear(person, spread.news)
            if page.whole:
                lane.spreads.pop(0)
            else:
                spread.after = page.people[-1]
        return True

    def _hear(self, person: str, news: News) -> None:
        lane, moment = self._lane, self._moment
        journey = lane.journeys.get(person)
        if journey is None:
            moment.follow(news.product, person, follows=False)
            return
        self._batch.worked += 1
        self._batch.changed[person] = journey
        try:
            self._lane.engine.hear(journey, news, moment)
        except Exception as error:  # noqa: BLE001 - as with events
            self._set_aside(person, failed_news(news, lane.partition, error))
        if moment.armed:
            self._arm()
