"""Spreading: news of the catalogue reach the people who follow a product, in bounded portions.

The news come to an end before anything else is looked at, however many batches that takes, so that the result
hangs neither on the size of the portions nor on the cut of batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from retarget.catalogue import News

# Part of what a batch does, so it may not differ in a replay.
PORTION: Final = 500


class Spread(msgspec.Struct, array_like=True, gc=False):
    """News on their way; `after`: everybody up to this person has heard of them."""

    news: News
    after: str = ""


class Page(NamedTuple):
    """The next people, in order, who follow a product; `whole`: there are no more."""

    people: list[str]
    whole: bool


Pages = dict[tuple[str, str], Page]  # (product, after) -> what the store has


def audience(page: Page, following: Mapping[str, bool], after: str) -> Iterable[str]:
    """A page with those who have come since it was read."""
    last = "" if page.whole or not page.people else page.people[-1]
    come = {
        person
        for person, follows in following.items()
        if follows and person > after and (not last or person <= last)
    }
    return sorted(come.union(page.people)) if come else page.people
