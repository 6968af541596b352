"""The backtest of a topic's history is what the workers that consumed it have sent."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from retarget.times import DAY, HOUR, SECOND
from streams import topics
from streams.backtest.history import History
from streams.backtest.parts import run_part
from streams.backtest.pool import Plan
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import Splitting
from streams.clocks import now_ms
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, Reader
from streams.kafka.sending import Outgoing, producing
from streams.lanes import positions
from streams.lanes.bundle import bundle_of
from streams.ports import Output
from streams.producing import keyed, send_all
from streams.resources import default_rules_dir
from streams.stores.opening import open_store
from tests.e2e.emitted import Emitted
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage, until
from tests.e2e.test_identity import LANES, PEOPLE, SETTINGS, after, before, joined, last, words
from tests.oracle.histories import START, random_history

_LANES: Final = 3
_QUICK: Final = """
rule: forgotten_cart
description: Somebody filled a cart and went away.
subject: cart
quiet: {after: 2s, opens: [add]}
unless: [purchase]
steps: [{channels: [push, email], template: a}, {after: 2s, channels: [email], template: b}]
"""


def stage_on(bootstrap: str, store: EmbeddedStore, folder: Path, *settings: str) -> Stage:
    """An engine of three lanes."""
    return Stage(
        bootstrap=bootstrap, store=store, folder=folder, app_id="engine", emit="idempotent",
        partitions=_LANES, settings=settings,
    )  # fmt: skip


def by_person(outputs: Sequence[Output | Emitted]) -> dict[bytes, dict[str, list[bytes]]]:
    """What each person's records say, topic by topic, in their order; dead letters apart."""
    found: dict[bytes, dict[str, list[bytes]]] = {}
    for one in outputs:
        if one.topic != topics.DEAD:
            found.setdefault(one.key, {}).setdefault(one.topic, []).append(one.value)
    return found


async def backtested(stage: Stage, folder: Path, rules: Path | None = None) -> list[Output]:
    """The outputs of a backtest of the whole topic, seven parts to a lane where it may be cut."""
    history = History(KafkaAddress(bootstrap=stage.bootstrap), [topics.TOUCHPOINTS])
    await history.look()
    on_trial = Plan(stage.settings, rules or default_rules_dir()).bundles().over(history.lanes)
    bundle, sharing = on_trial.rules, max(on_trial.shared.values(), default=Sharing.PERSON)
    splitting = Splitting(
        folder, lanes=history.lanes, parts=7, by_time=False, is_nobody=bundle.policy.is_nobody,
        sharing=sharing,
    )  # fmt: skip
    async for told in history.told(bundle_of(stage.settings, [], [topics.TOUCHPOINTS]).intake):
        splitting.add(told)
    found: list[Output] = []
    for part in splitting.close(ahead=0):
        await asyncio.to_thread(run_part, part, bundle, found.append, lambda _: None)
    return found


def command(stage: Stage, *words: str) -> dict[str, Any]:
    """What `retarget backtest --topic` says of the stage's topic."""
    found: dict[str, Any] = json.loads(stage.asked("backtest", "--topic", *words, "--json", "-").stdout)
    return found


def sends_of(found: Sequence[Emitted]) -> Counter[tuple[str, str]]:
    """The sends in the topics, by rule and channel."""
    said = [json.loads(one.value) for one in found if one.topic not in (topics.DECISIONS, topics.DEAD)]
    return Counter((one["rule"], one["channel"]) for one in said if one["operation"] in ("send", "add"))


def sends_in(side: dict[str, Any]) -> Counter[tuple[str, str]]:
    """The sends in the figures, by rule and channel."""
    found: Counter[tuple[str, str]] = Counter()
    for row in side["sends"]:
        found[row["rule"], row["channel"]] += row["count"]
    return found


@pytest.mark.parametrize("displaced", [0, HOUR])
async def test_a_backtest_of_what_workers_consumed_is_what_they_sent(
    store: EmbeddedStore, tmp_path: Path, displaced: int
) -> None:
    """Byte for byte and person by person, also when much comes too late and some of it cannot be used."""
    history = random_history(7, 1_500, displaced_ms=displaced)
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, *OLD_FILES)
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            await send_nameless(stage)
            await stage.produce(file_events(history))
            await stage.done()
            found = await outlet.to_end()
            assert sum(one.topic == topics.DEAD for one in found) == _LANES
            (tmp_path / "parts").mkdir()
            wanted = by_person(found)
            assert by_person(await backtested(stage, tmp_path / "parts")) == wanted
            assert len(wanted) >= 5
            report = await asyncio.to_thread(command, stage)
    assert sends_in(report["rules"]) == sends_of(found)
    assert report["unusable"] == {"not_json": _LANES}


async def test_what_workers_sent_because_of_the_catalogue(store: EmbeddedStore, tmp_path: Path) -> None:
    """Prices and stock from the catalogue and from touchpoints, told to every lane: byte for byte, too."""
    # The heartbeats of every stretch go to every lane, as do those of the history.
    history = random_history(7, 1_200)
    half = len(history) // 2
    now, late = history[half - 1]["time"], history[-1]["time"]
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, *OLD_FILES)
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            await listed(stage, [("p1", now - DAY, {"stock": 3}), ("p2", now - DAY, {"stock": 0})])
            await stage.produce(file_events(history[:half]))
            await stage.done()
            # Some of it is told when the clock is there, and some of it is held.
            changes = [("p1", now, 2), ("p2", now + HOUR, 1), ("p3", now - HOUR, 1), ("p4", late - HOUR, 1)]
            await listed(stage, [(product, time, {"price": price}) for product, time, price in changes])
            await listed(stage, [("p2", now + 2 * HOUR, {"stock": 2})])
            await stage.produce(file_events(history[half:]))
            await stage.done()
            change = {"type": "price_change", "time": late, "items": [{"product_id": "p5", "price": 1}]}
            await stage.produce(file_events([change]), end=False)
            await fanned(stage, 8)
            await stage.move_clocks(late + DAY)
            await stage.done()
            found = await outlet.to_end()
            (tmp_path / "parts").mkdir()
            assert by_person(await backtested(stage, tmp_path / "parts")) == by_person(found)
            report = await asyncio.to_thread(command, stage)
    assert sends_in(report["rules"]) == sends_of(found)
    beats = 3 + sum(event["type"] == "heartbeat" for event in history)
    assert report["records"] == len(history) - beats + 3 + 1 + 8 + _LANES * beats
    sent = {rule for rule, _ in sends_of(found)}
    assert {"price_drop", "back_in_stock"} <= sent


@pytest.mark.timeout(300)
async def test_people_of_several_lanes_who_turned_out_to_be_one(store: EmbeddedStore, tmp_path: Path) -> None:
    """What their lanes have told each other is told each other again: byte for byte what was sent."""
    chance = Random(5)
    stories = [file_events(part) for part in (before(chance), words(), after(chance), last())]
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = Stage(
            bootstrap=broker.bootstrap, store=store, folder=tmp_path, app_id="engine", emit="idempotent",
            partitions=LANES, settings=SETTINGS,
        )  # fmt: skip
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            for story in stories[:2]:
                await stage.produce(story)
            await stage.done()
            await joined(stage)
            await stage.produce(stories[2], end=False)
            await joined(stage)
            await stage.produce(stories[3])
            await stage.done()
            wanted = by_person(await outlet.to_end())
            (tmp_path / "parts").mkdir()
            assert by_person(await backtested(stage, tmp_path / "parts")) == wanted
    assert len(wanted) >= PEOPLE // 2
    said = [json.loads(value) for found in wanted.values() for value in found.get(topics.DECISIONS, ())]
    assert {one["person"][0] for one in said if one["rule"] == "abandoned_cart"} == {"u"}


async def listed(stage: Stage, told: Sequence[tuple[str, int, dict[str, float]]]) -> None:
    """Tell the catalogue, and wait until every lane has heard of it: product, time, what of it."""
    before = await fanned(stage, 0)
    records = [
        keyed(product.encode(), json.dumps({"time": time, **said}).encode(), topics.CATALOGUE, _LANES)
        for product, time, said in told
    ]
    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        await send_all(producer, records)
    await fanned(stage, before + len(records))


async def fanned(stage: Stage, wanted: int) -> int:
    """Wait until so many records of the catalogue are worked off by every lane; how many there are."""
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    lanes = await open_store(stage.store.url, stage.app_id, _LANES)
    try:

        async def heard() -> bool:
            stands = [positions.decode((await lanes.image(lane)).meta) for lane in range(_LANES)]
            return all(stand.frontier.get(topics.FANNED, 0) >= wanted for stand in stands)

        await until(heard, f"{wanted} records of the catalogue in every lane", stage.logs)
        return await reader.end(topics.FANNED, 0)
    finally:
        await reader.close()
        await lanes.close()


def of_lane(lane: int) -> str:
    """Somebody whose lane this is: what is anybody else's is sent on, and comes later."""
    return next(
        one for n in count() if topics.partition_of((one := f"stranger-{n}").encode(), _LANES) == lane
    )


async def send_nameless(stage: Stage) -> None:
    """Send every lane what cannot be used, and a purchase that has no id but its place."""
    purchase = '{"type": "purchase", "user_id": "%s", "time": %d}'
    values = [
        (lane, v) for lane in range(_LANES) for v in (b"{", (purchase % (of_lane(lane), START)).encode())
    ]
    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        await send_all(producer, (Outgoing(topics.TOUCHPOINTS, lane, b"k", value) for lane, value in values))


async def test_with_the_wall_clock_the_sends_are_the_same(store: EmbeddedStore, tmp_path: Path) -> None:
    """By default the wall clock moves idle lanes on; also what then came too late is regretted in both."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "forgotten_cart.yaml").write_text(_QUICK)
    settings = ("consent.assume=granted", "quiet_hours.enabled=false", f"rules.dir={rules}", "caps.total=off")
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, *settings, "clock.lateness=500ms")
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()

            async def come(channel: str, operation: str, count: int) -> None:
                async def there() -> bool:
                    await outlet.poll()
                    found = [json.loads(each.value) for each in outlet.records]
                    return [e.get("operation") for e in found if e["channel"] == channel].count(
                        operation
                    ) >= 2 * count

                await until(there, f"{count} {operation} on {channel}", stage.logs)

            at = now_ms() - SECOND
            carts = [(f"u{number}", "add", at) for number in range(6)]
            await happen(stage, [*carts, ("u0", "purchase", at + 1)])
            await come("push", "send", 5)
            # A telephone that had no network: it was bought before it was sent.
            await happen(stage, [("u1", "purchase", at + SECOND)])
            await come("push", "recall", 1)
            await come("email", "send", 4)
            report = await asyncio.to_thread(command, stage)
    assert sends_in(report["rules"]) == sends_of(outlet.records)
    assert sends_in(report["rules"])["forgotten_cart", "push"] == 5
    decided = [json.loads(one.value) for one in outlet.records if one.topic == topics.DECISIONS]
    regretted = Counter((one["rule"], one["channel"]) for one in decided if one.get("regretted"))
    assert {(r["rule"], r["channel"]): r["count"] for r in report["rules"]["regretted"]} == regretted
    assert regretted["forgotten_cart", "push"] == 1


async def happen(stage: Stage, events: Sequence[tuple[str, str, int]]) -> None:
    """Send what people do with one product: person, type, time."""
    made = [
        {"type": kind, "user_id": person, "time": at, "items": [{"product_id": "p1"}]}
        for person, kind, at in events
    ]
    await stage.produce(file_events(made), end=False)
