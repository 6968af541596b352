"""What people share: with rates, ceilings, the guard and pools, too, a backtest is what the workers sent."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from retarget.touchpoints import Touchpoint
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent
from streams.kafka import KafkaAddress, Reader
from streams.kafka.sending import Outgoing, producing
from streams.lanes import positions
from streams.producing import send_all
from streams.resources import default_rules_dir
from streams.stores.opening import open_store
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage, until
from tests.e2e.test_backtest import backtested, by_person, command, sends_in, sends_of, stage_on
from tests.oracle.histories import random_history

_LANES: Final = 3
_SHARED: Final = (
    *OLD_FILES, "rates.push=1/2h", "rates.email=3/1d", "guard.purchase_silence=12h", "caps.total=off",
    "quiet_hours.enabled=false",
)  # fmt: skip
_WITH_A_CODE: Final = """
rule: thanks_with_a_code
description: Whoever bought gets one of the codes that another house has made.
subject: person
event: purchase
again: 7d
steps: [{channels: [email], template: thanks, offer: {percent: 10, expires: 7d, codes: partner}}]
"""
_CEILINGS: Final = {"abandoned_cart": "6/7d", "first_purchase": "2/30d"}


def rules_in(folder: Path, ceilings: dict[str, str]) -> Path:
    """The rules that ship, some with a ceiling, and one that gives out codes of a pool."""
    (rules := folder / "rules").mkdir()
    for file in default_rules_dir().glob("*.yaml"):
        if not file.name.endswith(".cases.yaml"):
            most = ceilings.get(file.stem)
            text = file.read_text(encoding="utf-8")
            (rules / file.name).write_text(text + (f"ceiling: {most}\n" if most else ""), encoding="utf-8")
    (rules / "thanks_with_a_code.yaml").write_text(_WITH_A_CODE)
    (folder / "codes.txt").write_text("".join(f"PARTNER{number:03}\n" for number in range(60)))
    return rules


def shared_in(folder: Path, ceilings: dict[str, str]) -> tuple[str, ...]:
    """The settings of an engine whose people share something."""
    codes = f"offers.codes=partner={folder / 'codes.txt'}"
    return (*_SHARED, f"rules.dir={rules_in(folder, ceilings)}", codes)


def decisions(found: Sequence[Any]) -> list[dict[str, Any]]:
    """What the records say."""
    return [json.loads(one.value) for one in found if one.topic == topics.DECISIONS]


async def read_by(stage: Stage, lane: int, clock: int) -> None:
    """Wait until a lane has read all that it has, and its clock is there."""
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    store = await open_store(stage.store.url, stage.app_id, _LANES)
    try:
        end = await reader.end(topics.TOUCHPOINTS, lane)

        async def there() -> bool:
            stands = positions.decode((await store.image(lane)).meta)
            return stands.frontier.get(topics.TOUCHPOINTS, 0) >= end and stands.clock >= clock

        await until(there, f"lane {lane} at the end of what it has", stage.logs)
    finally:
        await reader.close()
        await store.close()


async def one_after_the_other(stage: Stage, stretch: Sequence[FileEvent]) -> None:
    """Send each lane its records of a stretch, and the time, when the lane before is done with its own."""
    clock = max(each.found.time for each in stretch if isinstance(each.found, Touchpoint))
    beat = b'{"type": "heartbeat", "time": %d}' % (clock + stage.settings.clock.lateness)
    records = list(stage.outgoing(stretch))
    for lane in range(_LANES):
        async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
            own = [record for record in records if record.partition == lane]
            await send_all(producer, [*own, Outgoing(topics.TOUCHPOINTS, lane, b"", beat)])
        await read_by(stage, lane, clock)


async def test_rates_guard_and_pools_of_lanes_that_work_side_by_side(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    """Each lane has its own share of these, whatever the others do: byte for byte what was sent."""
    settings = shared_in(tmp_path, {})
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, *settings)
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            await stage.produce(file_events(random_history(7, 1_200, long_gaps=False)))
            await stage.done()
            found = await outlet.to_end()
            (tmp_path / "parts").mkdir()
            again = await backtested(stage, tmp_path / "parts", tmp_path / "rules")
            report = await asyncio.to_thread(command, stage, "--jobs", "2")
    assert by_person(again) == by_person(found)
    assert sends_in(report["rules"]) == sends_of(found)
    assert report["shared"] == [
        "pools of codes",
        "the purchase guard",
        "the rate of email",
        "the rate of push",
    ]
    require_shared(found)


def require_shared(found: Sequence[Any]) -> None:
    """All of it made a difference: messages were paced, rules paused and went on, codes were given."""
    said = decisions(found)
    sent = [json.loads(one.value) for one in found if one.topic in ("retarget.email", "retarget.push")]
    assert sum(one["not_before"] is not None for one in sent) > 20
    paused = [one for one in said if one["reason"] == "paused"]
    assert any("no purchase since" in str(one["gates"]) for one in paused)
    resumed = {one["rule"] for one in paused} & {one["rule"] for one in said if one["outcome"] == "sent"}
    assert "abandoned_cart" in resumed
    codes = [one["offer"]["code"] for one in sent if one["rule"] == "thanks_with_a_code" and one["offer"]]
    assert len(codes) == len(set(codes)) > 5


async def test_ceilings_that_lanes_share(store: EmbeddedStore, tmp_path: Path) -> None:
    """Who is granted what is the same again where lanes ask one after the other: byte for byte, too."""
    settings = shared_in(tmp_path, _CEILINGS)
    history = file_events(random_history(7, 1_200, long_gaps=False))
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, *settings)
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            for first in range(0, len(history), 150):
                await one_after_the_other(stage, history[first : first + 150])
            found = await outlet.to_end()
            (tmp_path / "parts").mkdir()
            again = await backtested(stage, tmp_path / "parts", tmp_path / "rules")
            report = await asyncio.to_thread(command, stage)
    assert by_person(again) == by_person(found)
    assert sends_in(report["rules"]) == sends_of(found)
    assert "the ceiling of abandoned_cart" in report["shared"]
    require_shared(found)
    stopped = Counter(one["rule"] for one in decisions(found) if one["reason"] == "ceiling")
    assert set(stopped) == set(_CEILINGS)
    lanes = {topics.lane_of(one["person"], _LANES) for one in decisions(found) if one["reason"] == "ceiling"}
    assert lanes == set(range(_LANES))
