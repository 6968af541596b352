"""Snapshots as files: copies of every lane, outside of the store."""

from __future__ import annotations

from pathlib import Path

from streams.images.folder import Folder
from streams.images.manifest import LaneEntry, Manifest
from streams.settings import Settings

__all__ = ["Folder", "LaneEntry", "Manifest", "copies_of"]


def copies_of(settings: Settings) -> Folder | None:
    """The snapshots of this engine; None when `snapshot.folder` is not set."""
    if not settings.snapshot.folder:
        return None
    return Folder(Path(settings.snapshot.folder), settings.app.id, settings.kafka.partitions)
