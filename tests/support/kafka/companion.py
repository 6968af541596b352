"""A second broker beside a real Kafka, for topics with two replicas."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import EndTxnRequest

from streams.embedded.processes import LOOPBACK, ChildProcess
from tests.support.kafka.jars import KafkaMissing, classpath
from tests.support.kafka.processes import CLUSTER_ID, KafkaOnJava
from tests.support.kafka.readiness import speaks_kafka
from tests.support.kafka.server_properties import SINGLE_NODE
from tests.support.missing import unavailable
from tests.support.ports import kept_port

_START_S: Final = 60.0
TRANSACTIONS: Final = "__transaction_state"
GROUPS: Final = "__consumer_offsets"
_COMING_UP: Final = {14, 15}  # COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
_ELSEWHERE: Final = 16  # NOT_COORDINATOR
_SIZES: Final = {
    TRANSACTIONS: "transaction.state.log.num.partitions",
    GROUPS: "offsets.topic.num.partitions",
}


class Companion:
    """Node 2 of the cluster; what lives on it alone is away while it is."""

    def __init__(self, folder: Path, classpath: str, first: KafkaOnJava) -> None:
        """Write its settings and format its storage; nothing runs yet."""
        port = kept_port()
        config = folder / "companion.properties"
        known = {
            **SINGLE_NODE,
            "process.roles": "broker",
            "node.id": "2",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.quorum.bootstrap.servers": first.controller,
            "log.dirs": str(folder / "companion"),
        }
        config.write_text("".join(f"{key}={value}\n" for key, value in known.items()))
        java = ["java", "-Xmx512m", "-Dorg.apache.logging.log4j.level=WARN", "-cp", classpath]
        format_it = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
        subprocess.run(format_it, check=True, capture_output=True, timeout=_START_S, stdin=subprocess.DEVNULL)
        argv = [*java, "kafka.Kafka", str(config)]
        self._server = ChildProcess("Kafka's node 2", argv, port=port, log=folder / "companion.log")

    def start(self) -> None:
        """Start it, with all it held. Harmless when it runs."""
        self._server.start(within_s=_START_S, ready=lambda: speaks_kafka(self._server.port))

    def kill(self) -> None:
        """End it with SIGKILL; what it holds stays."""
        self._server.kill()


@contextmanager
def two_nodes(folder: Path) -> Iterator[tuple[KafkaOnJava, Companion]]:
    """A Kafka of two nodes, of which the second does not run yet."""
    try:
        kafka = KafkaOnJava(folder, classpath())
    except KafkaMissing as missing:
        unavailable(str(missing))
    companion = Companion(folder, classpath(), kafka)
    try:
        kafka.start()
        yield kafka, companion
    finally:
        companion.kill()
        kafka.close()


async def settle(bootstrap: str) -> None:
    """Have Kafka make its own topics now, while there is one node that they can lie on."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="settling")
    await producer.start()
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id="settling")
    await consumer.start()
    await consumer.stop()


async def create_on_both(bootstrap: str, name: str, partitions: int) -> None:
    """A topic that takes nothing when one of two replicas is away."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configs = {"min.insync.replicas": "2", "max.message.bytes": str(5 * 1024 * 1024)}
        topic = NewTopic(name, partitions, replication_factor=2, topic_configs=configs)
        await admin.create_topics([topic])
    finally:
        await admin.close()


async def move(bootstrap: str, topic: str, name: str, node: int) -> None:
    """Have a node coordinate a name: it is given the partition of an internal topic in which the name lies.

    Returns when both nodes act so.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted: list[Any] = [(topic, [(_partition_of(name, topic), [node], {})], {})]
        answer = await admin._send_request(AlterPartitionReassignmentsRequest(30_000, wanted, {}))  # noqa: SLF001
        assert all(one[1] == 0 for _, parts, _ in answer.responses for one in parts), answer
        async with asyncio.timeout(30):
            for each in (1, 2):
                while await _acts(admin, topic, name, each) is not (each == node):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def _acts(admin: AIOKafkaAdminClient, topic: str, name: str, node: int) -> bool | None:
    """Whether a node acts for a name; None while it comes up. It is asked for what it refuses to anybody."""
    nobody: Any = (
        EndTxnRequest(name, -1, 0, transaction_result=False)
        if topic == TRANSACTIONS
        else HeartbeatRequest(name, -1, "nobody")
    )
    code = (await admin._send_request_to_node(node, nobody)).error_code  # noqa: SLF001
    return None if code in _COMING_UP else code != _ELSEWHERE


def _partition_of(name: str, topic: str) -> int:
    """The partition of one of Kafka's own topics in which a transaction or a group lies."""
    found = 0
    for letter in name:
        found = (31 * found + ord(letter)) & 0xFFFFFFFF
    signed = found - (1 << 32) if found >> 31 else found
    return abs(signed) % int(SINGLE_NODE[_SIZES[topic]])
