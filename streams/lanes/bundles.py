"""Bundles: by which one a lane decides next, and the one that the journal names for a batch of before."""

from __future__ import annotations

from typing import Protocol

from retarget.errors import LaneRefused
from streams.lanes.bundle import Bundle


class Bundles(Protocol):
    """Where a lane's bundles come from."""

    def newest(self) -> Bundle:
        """The one by which batches are decided that begin now."""

    async def named(self, bundle: str) -> Bundle:
        """The bundle of that id. Raises LaneRefused when there is none, UnknownOutcome."""

    def refused(self) -> str:
        """The id of what is published and cannot be taken up; empty: nothing."""

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

    def refused(self) -> str:
        """See Bundles."""
        return ""

    async def watch(self) -> None:
        """See Bundles."""
