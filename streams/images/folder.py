"""The folder of snapshots: each is a folder of its own, named by its time, there as a whole or not at all."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from retarget.errors import BadInput, LaneRefused
from retarget.times import format_time, parse_time
from streams.images import manifest, parts
from streams.images.erased import Erased
from streams.images.manifest import LaneEntry, Manifest
from streams.ports import LaneImage, Portion

_log: Final = logging.getLogger("retarget.snapshot")
_PARTIAL: Final = ".partial"
SETTING: Final = "snapshot.folder"


class Copy:
    """One lane in one snapshot; see LaneCopy."""

    def __init__(self, folder: Path, entry: LaneEntry, erased: Erased) -> None:
        self._path, self._entry, self._erased = folder / entry.file, entry, erased

    @property
    def image(self) -> LaneImage:
        """Its sequence and meta."""
        return LaneImage(self._entry.sequence, self._entry.meta)

    @property
    def pauses(self) -> Mapping[str, int]:
        """The kill switches that were in force then."""
        return self._entry.pauses

    @property
    def source(self) -> str:
        """The file."""
        return str(self._path)

    def portions(self, follows: int) -> AsyncIterator[Portion]:
        """See LaneCopy."""
        return self._erased.taken_out(self._all, follows)

    async def _all(self) -> AsyncIterator[Portion]:
        found = parts.read(self._path)
        while (portion := await asyncio.to_thread(next, found, None)) is not None:
            yield portion


class Folder:
    """The snapshots of one engine with so many lanes, under a folder that several may share."""

    def __init__(self, root: Path, app_id: str, lanes: int) -> None:
        self._app_id, self._lanes = app_id, lanes
        self._home = root / quote(f"{app_id}-{lanes}", safe="")
        # Of all numbers of lanes.
        self._list = root / quote(f"{app_id}.erased.json", safe="")

    @property
    def place(self) -> str:
        """Where it is."""
        return str(self._home)

    def all(self) -> list[Path]:
        """Every whole snapshot, the newest first."""
        if not self._home.is_dir():
            return []
        found = (one for one in self._home.iterdir() if one.is_dir() and one.suffix != _PARTIAL)
        return sorted(found, reverse=True)

    def everything(self) -> list[Path]:
        """Also what was begun and did not become whole."""
        return sorted(one for one in self._home.iterdir() if one.is_dir()) if self._home.is_dir() else []

    async def newest(self, lane: int) -> Copy | None:
        """See Copies. A damaged one is passed over, with a warning: an older one is as good, only slower."""
        for folder in self.all():
            try:
                return await asyncio.to_thread(self._copy, folder, lane)
            except BadInput as error:
                _log.warning("passed over, an older snapshot is tried: %s", error)
        return None

    def begun(self) -> int | None:
        """When the newest one that this build can read was begun, epoch ms; None without any."""
        try:
            for folder in self.all():
                with suppress(BadInput):
                    return parse_time(manifest.read(folder).at)
        except (LaneRefused, OSError) as error:
            _log.warning("no snapshot can be read: %s", error)
        return None

    def erased(self) -> Erased:
        """Who was erased. Raises BadInput."""
        return Erased(self._list)

    def _copy(self, folder: Path, lane: int) -> Copy:
        found = manifest.read(folder)
        if (found.app, found.partitions) != (self._app_id, self._lanes):
            raise BadInput([f"{folder}: is of engine {found.app} with {found.partitions} lanes"])
        entry = next((one for one in found.lanes if one.lane == lane), None)
        if entry is None:
            raise BadInput([f"{folder}: has no lane {lane}"])
        path = folder / entry.file
        try:
            whole = parts.digest(path) == entry.digest
        except OSError as error:
            raise BadInput([f"{path}: cannot be read ({error})"]) from error
        if not whole:
            raise BadInput([f"{path}: is damaged, it is not what {manifest.NAME} beside it says"])
        return Copy(folder, entry, self.erased())

    def named(self, at: int) -> Path:
        """Where the snapshot is that begins at this moment, epoch ms."""
        return self._home / format_time(at).replace(":", "-")

    @contextmanager
    def new(self, at: int) -> Iterator[Path]:
        """A folder to write a snapshot into, for this moment, epoch ms; it is whole when the block has ended.

        Raises BadInput when nothing can be written there.
        """
        whole = self.named(at)
        partial = whole.with_name(whole.name + _PARTIAL)
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise BadInput([f"{SETTING}: {partial} cannot be made ({error.strerror})"]) from error
        try:
            yield partial
            _settle(partial)
            partial.rename(whole)
            _settle(self._home)
        except OSError as error:
            raise BadInput([f"{SETTING}: {error.filename or partial}: {error.strerror}"]) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def tidy(self, keep: int) -> list[Path]:
        """Remove all but the newest `keep`; those removed."""
        former = self.all()[keep:]
        for folder in former:
            shutil.rmtree(folder, ignore_errors=True)
        return former


def write_manifest(folder: Path, content: Manifest) -> None:
    """The last file of a snapshot."""
    with (folder / manifest.NAME).open("wb") as file:
        file.write(manifest.encode(content))
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
