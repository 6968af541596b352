"""Apache Kafka on this machine's Java, as child processes."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.embedded.processes import LOOPBACK, ChildProcess
from tests.support.kafka.readiness import speaks_kafka
from tests.support.kafka.server_properties import SINGLE_NODE
from tests.support.ports import kept_port

CLUSTER_ID: Final = "cmV0YXJnZXQtdGVzdHMtMQ"  # any 16 bytes, in base64
_START_S: Final = 60.0
USER: Final = "retarget"
PASSWORD: Final = "open-sesame"  # noqa: S105 - of a broker that lives as long as a test


class KafkaOnJava:
    """A single KRaft node in `folder`; it keeps its ports and its data over a restart."""

    def __init__(self, folder: Path, classpath: str, *, told: int = 0) -> None:
        """Write its settings and format its storage; nothing runs yet.

        `told`: what clients of the third door are told to be its port, as that of a proxy before it.
        """
        port, secured_port, inner_port = kept_port(), kept_port(), kept_port()
        #: The port of the third door.
        self.inner_port = inner_port
        #: A second door, for whoever proves by SASL PLAIN to be USER.
        self.secured = f"{LOOPBACK}:{secured_port}"
        self._config = folder / "server.properties"
        doors = {
            "PLAINTEXT": port,
            "SASL_PLAINTEXT": secured_port,
            "INNER": inner_port,
            **self.further_doors(),
            "CONTROLLER": kept_port(),
        }
        #: Where further nodes find the controller.
        self.controller = f"{LOOPBACK}:{doors['CONTROLLER']}"
        known = _properties(folder / "data", doors, told=told or inner_port) | self.further_properties()
        self._config.write_text("".join(f"{key}={value}\n" for key, value in known.items()))
        self._java = ["java", "-Xmx1g", "-Dorg.apache.logging.log4j.level=WARN", "-cp", classpath]
        self._server = ChildProcess(
            "Apache Kafka",
            [*self._java, "kafka.Kafka", str(self._config)],
            port=port,
            log=folder / "kafka.log",
        )
        self._format()

    def further_properties(self) -> dict[str, str]:
        """Beside those that every test broker has."""
        return {}

    def further_doors(self) -> dict[str, int]:
        """The ports of further listeners, by their security protocols."""
        return {}

    def format_arguments(self) -> list[str]:
        """What the storage holds from the beginning."""
        return []

    @property
    def bootstrap(self) -> str:
        """`host:port`, the same before and after a restart."""
        return f"{LOOPBACK}:{self._server.port}"

    def start(self) -> None:
        """Start it, with all it held; ready for clients on return. Harmless when it runs."""
        self._server.start(within_s=_START_S, ready=lambda: speaks_kafka(self._server.port))

    def stop(self) -> None:
        """Shut it down in good order; what it holds stays."""
        self._server.stop(grace_s=30)

    def kill(self) -> None:
        """End it with SIGKILL; what it holds stays."""
        self._server.kill()

    def close(self) -> None:
        """End it for good; nobody will ask for its data again."""
        self._server.kill()

    def _format(self) -> None:
        arguments = [
            "format",
            "--standalone",
            "-t",
            CLUSTER_ID,
            "-c",
            str(self._config),
            *self.format_arguments(),
        ]
        command = [*self._java, "kafka.tools.StorageTool", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=_START_S, stdin=subprocess.DEVNULL)


def _properties(data: Path, doors: Mapping[str, int], *, told: int) -> dict[str, str]:
    open_to_clients = {name: port for name, port in doors.items() if name != "CONTROLLER"}
    here = {
        "listeners": _addresses(doors),
        "advertised.listeners": _addresses(open_to_clients | {"INNER": told}),
        "listener.security.protocol.map": SINGLE_NODE["listener.security.protocol.map"]
        + ",SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,INNER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{doors['CONTROLLER']}",
        "log.dirs": str(data),
    }
    return {**SINGLE_NODE, **here}


def _addresses(doors: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in doors.items())
