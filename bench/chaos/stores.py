"""The stores that chaos comes over: a primary with its replica behind a proxy, and a cluster of three."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from redis import Redis
from redis.exceptions import RedisError

from bench.chaos.proxy import Proxy
from streams.embedded.processes import LOOPBACK, ChildProcess
from streams.embedded.store import store_binary
from tests.support.ports import kept_port

_WITHIN_S: Final = 20.0
_DUMP: Final = "dump.rdb"
SLOTS: Final = 16384
# Where a file may not grow, a signal is raised as well; a full disk raises none.
_OUTLIVES_ITS_DISK: Final = ("env", "--ignore-signal=XFSZ")


class StoreServer(ChildProcess):
    """One Valkey or Redis server that writes an image only when told to, and starts from it."""

    def __init__(self, name: str, folder: Path, *, cluster: bool = False) -> None:
        port = kept_port()
        self.folder = folder / name
        self.folder.mkdir()
        argv = [*_OUTLIVES_ITS_DISK, store_binary(), "--bind", LOOPBACK, "--port", str(port)]
        argv += ["--dir", str(self.folder)]
        argv += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        argv += ["--repl-diskless-sync-delay", "0"]
        self.bus = kept_port() if cluster else 0
        if cluster:
            argv += ["--cluster-enabled", "yes", "--cluster-port", str(self.bus)]
            argv += ["--cluster-require-full-coverage", "no"]
        super().__init__(name, argv, port=port, log=self.folder / "store.log")
        self.client = Redis(host=LOOPBACK, port=port)

    def tell(self, *command: str | int | bytes) -> Any:  # noqa: ANN401 - as the command says
        """The answer to one command, on a connection of ours."""
        return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def words(self, *command: str | int) -> str:
        """The answer to a command that tells in text, as the server wrote it: clients parse it by version."""
        connection = self.client.connection_pool.get_connection()
        try:
            connection.send_command(*command)  # type: ignore[no-untyped-call]
            return bytes(connection.read_response()).decode()
        finally:
            self.client.connection_pool.release(connection)

    def save(self) -> None:
        """Write an image of what it holds now."""
        self.tell("SAVE")

    def fill_disk(self) -> None:
        """From now on the kernel lets no file of it grow, not even that to which it appends its writes."""
        self.tell("CONFIG", "SET", "appendonly", "yes")
        until(self._appends, f"{self.name} appends its writes to a file")
        self._may_write(0)

    def clear_disk(self) -> None:
        """Let files grow again, and keep none once all is written."""
        self._may_write(resource.RLIM_INFINITY)
        until(self._has_appended, f"{self.name} has written what it could not")
        self.tell("CONFIG", "SET", "appendonly", "no")

    @property
    def refusals(self) -> int:
        """How many commands it has refused because it cannot write to its disk."""
        return int(self.client.info("errorstats").get("errorstat_MISCONF", {}).get("count", 0))

    def _may_write(self, size: int) -> None:
        assert self.pid is not None
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _appends(self) -> bool:
        said = self.client.info("persistence")
        busy = said["aof_rewrite_in_progress"] or said["aof_rewrite_scheduled"]
        return bool(said["aof_enabled"]) and not busy

    def _has_appended(self) -> bool:
        return bool(self.client.info("persistence")["aof_last_write_status"] == "ok")

    def begin(self, *, empty: bool) -> None:
        """Start it, from its last image or from nothing."""
        if empty:
            (self.folder / _DUMP).unlink(missing_ok=True)
        self.start()
        until(self._awake, f"{self.name} awake")

    def _awake(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


class Stores(Protocol):
    """What the workers keep journeys in."""

    @property
    def url(self) -> str:
        """For `store.url`."""

    @property
    def primaries(self) -> Sequence[StoreServer]:
        """The servers that hold lanes."""


class Pair:
    """A primary and its replica; a context manager. Workers reach the primary through `door`."""

    def __init__(self, folder: Path) -> None:
        self.primary = StoreServer("store-a", folder)
        self.replica = StoreServer("store-b", folder)
        self.door = Proxy(self.primary.port)
        self._open = ExitStack()

    @property
    def url(self) -> str:
        """For `store.url`: the door."""
        return f"redis://{LOOPBACK}:{self.door.port}/0"

    @property
    def primaries(self) -> Sequence[StoreServer]:
        """The one that holds all lanes."""
        return [self.primary]

    def __enter__(self) -> Self:
        """Start both."""
        for part in (self.primary, self.replica, self.door):
            self._open.enter_context(part)
        self.follow()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both."""
        self._open.close()

    def follow(self) -> None:
        """Let the replica follow the primary, and wait until it has all that it holds."""
        self.replica.tell("REPLICAOF", LOOPBACK, self.primary.port)
        until(self._follows, "the replica up to date")

    def cut_replica_off(self) -> None:
        """From now on the replica hears nothing more of the primary."""
        self.replica.tell("REPLICAOF", "NO", "ONE")

    def fail_over(self) -> None:
        """The primary is dead, long live the replica. The former comes back empty and follows."""
        self.cut_replica_off()
        self.primary.kill()
        self.primary, self.replica = self.replica, self.primary
        self.door.lead_to(self.primary.port)
        self.replica.begin(empty=True)
        self.follow()

    def _follows(self) -> bool:
        said = self.replica.client.info("replication")
        return bool(said.get("master_link_status") == "up")


class Cluster:
    """Three primaries with a third of the slots each; a context manager. There is no proxy before them."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [StoreServer(f"shard-{name}", folder, cluster=True) for name in "abc"]
        self._open = ExitStack()

    @property
    def url(self) -> str:
        """For `store.url`: one of the nodes, which tells the way to the others."""
        return f"redis://{LOOPBACK}:{self.nodes[0].port}"

    @property
    def primaries(self) -> Sequence[StoreServer]:
        """All of them."""
        return self.nodes

    def __enter__(self) -> Self:
        """Start them and join them."""
        for node in self.nodes:
            self._open.enter_context(node)
        first = 0
        for number, node in enumerate(self.nodes, start=1):
            last = SLOTS * number // len(self.nodes) - 1
            node.tell("CLUSTER", "ADDSLOTSRANGE", first, last)
            first = last + 1
        for node in self.nodes[1:]:
            node.tell("CLUSTER", "MEET", LOOPBACK, self.nodes[0].port, self.nodes[0].bus)
        until(lambda: all(map(_is_whole, self.nodes)), "the cluster whole")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them."""
        self._open.close()

    def holder(self, slot: int) -> StoreServer:
        """The node that has this slot."""
        for node in self.nodes:
            for first, last in slots_of(node):
                if first <= slot <= last:
                    return node
        raise LookupError(f"nobody holds slot {slot}")


def slots_of(node: StoreServer) -> list[tuple[int, int]]:
    """The ranges of slots that a node has itself."""
    mine = node.words("CLUSTER", "MYID")
    rows = node.words("CLUSTER", "NODES").splitlines()
    (row,) = [row.split() for row in rows if row.startswith(mine)]
    ranges = [part.split("-") for part in row[8:] if not part.startswith("[")]
    return [(int(part[0]), int(part[-1])) for part in ranges]


def _is_whole(node: StoreServer) -> bool:
    facts = node.words("CLUSTER", "INFO")
    return "cluster_state:ok" in facts and f"cluster_slots_ok:{SLOTS}" in facts


def until(condition: Any, what: str) -> None:  # noqa: ANN401 - a function without arguments
    """Wait for a condition. Raises TimeoutError."""
    deadline = time.monotonic() + _WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {_WITHIN_S:g} s: {what}")
        time.sleep(0.02)
