"""The store on a real cluster of two nodes: each lane finds its node, also after a move."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis as Node
from redis.crc import key_slot

from retarget.errors import BadInput
from streams.embedded.processes import LOOPBACK, ChildProcess, PartMissing, free_port
from streams.embedded.store import store_binary
from streams.ports import Checkpoint, UnknownOutcome
from streams.stores import RedisStore
from streams.stores.keys import lane_keys
from tests.support.missing import unavailable

pytestmark = pytest.mark.embedded
LANES = 8


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    """Two nodes with half of the slots each."""
    try:
        binary = store_binary()
    except PartMissing as error:
        unavailable(str(error))
    with ExitStack() as stack:
        clients, bus = [], [free_port(), free_port()]
        for name, bus_port in zip(("one", "two"), bus, strict=True):
            port = free_port()
            folder = tmp_path / name
            folder.mkdir()
            argv = [binary, "--bind", LOOPBACK, "--port", str(port), "--dir", str(folder), "--save", ""]
            argv += ["--cluster-enabled", "yes", "--cluster-port", str(bus_port)]
            stack.enter_context(ChildProcess(name, argv, port=port, log=folder / "log"))
            clients.append(stack.enter_context(Node(host=LOOPBACK, port=port)))
        _join(bus[0], *clients)
        yield clients


async def test_every_lane_is_served_by_the_node_that_holds_it(nodes: list[Node]) -> None:
    """All lanes work through the address of one node, and each node holds its half of them."""
    store = await RedisStore.connect(_url(nodes[0]), "retarget", LANES)
    try:
        for lane in range(LANES):
            written = Checkpoint(
                expected=0, meta=b"m", journeys=[("{x}", b"%d" % lane)], waits=[("{x}", lane)]
            )
            assert await store.checkpoint(lane, written) == 1
        loaded = [await store.load(lane, ["{x}"]) for lane in range(LANES)]
        assert loaded == [(1, [b"%d" % lane]) for lane in range(LANES)]
        await store.set_pause("rule:x", 1)
        assert await store.pauses() == {"rule:x": 1}
        metas = [len(node.keys("*:m")) for node in nodes]
        assert metas == [LANES // 2, LANES // 2]
    finally:
        await store.close()


async def test_any_node_that_may_evict_is_refused(nodes: list[Node]) -> None:
    """Also one that is not the URL's: it holds lanes all the same."""
    nodes[1].config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(BadInput, match=r"allkeys-lru.*set maxmemory-policy noeviction"):
        await RedisStore.connect(_url(nodes[0]), "retarget", LANES)


async def test_a_lane_is_given_as_a_whole_by_the_node_that_holds_it(nodes: list[Node]) -> None:
    """Asked through another node, and before anything else was asked of that lane."""
    store = await RedisStore.connect(_url(nodes[0]), "retarget", LANES)
    for lane in range(LANES):
        written = [(f"{lane}-{n}", b"x") for n in range(20)]
        await store.checkpoint(lane, Checkpoint(expected=0, meta=b"m", journeys=written))
    await store.close()
    store = await RedisStore.connect(_url(nodes[1]), "retarget", LANES)
    try:
        for lane in range(LANES):
            portions = [portion async for portion in store.portions(lane, 3)]
            found = {one for portion in portions for one in portion.journeys}
            assert found == {(f"{lane}-{n}", b"x") for n in range(20)}
    finally:
        await store.close()


async def test_a_lane_that_moved_to_another_node_is_found_there(nodes: list[Node]) -> None:
    """While it moves its outcomes are unknown; the first call after it is answered by the new node."""
    store = await RedisStore.connect(_url(nodes[0]), "retarget", LANES)
    try:
        for lane in range(LANES):
            assert await store.checkpoint(lane, Checkpoint(expected=0, meta=b"m")) == 1
        for lane in (0, LANES - 1):
            move = begin_move(nodes, lane)
            new = Checkpoint(expected=1, meta=b"m", journeys=[("ann", b"a")])
            with pytest.raises(UnknownOutcome, match="on its way"):
                await store.checkpoint(lane, new)
            end_move(*move)
            assert (await store.image(lane)).sequence == 1
            assert await store.checkpoint(lane, new) == 2
            assert await store.load(lane, ["ann"]) == (2, [b"a"])
    finally:
        await store.close()


async def test_another_node_tells_the_way_when_that_of_the_address_is_gone(
    nodes: list[Node],
) -> None:
    """Lanes of the living node go on, also one never asked for before; the others' outcome is unknown."""
    store = await RedisStore.connect(_url(nodes[0]), "retarget", LANES)
    try:
        for lane in (0, LANES - 1):
            await store.checkpoint(lane, Checkpoint(expected=0, meta=b"m"))
        nodes[1].config_set("cluster-require-full-coverage", "no")
        nodes[0].shutdown(nosave=True)
        with pytest.raises(UnknownOutcome):
            await store.image(0)
        with pytest.raises(UnknownOutcome):
            await store.image(0)
        assert (await store.image(LANES - 1)).sequence == 1
        assert (await store.image(LANES - 2)).sequence == 0
    finally:
        await store.close()


def _url(node: Node) -> str:
    return f"redis://{LOOPBACK}:{port_of(node)}"


def port_of(node: Node) -> int:
    """Where a node listens."""
    return int(node.connection_pool.connection_kwargs["port"])


def tell(node: Node, *command: str | int | bytes) -> bytes:
    """The answer of one node to a command. Raises the errors of redis."""
    answer: bytes = node.execute_command(*command)  # type: ignore[no-untyped-call]
    return answer


def _join(bus_of_one: int, one: Node, two: Node) -> None:
    tell(one, "CLUSTER", "ADDSLOTSRANGE", 0, 8191)
    tell(two, "CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
    tell(two, "CLUSTER", "MEET", LOOPBACK, port_of(one), bus_of_one)
    deadline = time.monotonic() + 20
    while not all(map(_is_whole, (one, two))):
        assert time.monotonic() < deadline, "the cluster did not come together"
        time.sleep(0.05)


def _is_whole(node: Node) -> bool:
    # Its raw text: the client would parse it, and differently in each version.
    facts = str(tell(node, "CLUSTER", "INFO"))
    return "ok" in facts.split("cluster_state")[1][:8] and "16384" in facts.split("cluster_slots_ok")[1][:12]


def begin_move(nodes: list[Node], lane: int) -> tuple[int, Node, Node]:
    """Announce that a lane's slot goes to the other node: the slot, from which node, to which."""
    number = key_slot(lane_keys("retarget", LANES, lane).meta)
    source, target = nodes if number < 8192 else nodes[::-1]
    tell(target, "CLUSTER", "SETSLOT", number, "IMPORTING", tell(source, "CLUSTER", "MYID"))
    tell(source, "CLUSTER", "SETSLOT", number, "MIGRATING", tell(target, "CLUSTER", "MYID"))
    return number, source, target


def end_move(number: int, source: Node, target: Node) -> None:
    """Bring over what is not there yet, and tell both whose the slot is."""
    if keys := source.cluster("GETKEYSINSLOT", str(number), "100"):
        tell(source, "MIGRATE", LOOPBACK, port_of(target), "", 0, 5000, "KEYS", *keys)
    for node in (target, source):
        tell(node, "CLUSTER", "SETSLOT", number, "NODE", tell(target, "CLUSTER", "MYID"))
