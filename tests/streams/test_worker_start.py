"""A worker that cannot work says why in a line for each reason, and nothing of it is left running."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.embedded.processes import LOOPBACK, free_port
from streams.kafka import KafkaAddress, create_or_check
from streams.topics import topic_specs
from tests.support.worker import ROOT, WITHIN_S, command

LANES = 2


class Refusal(NamedTuple):
    """How a worker ended, and the lines it said."""

    code: int
    lines: list[str]


def refused(*settings: str) -> Refusal:
    """The end of a worker that must not come to work."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
    argv = command("run", settings=(f"kafka.partitions={LANES}", *settings))
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=WITHIN_S, env=environ
    )
    assert done.stdout == ""
    return Refusal(done.returncode, done.stderr.splitlines())


def test_without_a_broker(store: EmbeddedStore) -> None:
    """Exit 3, one line: which address did not answer, and which setting holds it."""
    address = f"{LOOPBACK}:{free_port()}"

    code, (line,) = refused(f"kafka.bootstrap={address}", f"store.url={store.url}")

    assert code == 3
    assert line.startswith(f"cannot reach Kafka at {address}")
    assert "kafka.bootstrap" in line


def test_topics_that_are_missing_or_have_too_few_partitions(
    own_broker: EmbeddedBroker, store: EmbeddedStore
) -> None:
    """Exit 1, a line for each, and the command that helps; a full set of topics is accepted."""
    own_broker.create_topic("touchpoints", LANES + 1)

    code, lines = refused(f"kafka.bootstrap={own_broker.bootstrap}", f"store.url={store.url}")

    specs = topic_specs(["touchpoints"], LANES)
    assert code == 1
    assert len(lines) == len(specs)
    assert all("`retarget topics`" in line for line in lines), lines
    assert sum(" is missing; " in line for line in lines) == len(specs) - 1
    assert any(
        line.startswith("topic touchpoints has 3 partitions, and kafka.partitions is 2") for line in lines
    )


async def prepared(broker: EmbeddedBroker) -> str:
    """The setting for a broker where all topics are as they must be, under another name of the input."""
    specs = topic_specs(["visits"], LANES)
    await create_or_check(KafkaAddress(bootstrap=broker.bootstrap), specs)
    return f"kafka.bootstrap={broker.bootstrap}"


async def test_without_a_store(own_broker: EmbeddedBroker) -> None:
    """Exit 3, one line with the address and the setting, and never with the password."""
    place = f"{LOOPBACK}:{free_port()}"

    code, (line,) = refused(
        await prepared(own_broker), "kafka.input_topics=visits", f"store.url=redis://me:hunter2@{place}/0"
    )

    assert code == 3
    assert line.startswith(f"cannot reach store at {place}")
    assert "store.url" in line
    assert "hunter2" not in line


async def test_a_port_in_use(own_broker: EmbeddedBroker, store: EmbeddedStore) -> None:
    """Exit 1, one line that says what a second worker on one machine needs."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        code, (line,) = refused(
            await prepared(own_broker),
            "kafka.input_topics=visits",
            f"store.url={store.url}",
            f"web.port={port}",
            "offers.secret=of-this-test",
        )

    assert code == 1
    assert line.startswith(f"web.port: {port} is in use on {LOOPBACK}")
    assert "app.worker_id" in line


def test_rules_with_mistakes(tmp_path: Path) -> None:
    """Exit 1 with the mistakes of every file, before anybody is asked for anything."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"rule: {name}\nwhen: nonsense\n")

    code, lines = refused(f"rules.dir={tmp_path}", f"kafka.bootstrap={LOOPBACK}:{free_port()}")

    assert code == 1
    assert {Path(line.partition(":")[0]).name for line in lines} == {"a.yaml", "b.yaml"}
