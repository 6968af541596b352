"""The store's atomic steps, as they lie in `lua/`; each file's header says what it takes and gives."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import Final, NamedTuple

_FOLDER: Final = Path(__file__).with_name("lua")


class Script(NamedTuple):
    """A script's text, and the digest by which a server that knows it is asked to run it."""

    text: bytes
    digest: bytes


def script(name: str) -> Script:
    """The script `lua/<name>.lua`. Raises FileNotFoundError when the installation is broken."""
    text = (_FOLDER / f"{name}.lua").read_bytes()
    return Script(text, sha1(text, usedforsecurity=False).hexdigest().encode())


CHECKPOINT: Final = script("checkpoint")
FOLLOWERS: Final = script("followers")
GRANT: Final = script("grant")
LEASE: Final = script("lease")
LOAD: Final = script("load")
WAITS: Final = script("waits")
