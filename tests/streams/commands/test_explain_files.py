"""What a replay wrote, explained without broker and store."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from retarget.times import DAY, format_time, parse_time
from tests.streams.commands.conftest import Retarget

EVENING = parse_time("2026-03-02T20:40:00Z")
NOON = parse_time("2026-03-02T12:00:00Z")


class Written(NamedTuple):
    """The files of a replay, and what the replay said of them."""

    decisions: Path
    journeys: Path
    said: str


def touchpoint(person: str, kind: str, time: int, product: str = "") -> bytes:
    """A line of a file of touchpoints."""
    fields: dict[str, Any] = {"type": kind, "user_id": person, "time": format_time(time)}
    items = {"items": [{"product_id": product}]} if product else {}
    return json.dumps(fields | items).encode() + b"\n"


def history() -> bytes:
    """Ann leaves a cart at noon, ben in the evening, both for good; a hundred others buy what they add."""
    others = [f"other-{number:03}" for number in range(100)]
    return b"".join([
        touchpoint("ann", "add", NOON, "tent"),
        *(touchpoint(other, "add", NOON, "mug") for other in others),
        *(touchpoint(other, "purchase", NOON + 1000, "mug") for other in others),
        touchpoint("ben", "add", EVENING, "lamp"),
        touchpoint("ann", "page", EVENING + 2 * 3_600_000),
    ])  # fmt: skip


@pytest.fixture
def written(retarget: Retarget, tmp_path: Path) -> Written:
    """A replay of the history, by the rule of abandoned carts alone."""
    source, decisions, journeys = (tmp_path / name for name in ("in.jsonl", "d.jsonl", "j.jsonl"))
    source.write_bytes(history())
    answer = retarget(
        "replay", "--only", "abandoned_cart", "--assume-consent",
        "--decisions", decisions, "--journeys", journeys, source,
    )  # fmt: skip
    assert (answer.code, answer.out) == (0, "")
    return Written(decisions, journeys, answer.err)


def waiting(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What waits until when, without what is only the engine's affair."""
    return [(one["kind"], one["at"]) for one in told["waiting"] if one["kind"] != "wait"]


def test_the_decision_its_reason_and_the_open_episode_are_told(retarget: Retarget, written: Written) -> None:
    """Ann got her reminder at the end of the wait; the second is due a day later."""
    answer = retarget("explain", "ann", "--decisions", written.decisions, "--journeys", written.journeys)

    happened, to_come = answer.out.split("\nwhat is waiting\n")
    assert "2026-03-02T12:30:00.000Z  decision  send sent on push  abandoned_cart step 1" in happened
    assert "no_consent   marketing allowed on push, email" in happened
    assert to_come.splitlines()[:3] == [
        "  2026-03-03T12:30:00.000Z  episode   abandoned_cart step 2, open since 2026-03-02T12:00:00.000Z",
        "      evidence in.jsonl:1",
        "  2026-03-03T12:30:00.000Z  wait      the lane looks at this person again",
    ]


def test_a_message_put_off_by_the_night_is_told_with_its_release(
    retarget: Retarget, written: Written
) -> None:
    """Ben's reminder fell into quiet hours: the decision says until when, and so does what is waiting."""
    files = ["--decisions", written.decisions, "--journeys", written.journeys]
    told = json.loads(retarget("explain", "ben", *files, "--json").out)

    (put_off,) = [said for said in told["decisions"] if said["outcome"] == "deferred"]
    assert put_off["reason"] == "quiet_hours"
    assert waiting(told)[:2] == [
        ("deferred", put_off["release"]),
        ("episode", format_time(parse_time(put_off["due"]) + DAY)),
    ]
    assert {said["person"] for said in told["decisions"]} == {"ben"}
    assert told["known"][0] == "known as user ben, anonymous -"


def test_without_quiet_hours_nothing_is_put_off(retarget: Retarget, written: Written, tmp_path: Path) -> None:
    """The same files with quiet_hours.enabled=false: ben's reminder is sent, only the next step waits."""
    files = ["--decisions", written.decisions, "--journeys", written.journeys]
    settings = ["--only", "abandoned_cart", "--assume-consent", "--set", "quiet_hours.enabled=false"]
    assert retarget("replay", *settings, *files, tmp_path / "in.jsonl").code == 0

    told = json.loads(retarget("explain", "ben", *files, "--rule", "abandoned_cart", "--json").out)
    assert [kind for kind, _ in waiting(told)] == ["episode", "audience"]
    assert "deferred" not in {said["outcome"] for said in told["decisions"]}


def test_what_was_bought_waits_for_nothing(retarget: Retarget, written: Written) -> None:
    """The purchase ended the episode; journeys alone are enough to say so."""
    told = json.loads(retarget("explain", "other-042", "--journeys", written.journeys, "--json").out)
    assert waiting(told) == []
    assert told["decisions"] == []


def test_journeys_beside_the_decisions_need_not_be_named(retarget: Retarget, tmp_path: Path) -> None:
    """Replay leaves them there, and explain finds them."""
    source, decisions = tmp_path / "in.jsonl", tmp_path / "d.jsonl"
    source.write_bytes(history())
    replayed = ("replay", "--only", "abandoned_cart", "--assume-consent", "--decisions", decisions, source)
    assert retarget(*replayed).code == 0
    answer = retarget("explain", "ann", "--decisions", decisions)
    named = retarget("explain", "ann", "--decisions", decisions, "--journeys", f"{decisions}.journeys")
    assert answer.out == named.out
    assert "episode   abandoned_cart" in answer.out.partition("what is waiting")[2]


def test_decisions_alone_do_not_tell_what_waits(retarget: Retarget, written: Written) -> None:
    """Not nothing, but not known; and how to come to know it."""
    answer = retarget("explain", "ann", "--decisions", written.decisions)
    assert answer.out.splitlines()[-1].startswith("what is waiting: a file of decisions does not say; ")
    assert "--journeys FILE" in answer.out.splitlines()[-1]
    told = retarget("explain", "ann", "--decisions", written.decisions, "--json").out
    assert json.loads(told)["waiting"] is None


def test_the_replay_shows_the_command_that_explains(retarget: Retarget, written: Written) -> None:
    """Its last line is a command about somebody for whom something was decided, and it works."""
    said, _, command = written.said.splitlines()[-1].partition(": retarget ")
    assert said == "who got what and why"
    answer = retarget(*command.split())
    assert (answer.code, answer.out.splitlines()[0]) == (0, "ben")


def test_the_journeys_are_sorted_lines(written: Written) -> None:
    """A line for each person, by name, whatever the order of the events."""
    people = [json.loads(line)["person"] for line in written.journeys.read_bytes().splitlines()]
    assert people == sorted(people)
    assert len(people) == 102


def test_journeys_may_go_to_standard_output(retarget: Retarget, tmp_path: Path) -> None:
    """`-` as with the other outputs; messages then go nowhere unless asked for, and no command is shown."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(touchpoint("ann", "add", NOON, "tent"))
    answer = retarget("replay", "--journeys", "-", source)
    assert [json.loads(line)["person"] for line in answer.out.splitlines()] == ["ann"]
    assert "retarget explain" not in answer.err


def test_a_file_that_is_none_is_told_in_a_line(retarget: Retarget, written: Written, tmp_path: Path) -> None:
    """Exit 1: a file that is away, one of another kind, one that was cut off, one of a newer build."""
    newer = tmp_path / "newer.jsonl"
    newer.write_bytes(msgspec.json.encode({"person": "ann", "wait": None, "journey": b"\xff"}) + b"\n")
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(written.journeys.read_bytes()[:40])
    expected = "is no journey; expected what `retarget replay --journeys` writes\n"
    problems = {
        tmp_path / "away.jsonl": f"{tmp_path / 'away.jsonl'}: cannot be read: No such file or directory\n",
        written.decisions: f"{written.decisions}:1: {expected}",
        cut: f"{cut}:1: {expected}",
    }
    for file, line in problems.items():
        answer = retarget("explain", "ann", "--journeys", file)
        assert (answer.code, answer.out, answer.err) == (1, "", line)
    answer = retarget("explain", "ann", "--journeys", newer)
    assert (answer.code, answer.err.partition(" a stored journey has version 255")[0]) == (1, f"{newer}:1:")


@pytest.mark.parametrize("journey", [b"", b"\x02", b"\x02\xc1", b"\x02\x90"])
def test_a_journey_that_is_damaged_is_told_in_a_line(
    retarget: Retarget, tmp_path: Path, journey: bytes
) -> None:
    """Exit 1, not a traceback, whatever the bytes of the person asked for are."""
    file = tmp_path / "j.jsonl"
    file.write_bytes(msgspec.json.encode({"person": "ann", "wait": None, "journey": journey}) + b"\n")
    answer = retarget("explain", "ann", "--journeys", file)
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert answer.err.startswith(f"{file}:1: is no journey")


def test_a_person_in_neither_file_is_told(retarget: Retarget, written: Written) -> None:
    """Exit 1, and the file is named."""
    answer = retarget("explain", "Ann", "--decisions", written.decisions, "--journeys", written.journeys)
    assert answer.code == 1
    assert answer.err == f"nothing is known of 'Ann' in {written.decisions}; ids are compared exactly\n"


def test_journeys_that_cannot_be_written_stop_the_replay_at_once(retarget: Retarget, tmp_path: Path) -> None:
    """Before any work is done."""
    source, away = tmp_path / "in.jsonl", tmp_path / "no" / "j.jsonl"
    source.write_bytes(touchpoint("ann", "add", NOON, "tent"))
    answer = retarget("replay", source, "--journeys", away)
    assert (answer.code, answer.err) == (1, f"{away}: cannot be written: No such file or directory\n")


def test_one_file_is_not_two_things(retarget: Retarget, tmp_path: Path) -> None:
    """Neither is the input overwritten, nor do two outputs mix; standard output may have several."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(touchpoint("ann", "add", NOON, "tent"))
    answer = retarget("replay", source, "--decisions", out, "--journeys", out, "--dead", source)
    assert answer.code == 2
    assert answer.err.splitlines() == [
        f"--journeys {out}: the same file is named by --decisions; name another",
        f"--dead {source}: the same file is read; name another",
    ]
    assert (source.stat().st_size > 0, out.exists()) == (True, False)
    for stream in ("-", os.devnull):
        assert retarget("replay", source, "--decisions", stream, "--journeys", stream).code == 0


def test_without_services_the_replay_in_this_folder_is_shown(
    retarget: Retarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No address of a store was set, and none is at the default one: said, and what is at hand is used."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 6379)) == 0:
            pytest.skip("something listens on the default port of the store on this machine")
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_bytes(history())
    replayed = (
        "replay",
        "--only",
        "abandoned_cart",
        "--assume-consent",
        "--decisions",
        "d.jsonl",
        "in.jsonl",
    )
    assert retarget(*replayed).code == 0
    answer, named = retarget("explain", "ann"), retarget("explain", "ann", "--decisions", "d.jsonl")
    assert (answer.code, answer.out) == (0, named.out)
    assert answer.err.splitlines()[-1] == "shown instead: the replay in d.jsonl"


def test_without_services_the_way_to_files_is_shown(retarget: Retarget) -> None:
    """Who types `retarget explain PERSON` after a replay learns what to add; exit 3 as ever."""
    answer = retarget("explain", "ann", "--set", "store.url=redis://127.0.0.1:1")
    problem, remedy = answer.err.splitlines()
    assert (answer.code, "store.url" in problem) == (3, True)
    assert remedy.endswith("is read with --decisions FILE")


def test_an_offer_is_explained(retarget: Retarget, tmp_path: Path) -> None:
    """Whose code it is and until when; and the same in the message."""
    source, decisions, messages = (tmp_path / name for name in ("in.jsonl", "d.jsonl", "m.jsonl"))
    source.write_bytes(touchpoint("ann", "chat", NOON) + touchpoint("ann", "page", NOON + 5 * 3_600_000))
    words = ("replay", "--only", "chat_follow_up", "--assume-consent", "--decisions", decisions)
    for _ in range(2):
        assert retarget(*words, "--messages", messages, source).code == 0
        said = messages.read_bytes()
    (message,) = map(json.loads, said.splitlines())
    code, until = message["offer"]["code"], message["offer"]["expires_at"]
    assert until == format_time(NOON + 52 * 3_600_000)
    told = retarget("explain", "ann", "--decisions", decisions).out
    assert f"offer        {code} until {until}\n" in told
    assert f"offer 10 % of chat_follow_up: {code} until {until}\n" in told


def test_what_the_catalogue_says_is_told(retarget: Retarget, tmp_path: Path) -> None:
    """A message for a price that fell: the news that led to it, and the product as it is offered now."""
    source, listed, decisions = (tmp_path / name for name in ("in.jsonl", "prices.jsonl", "d.jsonl"))
    view = {"type": "view", "user_id": "ann", "time": NOON, "items": [{"product_id": "tent", "price": 100}]}
    source.write_bytes(json.dumps(view).encode() + b"\n" + touchpoint("ann", "page", NOON + DAY))
    price = {"product_id": "tent", "price": 79.5, "stock": 3, "time": NOON + 3_600_000}
    listed.write_text(json.dumps(price | {"expires": NOON + 2 * DAY}))
    replay = ["replay", source, "--catalogue", listed, "--assume-consent", "--only", "price_drop"]
    retarget(*replay, "--set", "channels.external=email", "--decisions", decisions)
    said = retarget("explain", "ann", "--decisions", decisions).out
    until = format_time(NOON + 2 * DAY)
    now = f"  product tent costs 79.5 now, stock 3, seen at 100, for sale until {until}"
    assert now in said.splitlines()
    assert "price_drop step 1, product tent" in said
    assert "      evidence prices.jsonl:1" in said.splitlines()


def test_whoever_has_unusable_records_is_told_how_to_see_them(retarget: Retarget, tmp_path: Path) -> None:
    """A replay counts them, and says where they and their reasons are; whoever asked for them knows."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"nothing\n")
    assert "and why: --dead FILE" in retarget("replay", source).err
    shown = retarget("replay", source, "--dead", "-")
    assert (json.loads(shown.out)["reason"], "--dead FILE" in shown.err) == ("not_json", False)
