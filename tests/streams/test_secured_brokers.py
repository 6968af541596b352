"""A secured broker is entered by the shell in the same way as by every other client of the worker."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from streams.embedded import EmbeddedStore
from streams.kafka.address import address_of
from streams.settings import load_settings
from streams.transport.credentials import credentials_of
from tests.support.kafka.jars import KafkaMissing, classpath
from tests.support.kafka.processes import PASSWORD, USER, KafkaOnJava
from tests.support.missing import unavailable
from tests.support.worker import ROOT, WITHIN_S, comes_to, command, started

SASL = (f"kafka.sasl_user={USER}", f"kafka.sasl_password={PASSWORD}")


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("kafka.security=ssl",),
        ("kafka.security=sasl_plaintext", "kafka.sasl_mechanism=PLAIN", *SASL),
        ("kafka.security=sasl_ssl", "kafka.sasl_mechanism=SCRAM-SHA-256", *SASL),
        ("kafka.security=sasl_ssl", *SASL),
    ],
)
def test_the_shell_proves_itself_as_the_other_clients_do(flags: tuple[str, ...]) -> None:
    """What Faust hands to aiokafka's consumer is what producers and readers are given."""
    security = address_of(load_settings(overrides=flags)).security

    handed = credentials_to_aiokafka_auth(credentials_of(security))

    told = {name: value for name, value in handed.items() if value is not None}
    assert told == {"security_protocol": "PLAINTEXT", **security}


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[KafkaOnJava]:
    """A real Kafka with a second door, for those who know the password."""
    try:
        broker = KafkaOnJava(tmp_path, classpath())
    except KafkaMissing as missing:
        unavailable(str(missing))
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


def through(secured: KafkaOnJava, *, password: str = PASSWORD) -> tuple[str, ...]:
    """The settings of whoever goes through the second door."""
    return (
        f"kafka.bootstrap={secured.secured}",
        "kafka.security=sasl_plaintext",
        "kafka.sasl_mechanism=PLAIN",
        f"kafka.sasl_user={USER}",
        f"kafka.sasl_password={password}",
        "kafka.partitions=2",
    )


def topics(settings: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """`retarget topics`."""
    argv = command("topics", settings=settings)
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=WITHIN_S)


@pytest.mark.kafka
async def test_a_worker_works_through_a_password(
    secured: KafkaOnJava, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Topics are made, the group is joined and every lane is claimed over SASL; a wrong password is told."""
    settings = through(secured)
    assert topics(settings).returncode == 0
    refused = topics(through(secured, password="wrong"))  # noqa: S106 - that it is not the one
    assert refused.returncode == 3, refused
    assert "kafka.bootstrap" in refused.stderr
    assert "Traceback" not in refused.stderr

    worker = started(tmp_path, "one", (*settings, f"store.url={store.url}"))
    try:
        await comes_to(worker, "/ready", 200, '"1": {')
    finally:
        worker.kill()
    assert PASSWORD not in worker.said
