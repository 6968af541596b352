"""Apache Kafka in a container, where a Docker engine answers."""

import os
import socket
import time
from typing import Final

import docker
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from streams.embedded.processes import LOOPBACK, free_port
from tests.support.kafka.jars import VERSION
from tests.support.kafka.readiness import speaks_kafka
from tests.support.kafka.server_properties import SINGLE_NODE

_START_S: Final = 120.0
_POLL_S: Final = 0.1


def engine_answers() -> bool:
    """Say whether there is a Docker engine to ask for containers."""
    if not _door_opens():
        return False
    client = docker.from_env()
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


def _door_opens() -> bool:
    """Say whether the engine's socket takes connections; the library leaks its own when it does not."""
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address.removeprefix("unix://")) == 0


class KafkaInContainer:
    """A single KRaft node; it keeps its port and its data over a restart of the container."""

    def __init__(self) -> None:
        """Describe the container; nothing runs yet."""
        self._port = free_port()
        self._container = DockerContainer(f"apache/kafka:{VERSION}").with_bind_ports(9092, self._port)
        for key, value in _settings(self._port).items():
            self._container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
        self._created = False

    @property
    def bootstrap(self) -> str:
        """`host:port`, the same before and after a restart."""
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start it, with all it held; ready for clients on return. Harmless when it runs."""
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True
        deadline = time.monotonic() + _START_S
        while not speaks_kafka(self._port):
            if time.monotonic() > deadline:
                output = b"\n".join(self._container.get_logs())[-2000:].decode(errors="replace")
                raise TimeoutError(f"Kafka's container was not ready in {_START_S:g} s:\n{output}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Shut it down in good order; what it holds stays."""
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        """End it with SIGKILL; what it holds stays."""
        self._container.get_wrapped_container().kill()

    def close(self) -> None:
        """Remove the container and what it holds."""
        if self._created:
            self._container.stop()


def _settings(port: int) -> dict[str, str]:
    return {
        **SINGLE_NODE,
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.quorum.voters": "1@localhost:9093",
    }
