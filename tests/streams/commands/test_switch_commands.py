import asyncio
from pathlib import Path

import pytest

from streams.embedded import EmbeddedStore
from streams.stores import open_store
from tests.streams.commands.conftest import Retarget


def pauses(url: str) -> dict[str, int]:
    """What the store says is paused."""

    async def read() -> dict[str, int]:
        store = await open_store(url, "retarget", 8)
        try:
            return await store.pauses()
        finally:
            await store.close()

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("words", "stored"),
    [(["email"], "email"), (["abandoned_cart"], "abandoned_cart"), (["all"], "all"), ([], "all")],
)
def test_pause_and_resume_are_stored_and_logged(
    retarget: Retarget, store: EmbeddedStore, words: list[str], stored: str
) -> None:
    """A channel, a rule, or everything; the log says what was thrown, without being asked."""
    where = ["--set", f"store.url={store.url}"]
    paused = retarget("pause", *words, *where)
    assert (paused.code, {*pauses(store.url)}) == (0, {stored})
    assert "is paused since 20" in paused.out
    assert f"paused switch={stored}" in paused.err

    resumed = retarget("resume", *words, *where)
    assert (resumed.code, resumed.out, pauses(store.url)) == (0, "nothing is paused\n", {})
    assert f"resumed switch={stored}" in resumed.err


def test_resume_without_a_name_ends_every_pause(retarget: Retarget, store: EmbeddedStore) -> None:
    """Whatever is paused."""
    where = ["--set", f"store.url={store.url}"]
    retarget("pause", "email", *where)
    retarget("pause", "win_back", *where)
    assert {*pauses(store.url)} == {"email", "win_back"}
    retarget("resume", *where)
    assert pauses(store.url) == {}


def test_a_second_pause_keeps_the_first_ones_time(retarget: Retarget, store: EmbeddedStore) -> None:
    """Since when is a fact about the first."""
    where = ["--set", f"store.url={store.url}"]
    retarget("pause", "email", *where)
    first = pauses(store.url)
    retarget("pause", "email", *where)
    assert pauses(store.url) == first


def test_an_unknown_name_pauses_nothing(retarget: Retarget, store: EmbeddedStore) -> None:
    """Exit 1 with the nearest known name; nothing is stored."""
    answer = retarget("pause", "emial", "--set", f"store.url={store.url}")
    assert (answer.code, pauses(store.url)) == (1, {})
    assert answer.err.endswith("nearest: email\n")


def test_a_channel_can_be_paused_while_the_rules_are_broken(
    retarget: Retarget, store: EmbeddedStore, tmp_path: Path
) -> None:
    """A kill switch asks the rules only about names that nothing else has."""
    answer = retarget("pause", "email", "--set", f"store.url={store.url}", "--set", f"rules.dir={tmp_path}")
    assert (answer.code, {*pauses(store.url)}) == (0, {"email"})


def test_list_changes_nothing(retarget: Retarget, store: EmbeddedStore) -> None:
    """What is paused is printed and stays so."""
    where = ["--set", f"store.url={store.url}"]
    assert retarget("pause", "--list", *where).out == "nothing is paused\n"
    retarget("pause", "push", *where)
    assert retarget("resume", "--list", *where).out.startswith("push is paused since")
    assert {*pauses(store.url)} == {"push"}


def test_resuming_what_is_not_paused_is_a_mistake(retarget: Retarget, store: EmbeddedStore) -> None:
    """It says what is."""
    answer = retarget("resume", "email", "--set", f"store.url={store.url}")
    assert (answer.code, answer.err) == (1, "email is not paused; nothing is\n")


def test_with_published_rules_a_switch_works_without_kafka(retarget: Retarget, store: EmbeddedStore) -> None:
    """Who cannot be asked for the names of rules does not keep anybody from pausing one."""
    where = ["--set", f"store.url={store.url}", "--set", "kafka.bootstrap=127.0.0.1:1"]
    paused = retarget("pause", "a_rule_of_theirs", *where, "--set", "rules.source=topic")
    assert (paused.code, {*pauses(store.url)}) == (0, {"a_rule_of_theirs"})
