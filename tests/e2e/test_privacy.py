"""What is stored of a person is told, taken away, and found no more, while workers are at work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from retarget.times import MINUTE
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.stores import open_store
from streams.topics import lane_of
from tests.e2e.harness import ROOT, Stage, file_events, on_stage, until
from tests.factories import Event, an_item

pytestmark = pytest.mark.timeout(300)

LANES = 4
SETTINGS = ("consent.assume=granted", "quiet_hours.enabled=false", "clock.idle_after=200ms")


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
        await stage.produce(file_events(history(int(time.time() * 1000))), end=False)
        await until(lambda: joined(stage), "both people and their devices joined", stage.logs)
        yield stage


def command(stage: Stage, *words: str, code: int = 0) -> str:
    """What a command of this engine says on its standard output, or where it fails on the other."""
    argv = [sys.executable, "-m", "streams", *words]
    own = (f"kafka.bootstrap={stage.bootstrap}", f"store.url={stage.store.url}")
    for setting in (*stage.given, *own):
        argv += ["--set", setting]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=110)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}\n{stage.logs()}"
    return done.stdout if not code or done.stdout else done.stderr


def exported(stage: Stage, *words: str) -> dict[str, Any]:
    """What `export` says."""
    told: dict[str, Any] = json.loads(command(stage, "export", *words))
    return told


async def joined(stage: Stage) -> bool:
    """Whether both people have the carts of their devices."""
    from retarget.journeys import wire

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
        assert "u2" not in json.dumps(told)
        text = command(stage, "export", "u1", "--text")
        assert "text_version: v7" in text
        assert "nothing is stored of 'nobody'" in command(stage, "export", "nobody", code=1)
