"""Collectors for these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from streams.embedded import EmbeddedBroker
from tests.support.collecting import Collector, collecting


@pytest.fixture(scope="module")
def collector(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Collector]]:
    """Start a collector with these settings, each with a topic of its own."""
    with ExitStack() as opened:

        def start(*settings: str) -> Collector:
            folder = tmp_path_factory.mktemp("collector")
            topic = f"touchpoints.{folder.name}"
            embedded_broker.create_topic(topic, 2)
            return opened.enter_context(collecting(embedded_broker.bootstrap, topic, folder, *settings))

        yield start
