"""The main job on public data: files into Kafka, two workers, and out comes what a replay gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import read_files, sorted_by_time
from streams.ports import Output
from tests.e2e.emitted import Emitted
from tests.e2e.harness import OLD_FILES, Stage, on_stage, replayed
from tests.support.kafka.real_kafka import RealKafka

pytestmark = pytest.mark.timeout(600)

# Folder -> its file and dialect.
DATA_SETS: Final = {
    "taobao-users": ("events.csv.gz", "taobao"),
    "rees46-oct2019": ("events.csv.gz", "rees46"),
    "retailrocket-5k": ("events.csv.gz", "retailrocket"),
    "jd-pairs": ("actions.csv.gz", "jd"),
}
_SETTINGS: Final = (*OLD_FILES, "quiet_hours.enabled=false", "clock.lateness=2s")
_WITHIN_S: Final = 400.0
_QUICK: Final = "rees46-oct2019"
_ALL: Final = [
    pytest.param(name, id=name, marks=() if name == _QUICK else pytest.mark.slow) for name in DATA_SETS
]


@pytest.mark.parametrize("data_set", _ALL)
async def test_two_workers_without_transactions(
    data_set: str, data_dir: Path, store: EmbeddedStore, tmp_path: Path
) -> None:
    """On the embedded broker, repeats dropped by their headers."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        await main_job(
            data_dir / data_set, stage_on(broker.bootstrap, store, tmp_path, "engine", "idempotent")
        )


@pytest.mark.slow
@pytest.mark.parametrize("data_set", DATA_SETS)
async def test_two_workers_with_transactions(
    data_set: str,
    data_dir: Path,
    real_kafka: RealKafka,
    store: EmbeddedStore,
    tmp_path: Path,
    unique_name: Callable[[str], str],
) -> None:
    """On Kafka, read by a read_committed consumer."""
    stage = stage_on(real_kafka.bootstrap, store, tmp_path, unique_name("engine"), "transactional")
    await main_job(data_dir / data_set, stage)


def stage_on(bootstrap: str, store: EmbeddedStore, folder: Path, app_id: str, emit: str) -> Stage:
    """An engine of eight lanes."""
    return Stage(
        bootstrap=bootstrap,
        store=store,
        folder=folder,
        app_id=app_id,
        emit=emit,
        partitions=8,
        settings=_SETTINGS,
    )


async def main_job(folder: Path, stage: Stage) -> None:
    """Produce the file by time, wait for the end, and compare with the replay, set by set."""
    file, dialect = DATA_SETS[folder.name]
    events = sorted_by_time(read_files([folder / file], dialect))
    wanted = await replayed(events, _SETTINGS)
    assert wanted
    async with on_stage(stage):
        stage.worker("one"), stage.worker("two")
        await stage.shared_out()
        await stage.produce(events)
        found = await stage.finish(wanted, within_s=_WITHIN_S)
    for fields in (
        ("rule", "person", "subject", "step"),
        ("message_id",),
        ("decision_id", "outcome", "reason"),
    ):
        assert sorted(values(found, fields)) == sorted(values(wanted, fields)), fields


def values(records: Iterable[Output | Emitted], fields: Iterable[str]) -> list[str]:
    """These fields of every message and decision, as text."""
    said: Iterable[dict[str, Any]] = (json.loads(each.value) for each in records if each.topic != topics.DEAD)
    return [json.dumps([one.get(field) for field in fields]) for one in said]
