"""The backtest of a topic's history is what the workers that consumed it have sent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from retarget.times import HOUR, SECOND
from streams import topics
from streams.backtest.history import History
from streams.backtest.parts import run_part
from streams.backtest.pool import Plan
from streams.backtest.splitting import Splitting
from streams.clocks import now_ms
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress
from streams.kafka.sending import Outgoing, producing
from streams.lanes.bundle import bundle_of
from streams.ports import Output
from streams.producing import send_all
from streams.resources import default_rules_dir
from tests.e2e.emitted import Emitted
from tests.e2e.harness import OLD_FILES, ROOT, Stage, file_events, on_stage, until
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


async def backtested(stage: Stage, folder: Path) -> list[Output]:
    """The outputs of a backtest of the whole topic, seven parts to a lane."""
    history = History(KafkaAddress(bootstrap=stage.bootstrap), [topics.TOUCHPOINTS])
    await history.look()
    splitting = Splitting(folder, lanes=history.lanes, parts=7, by_time=False)
    async for told in history.told(bundle_of(stage.settings, [], [topics.TOUCHPOINTS]).intake):
        splitting.add(told)
    bundle = Plan(stage.settings, default_rules_dir()).bundles().rules
    found: list[Output] = []
    for part in splitting.close(ahead=0):
        await asyncio.to_thread(run_part, part, bundle, found.append, lambda _: None)
    return found


def command(stage: Stage, *words: str) -> dict[str, Any]:
    """What `retarget backtest --topic` says of the stage's topic."""
    where = [f"kafka.bootstrap={stage.bootstrap}", *stage.given]
    flags = [word for setting in where for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "streams", "backtest", "--topic", *words, *flags, "--json", "-"],
        check=False, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
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


async def send_nameless(stage: Stage) -> None:
    """Send every lane what cannot be used, and a purchase that has no id but its place."""
    purchase = '{"type": "purchase", "user_id": "stranger-%d", "time": %d}'
    values = [(lane, v) for lane in range(_LANES) for v in (b"{", (purchase % (lane, START)).encode())]
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
