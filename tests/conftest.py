"""Servers and data for the tests: each fixture gives the real part, or skips with the reason.

A test may be `async def`: it runs in an event loop of its own.
With CI=true the want of a server fails a test instead of skipping it.
"""

import asyncio
import inspect
import logging
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import redis
from hypothesis import settings

from streams.embedded import EmbeddedBroker, EmbeddedStore, PartMissing
from streams.kafka import KafkaAddress, create_or_check
from streams.topics import topic_specs
from tests.support.brokers import a_broker
from tests.support.kafka import real_kafka as kafka
from tests.support.kafka.jars import KafkaMissing
from tests.support.missing import IN_CI, unavailable

_ROOT: Final = Path(__file__).resolve().parent.parent
_MARKER_OF_FIXTURE: Final = {
    "store": "embedded",
    "embedded_broker": "embedded",
    "own_broker": "embedded",
    "real_kafka": "kafka",
    "own_kafka": "kafka",
    "data_dir": "data",
}

# No deadline: a slow machine is no wrong answer. In CI a failure must be the change's own, not the draw's.
settings.register_profile("retarget", deadline=None, print_blob=True, derandomize=IN_CI)
settings.load_profile("retarget")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Take back what a command sets up for its own logs."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers, root.level = handlers, level


def pytest_configure() -> None:
    """Whoever runs tests in the background ignores SIGINT, and so would all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the servers and data it asks for, so that `-m "not kafka"` needs no care."""
    for item in items:
        wanted = _MARKER_OF_FIXTURE.keys() & getattr(item, "fixturenames", ())
        for fixture in sorted(wanted):
            item.add_marker(_MARKER_OF_FIXTURE[fixture])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def unique_name() -> Callable[[str], str]:
    """Make names that no other test uses, for topics and groups on a shared broker, from a prefix."""
    return lambda prefix: f"{prefix}.{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """One real store for the whole run; tests ask for `store`."""
    try:
        with EmbeddedStore(folder=tmp_path_factory.mktemp("store")) as server:
            yield server
    except PartMissing as error:
        unavailable(str(error))


@pytest.fixture
def store(store_server: EmbeddedStore) -> EmbeddedStore:
    """A real Valkey that holds nothing; its `url` is the address."""
    with redis.Redis.from_url(store_server.url) as client:
        client.flushall()
    return store_server


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The demo's broker, one for the whole run, without topics: create your own under a `unique_name`."""
    yield from a_broker(tmp_path_factory.mktemp("broker"))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """The same for this test alone, which may create topics of any name."""
    yield from a_broker(tmp_path)


@pytest.fixture
def engine(own_broker: EmbeddedBroker) -> EmbeddedBroker:
    """A broker for this test alone, with the topics of an engine of one lane."""
    address = KafkaAddress(bootstrap=own_broker.bootstrap)
    asyncio.run(create_or_check(address, topic_specs(["touchpoints"], 1)))
    return own_broker


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.RealKafka]:
    """A real Apache Kafka, one for the whole run: create your own topics under a `unique_name`."""
    yield from _kafka(tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[kafka.RealKafka]:
    """A real Apache Kafka for this test alone, which may kill, stop and start it."""
    yield from _kafka(tmp_path)


def _kafka(folder: Path) -> Iterator[kafka.RealKafka]:
    try:
        with kafka.running(folder) as broker:
            yield broker
    except KafkaMissing as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the public data sets: RETARGET_DATA, else shared/data beside the checkout."""
    folder = Path(os.environ.get("RETARGET_DATA") or _ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no data sets in {folder}; set RETARGET_DATA")
    return folder
