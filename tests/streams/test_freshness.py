"""What workers show of the age of the newest snapshot."""

from __future__ import annotations

import asyncio
import math
import shutil
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from retarget.times import HOUR
from streams import freshness, snapshotting
from streams.clocks import now_ms
from streams.freshness import Freshness
from streams.images import Folder
from streams.images.manifest import NAME
from streams.metrics import Metrics
from streams.settings import Settings, load_settings
from streams.snapshotting import Writing
from tests.e2e.harness import WITHIN_S, until


@pytest.fixture
def settings() -> Settings:
    """Those of an engine of one lane."""
    return load_settings(None, {}, ("app.id=shop", "kafka.partitions=1"))


def written(settings: Settings, root: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A snapshot without any lane that was begun at this moment."""
    monkeypatch.setattr(snapshotting, "now_ms", lambda: at)
    with Writing(settings, 1, Folder(root, "shop", 1)) as writing:
        pass
    return writing.whole


def shown(registry: CollectorRegistry) -> float:
    """The age on the metrics page."""
    value = registry.get_sample_value("retarget_snapshot_age_seconds")
    assert value is not None
    return value


def test_the_newest_that_can_be_read_counts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged one is passed over, as a lane that comes back does."""
    folder = Folder(tmp_path, "shop", 1)
    assert folder.begun() is None
    written(settings, tmp_path, 5 * HOUR, monkeypatch)
    newest = written(settings, tmp_path, 7 * HOUR, monkeypatch)
    assert folder.begun() == 7 * HOUR
    (newest / NAME).write_text("{")
    assert folder.begun() == 5 * HOUR


def test_one_of_a_newer_build_counts_as_none(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lane would refuse it, and an older one that is there does not help."""
    written(settings, tmp_path, 5 * HOUR, monkeypatch)
    manifest = written(settings, tmp_path, 7 * HOUR, monkeypatch) / NAME
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 9'))
    assert Folder(tmp_path, "shop", 1).begun() is None
    assert "newer form" in caplog.text


async def test_a_worker_shows_the_age_and_when_there_is_none(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In seconds, from the moment when the snapshot was begun; it is looked at again and again."""
    monkeypatch.setattr(freshness, "_EVERY_S", 0.01)
    whole = written(settings, tmp_path, now_ms() - 2 * HOUR, monkeypatch)
    registry = CollectorRegistry()

    async def two_hours() -> bool:
        return shown(registry) == pytest.approx(7200, abs=WITHIN_S)

    async def never() -> bool:
        return shown(registry) == math.inf

    watching = asyncio.create_task(Freshness(Folder(tmp_path, "shop", 1), Metrics(registry)).watch())
    try:
        await until(two_hours, "two hours")
        shutil.rmtree(whole)
        await until(never, "none")
    finally:
        watching.cancel()


async def test_without_a_folder_there_is_no_age() -> None:
    """Not 0, which would be young, nor an endless watch."""
    registry = CollectorRegistry()
    await Freshness(None, Metrics(registry)).watch()
    assert math.isnan(shown(registry))
