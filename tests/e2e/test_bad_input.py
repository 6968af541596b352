"""What cannot be used is set aside or refused in plain words; what can be used goes its way."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from aiohttp import ClientSession

from retarget.times import format_time
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress
from streams.kafka.sending import Outgoing, producing
from streams.producing import send_all
from tests.e2e.harness import OLD_FILES, ROOT, Stage, on_stage

_NOON: Final = 1_709_294_400_000
_MAX_BYTES: Final = 1000
_LANE: Final = 1
# Each with the reason it must be set aside for.
UNUSABLE: Final = (
    (b"", "not_json"),
    (b"{", "not_json"),
    (b"\xff\xfe\x00", "not_json"),
    (b"[1, 2]", "not_an_object"),
    (b'{"type": "view", "time": 5}', "no_person"),
    (b'{"type": "view", "user_id": "u", "time": "yesterday"}', "bad_time"),
    (b'{"type": "view", "user_id": "u", "items": 3}', "bad_field"),
    (b'{"type": "view", "user_id": "u", "name": "%s"}' % (b"x" * _MAX_BYTES), "too_large"),
    (b'{"colour": "red"}', "unknown_dialect"),
)


def of_the_lane(name: str) -> str:
    """Somebody of that name whose lane this is: what is anybody else's is sent on."""
    return next(one for n in count() if topics.partition_of((one := f"{name}{n}").encode(), 2) == _LANE)


def purchase(name: str, time: int) -> bytes:
    """A purchase, which decides `first_purchase`."""
    person = of_the_lane(name)
    event = {"id": f"buys-{person}", "type": "purchase", "user_id": person, "order_id": person, "time": time}
    return json.dumps(event).encode()


@pytest.fixture
def stage(store: EmbeddedStore, tmp_path: Path) -> Iterator[Stage]:
    """An engine of two lanes on a broker of its own."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        yield stage_on(broker, store, tmp_path)


def stage_on(broker: EmbeddedBroker, store: EmbeddedStore, folder: Path, partitions: int = 2) -> Stage:
    """An engine whose records may have a thousand bytes."""
    return Stage(
        bootstrap=broker.bootstrap,
        store=store,
        folder=folder,
        app_id="engine",
        emit="idempotent",
        partitions=partitions,
        settings=(*OLD_FILES, "quiet_hours.enabled=false", f"input.max_bytes={_MAX_BYTES}"),
    )


async def send_raw(stage: Stage, values: Sequence[bytes | None]) -> None:
    """Send values as they are to one lane; None is a tombstone."""
    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        await send_all(producer, (Outgoing(topics.TOUCHPOINTS, _LANE, b"k", value) for value in values))


async def test_unusable_records_are_set_aside_and_the_lane_goes_on(stage: Stage) -> None:
    """Every kind of bad record is a dead letter with its bytes and place, is counted, and holds nobody up."""
    raw = [purchase("before", _NOON), *(value for value, _ in UNUSABLE), purchase("after", _NOON + 60_000)]
    async with on_stage(stage), stage.outlet() as outlet:
        worker = stage.worker("one", alone=True)
        await stage.shared_out()
        await send_raw(stage, raw)
        await stage.move_clocks(_NOON + 60_000)
        await stage.done()
        records = await outlet.to_end()
        async with ClientSession() as session:
            page = await (await session.get(f"http://127.0.0.1:{worker.port}/metrics")).text()
    letters = [json.loads(each.value) for each in records if each.topic == topics.DEAD]
    found = {letter["offset"]: letter for letter in letters}
    assert len(letters) == len(UNUSABLE) == len(found)
    for offset, (value, reason) in enumerate(UNUSABLE, start=1):
        letter = found[offset]
        assert (letter["reason"], letter["topic"], letter["partition"]) == (reason, topics.TOUCHPOINTS, _LANE)
        assert base64.b64decode(letter["raw"]) == value
    buyers = [json.loads(each.value)["person"] for each in records if each.topic == topics.DECISIONS]
    assert buyers == [of_the_lane("before"), of_the_lane("after")]
    assert 'retarget_dead_letters_total{reason="not_json"} 3.0' in page


async def test_a_dead_letter_does_not_move_the_clock(stage: Stage) -> None:
    """A record that cannot be used tells no time, whatever its time says."""
    late = b'{"type": "view", "time": "%s"}' % format_time(_NOON + 10**9).encode()
    async with on_stage(stage), stage.outlet() as outlet:
        stage.worker("one", alone=True)
        await stage.shared_out()
        await send_raw(stage, [purchase("first", _NOON), late, purchase("second", _NOON + 1000)])
        await stage.move_clocks(_NOON + 1000)
        await stage.done()
        decisions = [
            json.loads(each.value) for each in await outlet.to_end() if each.topic == topics.DECISIONS
        ]
    assert [one["decided_at"] for one in decisions] == [format_time(_NOON), format_time(_NOON + 1000)]


@pytest.mark.slow
async def test_a_record_too_large_for_its_own_dead_letter(store: EmbeddedStore, tmp_path: Path) -> None:
    """The topics that we create take records of 4 MiB; none of them may stop a lane."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker, store, tmp_path)
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            await send_raw(stage, [b"x" * 3_300_000, purchase("after", _NOON)])
            await stage.move_clocks(_NOON)
            await stage.done(within_s=30)
            found = [each.topic for each in await outlet.to_end()]
    assert found.count(topics.DEAD) == 1
    assert found.count(topics.DECISIONS) == 1


# -- what keeps a worker from starting --


def run_worker(*settings: str, within_s: float = 90) -> subprocess.CompletedProcess[str]:
    """Run `retarget run` to its end."""
    argv = [sys.executable, "-m", "streams", "run"]
    for setting in ("web.port=0", *settings):
        argv += ["--set", setting]
    return subprocess.run(argv, capture_output=True, text=True, timeout=within_s, cwd=ROOT, check=False)


def plain_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What it said on standard error."""
    return done.stderr.strip().splitlines()


@pytest.mark.slow
async def test_topics_with_other_partitions_than_lanes_are_refused(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    """Exit 1 and a line with topic and setting: lanes would hold journeys of other people."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        async with on_stage(stage_on(broker, store, tmp_path, partitions=4)):
            where = (f"store.url={store.url}", f"kafka.bootstrap={broker.bootstrap}")
            done = run_worker(*where, "kafka.emit=idempotent", "kafka.partitions=2", within_s=30)
    assert done.returncode == 1
    assert "touchpoints has 4 partitions" in done.stderr
    assert "kafka.partitions is 2" in done.stderr


def test_rules_with_mistakes_are_refused_all_at_once(store: EmbeddedStore, tmp_path: Path) -> None:
    """Exit 1 and a line for every mistake in every file, with its place."""
    (tmp_path / "a.yaml").write_text(
        "rule: a\nsubject: product\ncount: {of: vieww, at_least: 3, within: 24h}\n"
        "steps:\n  - {channels: [email], template: t}\n"
    )
    (tmp_path / "b.yaml").write_text("rule: b\nsubjct: person\n")
    done = run_worker(f"store.url={store.url}", f"rules.dir={tmp_path}")
    lines = plain_lines(done)
    assert done.returncode == 1
    assert any("a.yaml:3: $.count.of" in line and "nearest: view" in line for line in lines)
    assert any("b.yaml:2: $.subjct" in line and "nearest: subject" in line for line in lines)
