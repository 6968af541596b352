"""A primary that Sentinel watches: found by its name, and its successor after it died."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis as Node

from retarget.errors import BadInput
from streams.cli import main
from streams.embedded.processes import LOOPBACK, ChildProcess, PartMissing, free_port
from streams.embedded.store import store_binary
from streams.ports import Checkpoint, UnknownOutcome
from streams.stores import RedisStore
from tests.support.missing import unavailable

_WITHIN_S = 30.0


class Watch(NamedTuple):
    """A primary, its replica, and who watches them."""

    primary: ChildProcess
    replica: Node
    url: str


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Two servers and a sentinel, which takes a primary for dead after half a second."""
    try:
        binary = store_binary()
    except PartMissing as error:
        unavailable(str(error))
    with ExitStack() as stack:

        def start(name: str, *options: str, config: str = "") -> ChildProcess:
            port, folder = free_port(), tmp_path / name
            folder.mkdir()
            (folder / "conf").write_text(f"bind {LOOPBACK}\nport {port}\ndir {folder}\n{config}")
            argv = [binary, str(folder / "conf"), *options]
            return stack.enter_context(ChildProcess(name, argv, port=port, log=folder / "log"))

        primary = start("primary", config='save ""\n')
        replica = start("replica", config=f'save ""\nreplicaof {LOOPBACK} {primary.port}\n')
        watched = f"sentinel monitor shop {LOOPBACK} {primary.port} 1\n"
        watched += "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 5000\n"
        sentinel = start("sentinel", "--sentinel", config=watched)
        node = stack.enter_context(Node(host=LOOPBACK, port=replica.port))
        eye = stack.enter_context(Node(host=LOOPBACK, port=sentinel.port))
        _wait(lambda: node.info("replication")["master_link_status"] == "up")
        _wait(lambda: eye.sentinel_master("shop")["num-slaves"] == 1)
        yield Watch(primary, node, f"redis+sentinel://{LOOPBACK}:1,{LOOPBACK}:{sentinel.port}/shop/0")


def _wait(condition: object) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not condition():  # type: ignore[operator] # a function without arguments
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.embedded
def test_a_command_finds_it_by_its_settings(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    """As every worker and command does."""
    assert main(["pause", "abandoned_cart", "--set", f"store.url={watch.url}"]) == 0
    assert main(["pause", "--list", "--set", f"store.url={watch.url}"]) == 0
    assert "abandoned_cart" in capsys.readouterr().out


@pytest.mark.embedded
async def test_the_successor_of_a_dead_primary_is_found(watch: Watch) -> None:
    """The first sentinel of the address is away; the primary dies; its replica goes on with what it had."""
    store = await RedisStore.connect(watch.url, "retarget", 1)
    try:
        await store.checkpoint(0, Checkpoint(expected=0, meta=b"m", journeys=[("ann", b"a")]))
        _wait(lambda: watch.replica.dbsize() == 2)
        watch.primary.kill()
        deadline = time.monotonic() + _WITHIN_S
        second = Checkpoint(expected=1, meta=b"n")
        while True:
            try:
                assert await store.checkpoint(0, second) == 2
                break
            except UnknownOutcome:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
        assert await store.load(0, ["ann"]) == (2, [b"a"])
        assert watch.replica.info("replication")["role"] == "master"
    finally:
        await store.close()


@pytest.mark.parametrize("rest", ["h:x/name", "/name", "h1:1,h2:2", "h/n?nonsense=hunter2", "u:hunter2@/n"])
async def test_a_bad_address_is_refused_without_showing_it(rest: str) -> None:
    """A name and hosts are needed; passwords stay unsaid."""
    with pytest.raises(BadInput, match=r"redis.sentinel://host:port,host:port/name") as refused:
        await RedisStore.connect(f"redis+sentinel://{rest}", "retarget", 1)
    assert "hunter2" not in str(refused.value)
