"""A store with users and TLS: the rights of docs/security.md suffice, and a missing one is told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from retarget.engine.ceilings import Granted, Shortage
from retarget.errors import Unreachable
from streams.embedded import EmbeddedStore
from streams.embedded.processes import LOOPBACK, free_port
from streams.embedded.store import CHOSEN
from streams.ports import Ask, Checkpoint, Portion, UnknownOutcome
from streams.stores import RedisStore
from streams.stores.leases import Leases
from tests.support.certificates import Certificates, certificates
from tests.support.tls_door import tls_door

pytestmark = pytest.mark.embedded

ROOT: Final = Path(__file__).resolve().parents[2]
PASSWORD: Final = "store canary/8"  # noqa: S105 - of a server that lives as long as a test
QUOTED: Final = "store%20canary%2F8"


def rule() -> list[str]:
    """The rule of docs/security.md for the app `retarget`, without the password."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    found = re.search(r"^ACL SETUSER retarget on >PASSWORD (.*)$", text, re.MULTILINE)
    assert found is not None, "the rule is not in docs/security.md"
    return found[1].split()


COMMANDS: Final = [word for word in rule() if word.startswith("+")]
KEYS: Final = [word for word in rule() if word.startswith("~")]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A server where nobody gets in without a password."""
    with EmbeddedStore(folder=tmp_path) as server:
        with redis.Redis.from_url(server.url) as admin:
            given(admin, rule())
            admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">of-the-admin")
        yield server


def given(admin: Any, words: list[str]) -> None:  # noqa: ANN401 - its calls have no types
    """The user `retarget` with exactly these rights."""
    admin.execute_command("ACL", "SETUSER", "retarget", "reset", "on", f">{PASSWORD}", *words)


def url(server: EmbeddedStore, password: str = QUOTED) -> str:
    """The way in for that user."""
    return f"redis://retarget:{password}@{LOOPBACK}:{server.process.port}/0"


async def everything(where: str) -> None:
    """All that a worker, a channel service, `explain`, `pause` and `resume` ask of a store."""
    store = await RedisStore.connect(where, "retarget", 4)
    try:
        full = Checkpoint(
            expected=0, meta=b"m", journeys=[("ann", b"a"), ("bob", b"b")], waits=[("ann", 5)],
            listings=[("p", b"l")], following=[("p", "ann")],
        )  # fmt: skip
        assert await store.checkpoint(2, full) == 1
        less = Checkpoint(
            expected=1, meta=b"n", forgotten=["bob"], unwaited=["bob"], unfollowing=[("p", "ann")]
        )
        assert await store.checkpoint(2, less) == 2
        assert (await store.image(2)).sequence == 2
        assert await store.load(2, ["ann", "bob"]) == (2, [b"a", None])
        assert await store.waits(2, 0, 9, 5) == (2, [(5, "ann")])
        assert await store.listings(2, ["p"]) == (2, [b"l"])
        assert await store.followers(2, [("p", "")], 9) == (2, [[]])
        assert [portion async for portion in store.portions(2)] == [
            Portion(journeys=[("ann", b"a")]),
            Portion(waits=[("ann", 5)]),
            Portion(listings=[("p", b"l")]),
        ]
        assert (await store.journey(2, "ann"), await store.wait_of(2, "ann")) == (b"a", 5)
        ask = Ask("rule", Shortage(window=7, within=1000, most=9, wanted=9), lane=2, has=0, lanes=4)
        assert await store.grant(ask) == Granted(7, 9, last=True)
        await store.set_pause("email", 1)
        assert await store.pauses() == {"email": 1}
        await store.set_pause("email", None)
        await store.revoke_link("m1", 2**42)
        assert await store.link_is_revoked("m1")
        await store.revoke_link("m1", None)
    finally:
        await store.close()
    leases = Leases.at(where, "retarget")
    try:
        leased = await leases.lease("email", 2, asker="a", apart_us=1_000, saved=2, kept_ms=1_000)
        assert leased == (2, 0)
    finally:
        await leases.close()


async def test_the_documented_rights_are_enough(guarded: EmbeddedStore) -> None:
    """Every call works with them, on a server without any script of ours."""
    await everything(url(guarded))


@pytest.mark.parametrize("right", [word for word in COMMANDS if word != "+info"])
async def test_a_missing_command_is_named(guarded: EmbeddedStore, right: str) -> None:
    """The error has the command, and never the password."""
    with redis.Redis.from_url(guarded.url, password="of-the-admin") as admin:  # noqa: S106 - of a test
        given(admin, [word for word in rule() if word != right])

    with pytest.raises((Unreachable, UnknownOutcome)) as refused:
        await everything(url(guarded))

    said = str(refused.value)
    if "NOPERM" in said or "no permissions" in said:
        assert f"'{right.removeprefix('+')}'" in said.lower()
    else:
        assert is_of_redis_7_0(guarded), said
        assert "the rights of store.url's user lack a command" in said
    assert "canary" not in said


def is_of_redis_7_0(server: EmbeddedStore) -> bool:
    """Within a script it says no more than that a command is missing."""
    with redis.Redis.from_url(server.url, password="of-the-admin") as admin:  # noqa: S106 - of a test
        return str(admin.info("server")["redis_version"]).startswith("7.0.")


async def test_without_the_right_to_ask_for_its_memory_it_works(guarded: EmbeddedStore) -> None:
    """Hosted servers forbid that; then nobody looks whether it evicts."""
    with redis.Redis.from_url(guarded.url, password="of-the-admin") as admin:  # noqa: S106 - of a test
        given(admin, [word for word in rule() if word != "+info"])
    await everything(url(guarded))


@pytest.mark.parametrize("right", KEYS)
async def test_missing_keys_are_told(guarded: EmbeddedStore, right: str) -> None:
    """That it may not touch them, and where it stands what it must: servers do not say which."""
    with redis.Redis.from_url(guarded.url, password="of-the-admin") as admin:  # noqa: S106 - of a test
        given(admin, [word for word in rule() if word != right])

    said = r"lack a key pattern.*docs/security\.md"
    with pytest.raises((Unreachable, UnknownOutcome), match=said) as refused:
        await everything(url(guarded))
    assert "canary" not in str(refused.value)


async def test_another_apps_keys_are_out_of_reach(guarded: EmbeddedStore) -> None:
    """Two engines on one server cannot touch each other's people."""
    with pytest.raises((Unreachable, UnknownOutcome)):
        await (await RedisStore.connect(url(guarded), "other", 4)).image(0)


@pytest.mark.parametrize("password", ["wrong-canary", ""])
async def test_a_wrong_password_is_told_and_not_shown(guarded: EmbeddedStore, password: str) -> None:
    """Which setting holds it."""
    with pytest.raises(Unreachable, match=r"store\.url") as refused:
        await everything(url(guarded, password))
    assert "canary" not in str(refused.value)


async def test_the_way_may_be_encrypted(guarded: EmbeddedStore, tmp_path: Path) -> None:
    """`rediss://` with our own authority works; without it the server is not trusted."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    made = certificates(folder)
    with encrypting(guarded, made) as port:
        encrypted = f"rediss://retarget:{QUOTED}@{LOOPBACK}:{port}/0"
        await everything(f"{encrypted}?ssl_ca_certs={made.authority}")
        with pytest.raises(Unreachable, match=r"certificate") as refused:
            await everything(encrypted)
    assert "canary" not in str(refused.value)


@contextmanager
def encrypting(server: EmbeddedStore, made: Certificates) -> Iterator[int]:
    """A port of the server itself where another was chosen than the extra's, which was built without TLS."""
    if CHOSEN not in os.environ:
        with tls_door(server.process.port, made) as port:
            yield port
        return
    own = free_port()
    files = {"cert": made.certificate, "key": made.key, "ca-cert": made.authority}
    with redis.Redis.from_url(server.url, password="of-the-admin") as admin:  # noqa: S106 - of a test
        for name, path in files.items():
            admin.config_set(f"tls-{name}-file", str(path))
        admin.config_set("tls-auth-clients", "no")
        admin.config_set("tls-port", own)
    yield own
