"""`retarget rules`: published by content, listed, published again, and told in words."""

import asyncio
import json
from pathlib import Path

from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress
from streams.kafka.looking import Seen, looking, records, spans
from streams.kafka.sending import Outgoing, producing, send
from streams.kafka.shelf import PUBLISHED
from streams.ports import Checkpoint
from streams.stores import open_store
from streams.topics import RULES
from tests.streams.commands.conftest import Answer, Retarget

RULE = "rule: looks\nsubject: product\ncount: {{of: view, at_least: {}, within: 24h}}\nsteps: [{{channels: [push], template: t}}]\n"  # noqa: E501 - one line of text
CASES = """\
rule: looks
cases:
  - case: Two views are enough.
    events: [{at: "10:00", type: view, products: tent}, {at: "10:01", type: view, products: tent}]
    expect: [{at: "10:01", sent: push}]
"""


def content(broker: EmbeddedBroker) -> list[Seen]:
    """Every record of the topic."""

    async def read() -> list[Seen]:
        address = KafkaAddress(bootstrap=broker.bootstrap)
        async with looking(address, "read_committed") as consumer:
            held = await spans(address, RULES, [0])
            return [seen async for seen in records(consumer, RULES, held)]

    return asyncio.run(read())


def put(broker: EmbeddedBroker, key: str, value: bytes) -> None:
    """Write a record that no command would write."""

    async def write() -> None:
        async with producing(KafkaAddress(bootstrap=broker.bootstrap)) as producer:
            await send(producer, [Outgoing(RULES, 0, key.encode(), value)])

    asyncio.run(write())


def rules(folder: Path, at_least: int) -> Path:
    """A folder with one rule."""
    folder.mkdir()
    (folder / "looks.yaml").write_text(RULE.format(at_least))
    return folder


def test_published_twice_is_published_once(
    retarget: Retarget, engine: EmbeddedBroker, tmp_path: Path
) -> None:
    """The same content adds nothing to the topic, however it is laid out; other content is told in words."""

    def command(*words: object) -> Answer:
        return retarget(*words, "--set", f"kafka.bootstrap={engine.bootstrap}")

    two, three = rules(tmp_path / "two", 2), rules(tmp_path / "three", 3)
    assert (
        command("diff", "published", two).err == "no rules are published; `retarget rules publish` does it\n"
    )

    first = command("rules", "publish", two)
    assert first.code == 0, first.err
    assert first.out.endswith(" is published, 1 rules\n")
    assert len(content(engine)) == 2

    (two / "looks.yaml").write_text("# laid out otherwise\n" + RULE.format("2 "))
    again = command("rules", "publish", two)
    assert again.code == 0, again.err
    assert " is published already, since 20" in again.out
    assert len(content(engine)) == 2

    second = command("rules", "publish", three, "--set", "quiet_hours.end=09:00")
    assert second.out.splitlines()[1:] == [
        "looks: changed",
        "  from 3 on instead of 2",
        "settings: changed",
        "  quiet_hours.end: 09:00 instead of 08:00",
        "rules: 1 changed, 0 alike",
    ]
    assert len(content(engine)) == 4

    listed = [json.loads(line) for line in command("rules", "list", "--json").out.splitlines()]
    assert [one["published"] for one in listed] == [False, True]
    assert [one["rules"] for one in listed] == [["looks"], ["looks"]]
    old, new = (one["bundle"] for one in listed)
    assert command("rules", "list").out.splitlines()[1].endswith("  published")

    said = command("diff", old[:6], "published", "--json")
    assert json.loads(said.out)["rules"][0]["says"] == ["from 3 on instead of 2"]
    assert json.loads(said.out)["settings"] == ["quiet_hours.end: 09:00 instead of 08:00"]
    assert command("diff", new, three, "--set", "quiet_hours.end=09:00").out == "rules: 1 alike\n"
    assert command("diff", "abcdef", three).err == (
        "abcdef is the id of no bundle; `retarget rules list` shows them\n"
    )

    (three / "looks.yaml").write_text(RULE.format(3).replace("product", "category"))
    other = command("rules", "publish", three)
    assert other.code == 1
    assert other.err.startswith(
        "rule looks: is about each category, and what is published is about each product;"
    )

    back = command("rules", "publish", old)
    assert back.out.splitlines()[2] == "  from 2 on instead of 3"
    assert len(content(engine)) == 5


def test_what_does_not_pass_its_cases_is_not_published(
    retarget: Retarget, engine: EmbeddedBroker, tmp_path: Path
) -> None:
    """Rules that are wrong, or do otherwise than their cases say, leave the topic as it was."""
    folder = rules(tmp_path / "rules", 3)
    (folder / "looks.cases.yaml").write_text(CASES)
    answer = retarget("rules", "publish", folder, "--set", f"kafka.bootstrap={engine.bootstrap}")
    assert answer.code == 1
    assert "looks.cases.yaml:5: Two views are enough." in answer.err

    (folder / "looks.yaml").write_text("rule: looks\nsubject: moon\n")
    answer = retarget("rules", "publish", folder, "--set", f"kafka.bootstrap={engine.bootstrap}")
    assert answer.code == 1
    assert "looks.yaml:2: $.subject: " in answer.err
    assert content(engine) == []


def test_what_is_published_is_what_was_tried(
    retarget: Retarget, engine: EmbeddedBroker, tmp_path: Path
) -> None:
    """A file named twice counts once, cases are no rules, and without a rule there is nothing to publish."""
    where = ("--set", f"kafka.bootstrap={engine.bootstrap}")
    folder = rules(tmp_path / "rules", 2)
    cases = folder / "looks.cases.yaml"
    cases.write_text(CASES)
    answer = retarget("rules", "publish", folder, folder / "looks.yaml", cases, *where)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith(" is published, 1 rules\n")

    nothing = tmp_path / "nothing"
    nothing.mkdir()
    (nothing / "later.cases.yaml").write_text("# to be written\n")
    answer = retarget("rules", "publish", nothing, *where)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"{nothing}: no rules; known: ")
    assert len(content(engine)) == 2


def test_an_old_bundle_that_means_something_else_now_is_not_published(
    retarget: Retarget, engine: EmbeddedBroker, tmp_path: Path
) -> None:
    """Under another id than its own it would decide what nobody has tried."""
    where = ("--set", f"kafka.bootstrap={engine.bootstrap}")
    retarget("rules", "publish", rules(tmp_path / "rules", 2), *where)
    (shelved,) = [seen for seen in content(engine) if seen.key != PUBLISHED]
    put(engine, "00000000000000bb", shelved.value or b"")
    answer = retarget("rules", "publish", "00000000", *where)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("bundle 00000000000000bb: this build understands it otherwise, as ")
    assert len(content(engine)) == 3


def test_the_published_bundle_is_missing(
    retarget: Retarget, engine: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Records of the topic are lost: told in a line; a switch and a new publication still work."""
    where = ("--set", f"kafka.bootstrap={engine.bootstrap}")
    folder = rules(tmp_path / "rules", 2)
    put(engine, PUBLISHED.decode(), b'{"bundle": "00000000000000cc", "at": "2026-03-02T10:00:00.000Z"}')
    answer = retarget("diff", "published", folder, *where)
    assert (answer.code, answer.err) == (1, "bundle 00000000000000cc is not in the topic of rules\n")
    answer = retarget(
        "pause", "looks", *where, "--set", f"store.url={store.url}", "--set", "rules.source=topic"
    )
    assert answer.code == 0, answer.err
    assert answer.out.startswith("looks is paused since ")
    assert retarget("rules", "publish", folder, *where).code == 0


def test_a_canary_is_begun_shown_and_ended(
    retarget: Retarget, engine: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Some people first, then everybody, then back; each says in words what it means."""

    def command(*words: object) -> Answer:
        where = ("--set", f"kafka.bootstrap={engine.bootstrap}", "--set", f"store.url={store.url}")
        return retarget(*words, *where)

    two, three = rules(tmp_path / "two", 2), rules(tmp_path / "three", 3)
    early = command("rules", "publish", three, "--canary", "10%")
    assert (early.code, early.err) == (
        1, "no rules are published that a canary could be beside; publish without --canary\n"
    )  # fmt: skip
    assert command("rules", "publish", two).code == 0
    assert command("rules", "promote").err.startswith("no canary is under way; ")

    begun = command("rules", "publish", three, "--canary", "10%")
    assert begun.code == 0, begun.err
    assert begun.out.splitlines()[1:] == [
        "canary: for 10 % of the people, in shadow for all others",
        "  looks: changed",
        "    from 3 on instead of 2",
        "rules: 1 alike",
    ]
    assert " is published already, since 20" in command("rules", "publish", three, "--canary", "0.1").out
    assert ", canary for 10 %, retarget " in command("rules", "list").out.splitlines()[-1]
    shown = [json.loads(line)["canary"] for line in command("rules", "list", "--json").out.splitlines()]
    assert shown == [None, 0.1]
    said = json.loads(command("diff", two, "published", "--json").out)
    assert (said["rules"], said["canary"]["share"]) == ([], 0.1)
    assert said["canary"]["rules"][0]["says"] == ["from 3 on instead of 2"]

    promoted = command("rules", "promote")
    assert promoted.out.splitlines()[1:4] == [
        "canary: ended, everybody gets the same rules",
        "looks: changed",
        "  from 3 on instead of 2",
    ]
    command("rules", "publish", two, "--canary", "50%")
    withdrawn = command("rules", "withdraw")
    assert withdrawn.out.splitlines()[1:] == [
        "canary: ended, everybody gets the same rules",
        "rules: 1 alike",
    ]
    wrong = command("rules", "withdraw", two)
    assert (wrong.code, wrong.err) == (
        1, "rules withdraw takes no files and no share: it is about the canary under way\n"
    )  # fmt: skip
    assert command("rules", "publish", two, "--canary", "110%").code == 2


def test_a_new_version_is_told_to_leave_open_episodes(
    retarget: Retarget, engine: EmbeddedBroker, tmp_path: Path
) -> None:
    """The version that opened them finishes them, unless the publisher says otherwise."""

    def command(*words: object) -> Answer:
        return retarget(*words, "--set", f"kafka.bootstrap={engine.bootstrap}")

    def carried() -> list[int]:
        return [len(json.loads(seen.value or b"").get("former", ())) for seen in content(engine)]

    two, three, four = (rules(tmp_path / str(least), least) for least in (2, 3, 4))
    for folder in (two, three):
        file = folder / "looks.yaml"
        file.write_text(file.read_text() + "on_change: finish\n")
    command("rules", "publish", two)
    told = command("rules", "publish", three)
    assert told.out.splitlines()[1:] == [
        "looks: changed",
        "  from 3 on instead of 2",
        "  open episodes are finished by the version that opened them",
        "rules: 1 changed, 0 alike",
    ]
    told = command("rules", "publish", four)
    assert "  open episodes, at the next change: evaluated anew instead of finished as they began" in (
        told.out.splitlines()
    )
    assert carried() == [0, 0, 1, 0, 2, 0]
    command("rules", "publish", four, "--anew")
    assert carried()[-2] == 0


def test_explain_says_on_which_side_a_person_is(
    retarget: Retarget, engine: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Of the canary under way; nothing without one."""
    given = (
        f"kafka.bootstrap={engine.bootstrap}",
        f"store.url={store.url}",
        "app.id=sides",
        "kafka.partitions=1",
    )
    where = [word for one in given for word in ("--set", one)]
    asyncio.run(known_to(store.url))
    retarget("rules", "publish", rules(tmp_path / "two", 2), *where)
    assert "canary" not in retarget("explain", "ann", *where).out
    three = rules(tmp_path / "three", 3)
    for share, side in (
        ("0.001%", "outside: they are in shadow"),
        ("99.999%", "inside: the new rules decide"),
    ):
        assert retarget("rules", "publish", three, "--canary", share, *where).code == 0
        told = retarget("explain", "ann", *where).out
        assert f"  canary looks, {share.removesuffix('%')} % of the people: {side}\n" in told


async def known_to(url: str) -> None:
    """Ann has a journey, in an engine with one lane."""
    opened = await open_store(url, "sides", 1)
    journey = wire.encode(Journey(person="ann", user_id="ann"))
    await opened.checkpoint(0, Checkpoint(expected=0, meta=b"", journeys=[("ann", journey)], waits=[]))
    await opened.close()


def test_without_the_topic_or_a_broker(retarget: Retarget, broker: EmbeddedBroker) -> None:
    """Exit 1 with the command that makes the topic, exit 3 when nobody answers."""
    answer = retarget("rules", "list", "--set", f"kafka.bootstrap={broker.bootstrap}")
    assert (answer.code, answer.out) == (1, "")
    assert f"no topic {RULES}" in answer.err
    assert "`retarget topics`" in answer.err
    answer = retarget("rules", "list", "--set", "kafka.bootstrap=127.0.0.1:1")
    assert (answer.code, answer.out) == (3, "")
    assert "kafka.bootstrap" in answer.err.splitlines()[-1]
