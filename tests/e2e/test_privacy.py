"""What is stored of a person is told, taken away, and found no more, while workers are at work."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import MINUTE
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.images import Folder
from streams.kafka import KafkaAddress
from streams.privacy.topics import SENT, of_person
from streams.stores import open_store
from streams.topics import lane_of
from tests.e2e.harness import Stage, file_events, on_stage, until
from tests.factories import Event, an_item

pytestmark = pytest.mark.timeout(300)

LANES = 4
NOW = int(time.time() * 1000)
SETTINGS = (
    "consent.assume=granted",
    "quiet_hours.enabled=false",
    "clock.idle_after=200ms",
    "store.compress=columns",
)


def did(kind: str, at: int, person: str, **fields: object) -> Event:
    """An event of somebody, whose id is told by what it is."""
    who = "anonymous_id" if person.startswith("a") else "user_id"
    return {"id": f"{person}-{kind}-{at}", "type": kind, "time": at, who: person} | fields


def history(now: int) -> Iterator[Event]:
    """Two people with two devices each: carts, words of consent, names; one device joins each of them."""
    for number, user in ((1, "u1"), (2, "u2")):
        for device in (f"a{number}1", f"a{number}2"):
            yield did("add", now - 9 * MINUTE, device, items=[an_item(f"p-{device}")])
            yield did("identify", now - 8 * MINUTE, user, anonymous_id=device) | {"id": f"i-{device}"}
        yield did(
            "profile", now - 7 * MINUTE, user, traits={"email": f"{user}@example.org", "last_name": user}
        )
        said = {"purpose": "marketing", "channel": "email", "state": "granted", "basis": "form"}
        yield did("consent", now - 6 * MINUTE, user, consent=said | {"text_version": "v7"})
        for view in range(3):
            yield did("view", now - 6 * MINUTE + view, user, items=[an_item(f"q-{user}")])
        yield did("add", now - 5 * MINUTE, user, items=[an_item(f"p-{user}")])


@asynccontextmanager
async def at_work(
    broker: EmbeddedBroker, store: EmbeddedStore, folder: Path, app_id: str, *settings: str
) -> AsyncIterator[Stage]:
    """An engine of four lanes that has worked off the history; its worker goes on."""
    stage = Stage(
        bootstrap=broker.bootstrap, store=store, folder=folder, app_id=app_id, emit="idempotent",
        partitions=LANES, settings=(*SETTINGS, *settings),
    )  # fmt: skip
    async with on_stage(stage):
        stage.worker("one", alone=True)
        await stage.shared_out()
        await stage.produce(file_events(history(NOW)), end=False)
        await until(lambda: joined(stage), "both people and their devices joined", stage.logs)
        yield stage


def command(stage: Stage, *words: str, code: int = 0) -> str:
    """What a command of this engine says on its standard output, or where it fails on the other."""
    done = stage.asked(*words, code=code)
    return done.stdout if not code or done.stdout else done.stderr


def exported(stage: Stage, *words: str) -> dict[str, Any]:
    """What `export` says."""
    told: dict[str, Any] = json.loads(command(stage, "export", *words))
    return told


async def joined(stage: Stage) -> bool:
    """Whether both people have the carts of their devices."""
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    try:
        found = [await store.journey(lane_of(user, LANES), user) for user in ("u1", "u2")]
    finally:
        await store.close()
    return all(data is not None and len(wire.decode(data).products) == 4 for data in found)


async def test_everything_that_is_stored_of_a_person_is_told(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Under whichever id it is asked: over all lanes, with waits and consents; nothing of others."""
    async with at_work(own_broker, store, tmp_path, unique_name("engine")) as stage:
        told = exported(stage, "a12", "--topics")
        assert (told["person"], sorted(told["ids"])) == ("u1", ["a11", "a12", "u1"])
        by_id = {one["person"]: one for one in told["stored"]}
        assert by_id["a11"]["is_since"][0]["person"] == "u1"
        assert by_id["a12"]["lane"] == lane_of("a12", LANES)
        assert by_id["u1"]["traits"]["email"] == "u1@example.org"
        word = by_id["u1"]["consents"]["marketing|email"]
        assert (word["basis"], word["text_version"]) == ("form", "v7")
        assert {"lane", "waits_until", "episodes", "events", "first"} <= by_id["u1"].keys()
        assert {one["rule"] for one in told["topics"]["retarget.decisions"]} >= {"repeated_view"}
        mine = [one for one in history(NOW) if (one.get("user_id") or one["anonymous_id"]) in GONE]
        done = {event["id"] for event in mine}
        assert {event["id"] for event in told["topics"]["touchpoints"]} == done
        assert {one["what"] for one in told["topics"]["retarget.internal.merge"]} >= {"joins", "history"}
        assert "u2" not in json.dumps(told)
        text = command(stage, "export", "u1", "--text")
        assert "text_version: v7" in text
        assert "nothing is stored of 'nobody'" in command(stage, "export", "nobody", code=1)


async def everything(stage: Stage) -> dict[str, dict[str, Any]]:
    """All that the store holds of people, by part, each by the person it is under."""
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    journeys: dict[str, Any] = {}
    waits: dict[str, Any] = {}
    following: dict[str, Any] = {}
    try:
        for lane in range(LANES):
            async for portion in store.portions(lane):
                journeys |= dict(portion.journeys)
                waits |= dict(portion.waits)
                following |= {f"{person} {product}": lane for product, person in portion.following}
    finally:
        await store.close()
    return {"journeys": journeys, "waits": waits, "following": following}


def of_others(image: dict[str, dict[str, Any]], gone: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """What of it is under other names."""
    return {
        part: {name: one for name, one in held.items() if name.split()[0] not in gone}
        for part, held in image.items()
    }


async def test_the_store_before_and_after_differs_only_by_the_person(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Under every id there is left only that they were erased; nobody else is touched; twice is once."""
    async with at_work(own_broker, store, tmp_path, unique_name("engine")) as stage:
        before, gone = await everything(stage), ("u1", "a11", "a12")
        told = command(stage, "erase", "a11")
        assert "u1: erased under 3 ids" in told
        assert "1 consents" in told
        assert "retarget.internal.merge keeps for ever" in told
        after = await everything(stage)
        assert of_others(after, gone) == of_others(before, gone)
        assert of_others(before, gone) != before
        left = {name: wire.decode(data) for name, data in after["journeys"].items() if name in gone}
        for name in gone:
            assert left[name] == Journey(person=name, erased=True, erased_at=left[name].erased_at)
        assert not {*after["waits"]} & {*gone}
        assert not [pair for pair in after["following"] if pair.split()[0] in gone]
        assert "nothing was stored but that they had been erased" in command(stage, "erase", *gone)
        assert await everything(stage) == after
        assert "are kept for ever" in command(stage, "erase", "--scan", *gone, code=1)
        # The same input once more, as from an old topic: none of it comes back.
        await stage.produce(file_events(history(NOW)), end=False)
        command(stage, "erase", "u2")
        again = await everything(stage)
        assert {name: again["journeys"][name] for name in gone} == {
            name: after["journeys"][name] for name in gone
        }


async def test_a_snapshot_from_before_brings_nobody_back(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Neither when the store is lost and lanes come back from it, nor is it kept once it has been renewed."""
    snapshots = f"snapshot.folder={tmp_path / 'snapshots'}"
    kept = "snapshot.merge_kept=1d"
    async with at_work(own_broker, store, tmp_path, unique_name("engine"), snapshots, kept) as stage:
        command(stage, "snapshot")
        assert "1 snapshots are from before" in command(stage, "erase", "u1")
        after = await everything(stage)
        stage.workers[0].kill()
        with redis.Redis.from_url(store.url) as client:
            client.flushall()
        stage.worker("two", alone=True)

        async def back() -> bool:
            return (await everything(stage))["journeys"] == after["journeys"]

        await until(back, "all journeys as they were, u1 erased", stage.logs)
        scanned = command(stage, "erase", "--scan", "u1", "a11", "a12", code=1)
        assert "store, 4 lanes: nothing; of 3 ids that they were erased" in scanned
        assert "1 snapshots: " in scanned
        assert "part: a12: a journey" in scanned
        assert "removed" in command(stage, "erase", "u2", "--snapshots")
        scanned = command(stage, "erase", "--scan", "u1", "a11", "a12", "u2", "a21", "a22")
        assert "1 snapshots: nothing" in scanned
        assert "  touchpoints: " in scanned
        assert "topics.inputs_kept=30d" in scanned
        assert len(Folder(tmp_path / "snapshots", stage.app_id, LANES).all()) == 1


async def test_a_device_that_went_on_is_no_part_of_who_had_it_before(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """It is told without who has it now, stays theirs, and keeps nobody from being erased, and proved so."""
    kept = f"snapshot.folder={tmp_path / 'snapshots'}"
    async with at_work(own_broker, store, tmp_path, unique_name("engine"), kept) as stage:
        signed_in = did("identify", NOW - 4 * MINUTE, "u2", anonymous_id="a11") | {"id": "handed on"}
        await stage.produce(file_events([signed_in]), end=False)

        async def handed_on() -> bool:
            told = exported(stage, "u2")
            return "a11" in told["ids"] and any(one["person"] == "a11" for one in told["stored"])

        await until(handed_on, "a11 is u2's device by now", stage.logs)
        assert "u2" not in json.dumps(exported(stage, "u1", "--topics"))
        assert "'u2' is a person of their own" in command(stage, "erase", "u1", "u2", code=1)
        before = await everything(stage)
        told = command(stage, "erase", "u1", "--snapshots")
        assert "u1: erased under 2 ids" in told
        assert "a11 is somebody else's by now, and stays theirs" in told
        scanned = command(stage, "erase", "--scan", "u1", "a11", "a12")
        assert "of 2 ids that they were erased; 1 ids are somebody else's device by now" in scanned
        after = await everything(stage)
        assert after["journeys"]["u2"] == before["journeys"]["u2"]
        assert [to for _, to in wire.decode(after["journeys"]["a11"]).moved] == ["u2"]
        listed = Folder(tmp_path / "snapshots", stage.app_id, LANES).erased()
        assert [name for name in ("u1", "u2", "a11", "a12") if listed.of(name)] == ["u1", "a12"]


GONE = ("u1", "a11", "a12")
SEALED = "privacy.keys=a secret that is long enough"


async def test_once_erased_what_was_told_of_them_cannot_be_read(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """With sealing: until then they, and who asks why, read it; then only that there is something."""
    kept = f"snapshot.folder={tmp_path / 'snapshots'}"
    async with at_work(own_broker, store, tmp_path, unique_name("engine"), SEALED, kept) as stage:
        told = exported(stage, "u1", "--topics")["topics"]["retarget.decisions"]
        assert [one["subject"]["id"] for one in told if one["rule"] == "repeated_view"][:1] == ["q-u1"]
        assert all("sealed" not in one for one in told)
        assert "q-u1" in command(stage, "explain", "u1", "--rule", "repeated_view")
        found = await records_of(stage, "u1")
        assert found
        assert not any(word in one for one in found for word in (b"q-u1", b"example.org"))
        scanned = command(stage, "erase", "--scan", "u1", "a11", "a12", code=1)
        assert "sealed by a key that is gone" not in scanned
        command(stage, "erase", "u1")
        scanned = command(stage, "erase", "--scan", "u1", "a11", "a12")
        counted = re.findall(
            r"(retarget\.[a-z.]+): (\d+) from .*, (\d+) of them sealed by a key that", scanned
        )
        held = {topic: (int(records), int(sealed)) for topic, records, sealed in counted}
        assert held.keys() >= {"retarget.decisions", "retarget.ads"}
        left = [
            json.loads(one)
            for name in GONE
            for one in await records_of(stage, name)
            if b'"sealed":' not in one
        ]
        # What is left in the clear are the words to let them go, and to call back what waits.
        assert {(one["channel"] == "ads", one["operation"]) for one in left} == {
            (True, "remove"), (False, "recall"),
        }  # fmt: skip
        assert not any(one["products"] or one["context"] for one in left)
        assert not any(one["to"] for one in left if one["channel"] not in ("ads", "push"))
        clear = {topic: records - sealed for topic, (records, sealed) in held.items() if records != sealed}
        told_in = Counter(f"retarget.{one['channel']}" for one in left)
        assert {topic: number for topic, number in told_in.items() if topic in held} == clear
        assert "retarget.internal.keys: " in scanned
        assert "nothing is stored" not in command(stage, "export", "u1", "--topics")
        # Touchpoints are as their producers wrote them, until their retention ends; what we told is sealed.
        told = exported(stage, "u1", "--topics")["topics"]
        assert "q-u1" in json.dumps(told["touchpoints"])
        assert "q-u1" not in json.dumps({name: told[name] for name in told if name in SENT})
        assert "q-u2" in command(stage, "explain", "u2", "--rule", "repeated_view")


async def records_of(stage: Stage, person: str) -> list[bytes]:
    """What was decided about a person and sent to them, as it lies in the topics."""
    address = KafkaAddress(bootstrap=stage.bootstrap)
    async with aclosing(of_person(address, SENT, [person])) as found:
        return [seen.value or b"" async for seen in found]
