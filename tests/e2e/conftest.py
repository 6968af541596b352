"""What several of these tests begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from streams.embedded import EmbeddedStore
from tests.e2e.harness import OLD_FILES, Stage


class Staging(Protocol):
    """Makes an engine of two lanes on a broker, which emits in one of the two ways."""

    def __call__(self, bootstrap: str, emit: str, *settings: str) -> Stage:
        """With small batches, and these settings."""
        ...


@pytest.fixture
def staged(store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]) -> Staging:
    """An engine of the test's own store and folder, under a name of its own."""

    def stage(bootstrap: str, emit: str, *settings: str) -> Stage:
        return Stage(
            bootstrap=bootstrap,
            store=store,
            folder=tmp_path,
            app_id=unique_name("engine"),
            emit=emit,
            partitions=2,
            settings=(*OLD_FILES, "batch.records=100", *settings),
        )

    return stage
