"""Files that are there whole or not at all, and once."""

from __future__ import annotations

import os
from pathlib import Path

from retarget.errors import BadInput


def folder_of(path: str, setting: str) -> Path:
    """The folder that a setting names, made if need be. Raises BadInput."""
    if not path:
        raise BadInput([f"{setting}: is not set; name a folder"])
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise BadInput([f"{setting}: {folder}: cannot be written to"])
    except OSError as error:
        raise BadInput([f"{setting}: {folder}: {error.strerror}"]) from error
    return folder


def write_once(place: Path, content: bytes) -> None:
    """Write it under another name, onto the disk, then under its own. Nothing happens when it is there."""
    if place.exists():
        return
    # The same whoever writes it: what a crash has left is written over.
    hidden = place.with_name(f".{place.name}.part")
    with hidden.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    hidden.replace(place)
    entry = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
