"""What only the store on a real server can do wrong: its keys, its scripts, its errors, its address."""

import base64
import json
import os
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
import redis
import uvloop
import zstandard
from msgspec.structs import replace
from redis.crc import key_slot

from bench.chaos.stores import StoreServer
from retarget.errors import BadInput, Damaged, Unreachable
from streams.embedded import EmbeddedStore
from streams.embedded.processes import LOOPBACK, ChildProcess, free_port
from streams.embedded.store import store_binary
from streams.ports import Checkpoint, LaneImage, UnknownOutcome
from streams.stores import RedisStore, open_store
from streams.stores.keys import SLOTS, lane_keys, person_bytes, slot
from streams.stores.link import Link
from streams.stores.packing import FRAME, Compression

pytestmark = pytest.mark.embedded

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"

FIRST = Checkpoint(expected=0, meta=b"m", journeys=[("ann", b"a")], waits=[("ann", 5)])


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A server for this test alone, which may be misconfigured, frozen and killed."""
    with EmbeddedStore(folder=tmp_path) as server:
        yield server


@pytest.fixture
def admin(own: EmbeddedStore) -> Iterator[redis.Redis]:
    """A client of that server, to disturb it with."""
    with redis.Redis.from_url(own.url) as client:
        yield client


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisStore]:
    """The store at `url`, closed afterwards."""
    store = await RedisStore.connect(url, "retarget", 8)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def compressing(url: str, how: Compression = "zstd") -> AsyncIterator[RedisStore]:
    """The same, one that compresses journeys."""
    store = await RedisStore.connect(url, "retarget", 8, compress=how)
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.parametrize("lanes", [1, 7, 8, 64, 256])
def test_a_lanes_keys_lie_in_its_share_of_the_slots(lanes: int) -> None:
    """Lane 3 of 8 lies in the fourth eighth: shards that share the slots evenly share the lanes evenly."""
    slots = [key_slot(lane_keys("retarget", lanes, lane).meta) for lane in range(lanes)]
    assert [number * lanes // SLOTS for number in slots] == list(range(lanes))
    for shards in (2, 3, 5):
        held = Counter(number * shards // SLOTS for number in slots)
        assert max(held.values()) - min(held[shard] for shard in range(shards)) <= 1


@pytest.mark.parametrize("person", ["", "ann", "{}", "{x}", "}{", "{retarget:8:4}", "ä\ud800\r\n"])
def test_no_persons_id_moves_a_key_out_of_its_lane(person: str) -> None:
    """Only the first braces count, and these are the lane's."""
    keys = lane_keys("retarget", 8, 3)
    of_person = keys.journey + person_bytes(person)
    assert {key_slot(keys.meta), key_slot(keys.waits), key_slot(of_person)} == {key_slot(keys.meta)}


def test_our_slot_is_the_servers() -> None:
    """The checksum of the standard library is the one of the cluster's specification."""
    assert [slot(text) for text in ("123456789", "", "ä")] == [
        key_slot(t.encode()) for t in ("123456789", "", "ä")
    ]


def test_apps_and_numbers_of_lanes_share_no_key() -> None:
    """Whoever changes kafka.partitions starts from an empty image, not from that of other lanes."""
    metas = [lane_keys(app, lanes, lane).meta for app in ("a", "b") for lanes in (4, 8) for lane in range(4)]
    assert len(set(metas)) == len(metas)


@pytest.mark.parametrize("app_id", ["", "a{b", "a}b"])
async def test_an_app_id_that_would_break_the_keys_is_refused(app_id: str) -> None:
    """Before anything is asked: braces in it would scatter the lanes or join them."""
    with pytest.raises(BadInput, match=r"app\.id"):
        await open_store("redis://127.0.0.1:1", app_id, 8)


async def test_scripts_are_sent_again_when_the_server_has_forgotten_them(
    own: EmbeddedStore, admin: redis.Redis
) -> None:
    """As a new primary has after a failover."""
    async with connected(own.url) as store:
        assert await store.checkpoint(1, FIRST) == 1
        admin.script_flush()
        assert await store.load(1, ["ann"]) == (1, [b"a"])
        admin.script_flush()
        assert await store.waits(1, 0, 9, 9) == (1, [(5, "ann")])
        admin.script_flush()
        assert await store.checkpoint(1, Checkpoint(expected=1, meta=b"")) == 2


async def test_a_server_that_is_gone_leaves_the_outcome_unknown(own: EmbeddedStore) -> None:
    """Every call says so, and names the address."""
    async with connected(own.url) as store:
        port = urlsplit(own.url).port
        own.stop()
        for call in (
            store.image(1),
            store.load(1, ["ann"]),
            store.waits(1, 0, 9, 9),
            store.checkpoint(1, FIRST),
            store.journey(1, "ann"),
            store.wait_of(1, "ann"),
            store.pauses(),
            store.set_pause("rule:x", 1),
        ):
            with pytest.raises(UnknownOutcome, match=f"127.0.0.1:{port}") as caught:
                await call
            assert isinstance(caught.value.__cause__, redis.RedisError)


async def test_a_checkpoint_that_got_no_answer_is_sent_again_unchanged(
    own: EmbeddedStore, admin: redis.Redis
) -> None:
    """A frozen server has read it and does it once it wakes; the second try finds it done."""
    process = admin.info("server")["process_id"]
    async with connected(own.url + "?socket_timeout=0.2") as store:
        await store.checkpoint(2, FIRST)
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(UnknownOutcome, match="no answer"):
                await store.checkpoint(1, FIRST)
        finally:
            os.kill(process, signal.SIGCONT)
        assert await store.checkpoint(1, FIRST) == 1
        assert await store.load(1, ["ann"]) == (1, [b"a"])


async def test_a_full_server_refuses_the_whole_checkpoint(own: EmbeddedStore, admin: redis.Redis) -> None:
    """Nothing of it is written, the message says what to do, and sent again it is written."""
    async with connected(own.url) as store:
        admin.config_set("maxmemory", 1)
        with pytest.raises(UnknownOutcome, match="raise maxmemory"):
            await store.checkpoint(1, FIRST)
        assert await store.image(1) == LaneImage(0, b"")
        assert await store.load(1, ["ann"]) == (0, [None])
        admin.config_set("maxmemory", 0)
        assert await store.checkpoint(1, FIRST) == 1


async def test_a_server_whose_disk_is_full_refuses_until_there_is_room(tmp_path: Path) -> None:
    """The kernel lets its append-only file grow no more: the error says so, and sent again it is written."""
    with StoreServer("full", tmp_path) as server:
        async with connected(f"redis://{LOOPBACK}:{server.port}") as store:
            written = 0

            async def until_refused() -> None:
                """It takes one more before it finds out, and perhaps what comes within that second."""
                nonlocal written
                while True:
                    written = await store.checkpoint(1, replace(FIRST, expected=written))

            server.fill_disk()
            with pytest.raises(UnknownOutcome, match=r"make room there .*MISCONF"):
                await until_refused()
            server.clear_disk()
            assert await store.checkpoint(1, replace(FIRST, expected=written)) == written + 1


async def test_a_primary_that_became_a_replica_refuses(own: EmbeddedStore, admin: redis.Redis) -> None:
    """Its answer READONLY leaves the outcome unknown; sent again, the call reaches the new primary."""
    async with connected(own.url) as store:
        await store.checkpoint(1, FIRST)
        admin.replicaof("127.0.0.1", str(free_port()))
        with pytest.raises(UnknownOutcome, match="replica"):
            await store.checkpoint(1, Checkpoint(expected=1, meta=b""))
        admin.replicaof("no", "one")
        assert await store.checkpoint(1, Checkpoint(expected=1, meta=b"")) == 2


async def test_a_closed_port_is_unreachable_and_names_the_setting() -> None:
    """With host and port, and how to change them."""
    port = free_port()
    with pytest.raises(Unreachable, match=rf"store at 127\.0\.0\.1:{port} .*store\.url"):
        await open_store(f"redis://127.0.0.1:{port}/0", "retarget", 8)


@pytest.mark.parametrize("user", ["", ":wrong-secret@", "nobody:wrong-secret@"])
async def test_a_wrong_password_is_unreachable_and_never_shown(
    own: EmbeddedStore, admin: redis.Redis, user: str
) -> None:
    """None, a wrong one, or an unknown user: refused at the start, without the secret in the text."""
    admin.config_set("requirepass", "right-secret")
    with pytest.raises(Unreachable, match=r"store\.url") as caught:
        await open_store(own.url.replace("//", f"//{user}"), "retarget", 8)
    assert "secret" not in _all_texts(caught.value)
    async with connected(own.url.replace("//", "//:right-secret@")) as store:
        assert await store.checkpoint(1, FIRST) == 1


async def test_a_password_changed_later_is_unreachable_too(own: EmbeddedStore, admin: redis.Redis) -> None:
    """Sending the call again would not help, so it is no unknown outcome."""
    async with connected(own.url) as store:
        admin.config_set("requirepass", "new")
        _tell(admin, "AUTH", "new")
        _tell(admin, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises((Unreachable, UnknownOutcome)):
            await store.image(1)
        with pytest.raises(Unreachable, match="Authentication required"):
            await store.image(1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "redis:host",
        "http://:secret@host",
        "redis://:secret/x@host:6379",
        "redis://:secret#x@host:6379",
        "redis://:secret@host:port",
        "redis://:secret@host:1?socket_timeout=soon",
        "redis://:secret@host:1?no_such_option=1",
    ],
)
async def test_a_bad_address_is_refused_without_showing_it(url: str) -> None:
    """It names the setting and the forms there are; a password cut in two by its own slash stays secret."""
    with pytest.raises(BadInput, match=r"store\.url: .*redis://") as caught:
        await open_store(url, "retarget", 8)
    assert "secret" not in _all_texts(caught.value)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_both_names_of_the_protocol_are_taken(own: EmbeddedStore, scheme: str) -> None:
    """A `valkey://` address is a `redis://` one."""
    async with connected(own.url.replace("redis", scheme, 1)) as store:
        assert await store.image(1) == LaneImage(0, b"")


async def test_a_socket_of_the_machine_is_an_address_too(tmp_path: Path) -> None:
    """`unix://` works as the others do, and its errors name the path."""
    port = free_port()
    argv = [store_binary(), "--port", str(port), "--bind", LOOPBACK, "--dir", str(tmp_path), "--save", ""]
    with TemporaryDirectory(prefix="rt") as short:  # the name of a socket may have 107 characters only
        path = f"{short}/store.sock"
        with ChildProcess("store", [*argv, "--unixsocket", path], port=port, log=tmp_path / "log"):
            async with connected(f"unix://{path}") as store:
                assert await store.checkpoint(1, FIRST) == 1
                assert await store.load(1, ["ann"]) == (1, [b"a"])
        with pytest.raises(Unreachable, match=path):
            await open_store(f"unix://{path}", "retarget", 8)


async def test_options_of_the_address_cannot_change_what_comes_back(own: EmbeddedStore) -> None:
    """Journeys stay bytes even if the URL asks for text."""
    async with connected(own.url + "?decode_responses=yes&protocol=3") as store:
        await store.checkpoint(1, FIRST)
        assert await store.load(1, ["ann"]) == (1, [b"a"])
        assert await store.wait_of(1, "ann") == 5


@pytest.mark.parametrize(("policy", "limit"), [("allkeys-lru", 100_000_000), ("volatile-ttl", 0)])
async def test_a_server_that_may_evict_is_refused(
    own: EmbeddedStore, admin: redis.Redis, policy: str, limit: int
) -> None:
    """Eviction would be a silent loss of journeys, at once or when it gets a limit."""
    admin.config_set("maxmemory-policy", policy)
    admin.config_set("maxmemory", limit)
    with pytest.raises(BadInput, match=rf"{policy}.*set maxmemory-policy noeviction"):
        await open_store(own.url, "retarget", 8)


async def test_a_server_that_does_not_tell_its_settings_is_taken(
    own: EmbeddedStore, admin: redis.Redis
) -> None:
    """A user without the dangerous commands, INFO among them, can do all that a lane needs."""
    _tell(admin, "ACL", "SETUSER", "lane", "on", ">pw", "~*", "+@all", "-@dangerous", "-@admin")
    async with connected(own.url.replace("//", "//lane:pw@")) as store:
        await store.checkpoint(1, FIRST)
        await store.set_pause("rule:x", 1)
        assert await store.load(1, ["ann"]) == (1, [b"a"])
        assert await store.waits(1, 0, 9, 9) == (1, [(5, "ann")])
        assert await store.pauses() == {"rule:x": 1}


async def test_a_user_may_be_confined_to_the_keys_of_the_app(own: EmbeddedStore, admin: redis.Redis) -> None:
    """Every key begins with the app's id, behind the brace or without one."""
    _tell(admin, "ACL", "SETUSER", "lane", "on", ">pw", "~{retarget:*", "~retarget:*", "+@all")
    async with connected(own.url.replace("//", "//lane:pw@")) as store:
        assert await store.checkpoint(1, FIRST) == 1
        await store.set_pause("rule:x", 1)


def _tell(client: redis.Redis, *command: str) -> None:
    client.execute_command(*command)  # type: ignore[no-untyped-call]


def _all_texts(error: BaseException) -> str:
    texts = []
    seen: BaseException | None = error
    while seen is not None:
        texts.append(f"{seen!r} {seen}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(texts)


def test_a_connection_that_is_broken_off_at_any_moment_leaves_the_outcome_unknown() -> None:
    """Under uvloop, as workers run, which has an error of its own for it."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            time.sleep(random.random() * 0.0003)  # so that some are reset just when something is written
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()  # with a reset

    async def ask() -> None:
        link = Link.to(f"redis://{LOOPBACK}:{server.getsockname()[1]}")
        for _ in range(2_000):
            with pytest.raises(UnknownOutcome):
                await link.call(b"GET", b"x")
        await link.close()

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            uvloop.run(ask())
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_compressed_journeys_are_read_by_every_store() -> None:
    """One that writes them so and one that does not read the same, loaded, looked at and in portions."""
    journey = b"\x02" + b"looked at the television again, " * 200
    with EmbeddedStore() as server, redis.Redis.from_url(server.url) as plain:
        async with compressing(server.url) as small, connected(server.url) as usual:
            await small.checkpoint(3, Checkpoint(expected=0, meta=b"m", journeys=[("ann", journey)]))
            await usual.checkpoint(3, Checkpoint(expected=1, meta=b"m", journeys=[("bob", journey)]))
            prefix = lane_keys("retarget", 8, 3).journey
            sizes = [plain.strlen(prefix + person_bytes(person)) for person in ("ann", "bob")]
            assert sizes[0] < 200 < sizes[1] == len(journey)
            for store in (small, usual):
                assert await store.load(3, ["ann", "bob", "eve"]) == (2, [journey, journey, None])
                assert await store.journey(3, "ann") == journey
                found = [pair async for portion in store.portions(3) for pair in portion.journeys]
                assert dict(found) == {"ann": journey, "bob": journey}


async def test_how_journeys_are_compressed_can_be_changed_at_any_time() -> None:
    """Each way goes on from what others wrote, and the same journeys are loaded, looked at and scanned."""
    lines = (FIXTURES / "columns-1.jsonl").read_text(encoding="utf-8").splitlines()
    journeys = [base64.b64decode(json.loads(line)["journey"]) for line in lines]
    ways: tuple[Compression, ...] = ("none", "zstd", "columns", "zstd", "columns", "none")
    expected, sizes = dict[str, bytes](), dict[str, int]()
    with EmbeddedStore() as server, redis.Redis.from_url(server.url) as plain:
        for at, way in enumerate(ways):
            async with compressing(server.url, way) as store:
                changed = {f"u{at}": journeys[0], "ann": journeys[at % 2]}
                written = Checkpoint(expected=at, meta=b"m", journeys=list(changed.items()))
                assert await store.checkpoint(3, written) == at + 1
                expected |= changed
                sizes[way] = plain.strlen(lane_keys("retarget", 8, 3).journey + person_bytes(f"u{at}"))
                assert await store.load(3, [*expected]) == (at + 1, [*expected.values()])
                assert await store.journey(3, "u0") == journeys[0]
                found = [pair async for portion in store.portions(3) for pair in portion.journeys]
                assert dict(found) == expected
    assert sizes["columns"] < sizes["zstd"] < sizes["none"] == len(journeys[0])


@pytest.mark.parametrize(
    "stored",
    [
        FRAME,
        FRAME + b"nonsense",
        zstandard.compress(b"journey" * 9)[:-3],
        zstandard.compress(bytes(65 * 2**20)),
    ],
    ids=["only a beginning", "nonsense", "cut off", "too large"],
)
async def test_a_damaged_frame_is_refused(stored: bytes) -> None:
    """With a sentence that says what to do; nothing that is larger than any journey is unpacked."""
    with EmbeddedStore() as server, redis.Redis.from_url(server.url) as plain:
        async with connected(server.url) as store:
            plain.set(lane_keys("retarget", 8, 3).journey + person_bytes("ann"), stored)
            with pytest.raises(Damaged, match=r"stored journey .* Restore the store"):
                await store.load(3, ["ann"])
