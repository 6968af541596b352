"""`retarget explain PERSON --what-if`: what one event less, or more, would have made different."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.embedded import EmbeddedBroker
from streams.topics import lane_of
from tests.streams.commands.conftest import Answer, Retarget

RULES = """
rule: forgotten_cart
subject: cart
quiet: {after: 30m, opens: [add, remove, cart], when: cart.size > 0}
unless: [purchase, {when: cart.size == 0}]
steps:
  - {channels: [push], template: cart-reminder}
  - {after: 24h, channels: [email], template: cart-last-call}
---
rule: seen_thrice
subject: product
count: {of: view, at_least: 3, within: 1h}
steps: [{channels: [push], template: seen-thrice}]
"""
DAY = "2026-03-02T"
Ask = Callable[..., Answer]


def line(kind: str, time: str, product: str = "", person: str = "ann", **more: object) -> str:
    """A line of the history."""
    items = {"items": [{"product_id": product, "price": 10}]} if product else {}
    return json.dumps({"type": kind, "user_id": person, "time": f"{DAY}{time}Z", **items, **more})


HISTORY = [
    line("consent", "10:00:00", consent={"state": "granted"}),
    line("add", "10:03:20", "tent"),
    line("add", "10:04:00", "mug", person="ben"),
    line("view", "10:10:00", "lamp"),
    line("view", "10:10:30", "lamp"),
    line("view", "10:20:00", "lamp", id="third"),
    line("page", "18:00:00"),
]


@pytest.fixture
def ask(retarget: Retarget, tmp_path: Path) -> Ask:
    """Ask what would be different, about ann and these two rules."""
    (tmp_path / "history.jsonl").write_text("\n".join(HISTORY) + "\n")
    (tmp_path / "rules.yaml").write_text(RULES)

    def asked(*words: object, person: str = "ann") -> Answer:
        files = ("--events", tmp_path / "history.jsonl", "--rules", tmp_path / "rules.yaml")
        return retarget("explain", person, *files, *words)

    return asked


def test_without_the_add_no_reminder_leaves(ask: Ask) -> None:
    """The event is found by its type and minute; the decision that stood on it is removed, and its wait."""
    answer = ask("--what-if", "no add at 10:03")
    assert answer.code == 0, answer.err
    assert (
        answer.out
        == """ann
  without  history.jsonl:2  2026-03-02T10:03:20.000Z  add of tent

what would be different; 1 decision is the same
  removed  2026-03-02T10:33:20.000Z  send sent on push  forgotten_cart step 1, cart (default)
      history.jsonl:2 (add) is taken out

what would wait at the end otherwise
  removed  2026-03-03T10:33:20.000Z  forgotten_cart step 2
"""
    )


def test_with_a_purchase_the_ending_is_named(ask: Ask) -> None:
    """One event more, at a time of the person's only day; the reason is that it ends the episode."""
    told = json.loads(ask("--json", "--what-if", "with purchase of tent at 10:20").out)
    (one,) = told["differences"]
    assert (one["kind"], one["after"], one["before"]["rule"]) == ("removed", None, "forgotten_cart")
    assert one["because"] == ["what-if-1, a purchase, ends it"]
    assert told["with"] == [
        {"id": "what-if-1", "type": "purchase", "time": f"{DAY}10:20:00.000Z", "products": ["tent"]}
    ]
    assert (told["same"], told["waits"][0]["after"]) == (1, None)


def test_another_outcome_names_the_gate(ask: Ask) -> None:
    """The gate that stops what was sent, with what it sees now and what it saw before."""
    told = json.loads(ask("--json", "--rule", "seen_thrice", "--what-if", "no consent").out)
    (one,) = told["differences"]
    assert (one["kind"], one["before"]["outcome"], one["after"]["reason"]) == (
        "changed",
        "sent",
        "no_consent",
    )
    assert one["because"] == [
        "stops it: no_consent marketing allowed on no channel",
        "before: no_consent marketing allowed on push",
    ]


def test_a_later_touch_moves_the_reminder(ask: Ask) -> None:
    """Moved is the same message at another time; the new product is in it, so here it has changed."""
    moved = json.loads(ask("--json", "--what-if", "with add of tent at 10:13").out)["differences"]
    assert [one["kind"] for one in moved] == ["moved"]
    assert moved[0]["after"]["decided_at"] == f"{DAY}10:43:00.000Z"
    changed = ask("--what-if", "with add of lamp at 2026-03-02 10:13:05").out
    assert "changed  2026-03-02T10:43:05.000Z  send sent on push" in changed
    assert "cart-reminder (lamp tent) instead of cart-reminder (tent)" in changed


def test_added_and_removed_together(ask: Ask) -> None:
    """Several changes are one question; an id names an event, JSON is an event in full."""
    more = json.dumps({"type": "view", "time": f"{DAY}10:30:00Z", "items": [{"product_id": "lamp"}]})
    told = json.loads(ask("--json", "--what-if", "no third", "--what-if", f"with {more}").out)
    (one,) = told["differences"]
    assert (one["kind"], one["after"]["decided_at"]) == ("moved", f"{DAY}10:30:00.000Z")
    assert one["because"] == ["third (view) is taken out", "what-if-1 (view) is put in"]


def test_nothing_different_is_said(ask: Ask) -> None:
    """An event that no decision depends on makes no difference."""
    answer = ask("--what-if", "with page at 10:07")
    assert "what would be different: nothing; 2 decisions are the same" in answer.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no view of lamp", "one of them by its id, as in 'no history.jsonl:4':\n  history.jsonl:4  20"),
        ("no view at 10:10", "2 events fit; name one"),
        ("no add at 10:04", "fits; there are:\n  history.jsonl:2  2026-03-02T10:03:20.000Z  add of tent\n"),
        ("no tird", "no event of this person fits; nearest: third; there are:\n"),
        ("no ad at 10:03", "no event of this person fits; nearest: add; there are:\n"),
        ("no add at 25:03", "'25:03' is no time; known: 10:03"),
        ("no add at 10:03Z", "'10:03Z' is no time; known: 10:03, 2026-03-02 10:03:20"),
        ("no add at 2026-02-30 10:03", "is no time ("),
        ("with purchas at 10:20", "unknown touchpoint type 'purchas'"),
        ("with heartbeat at 10:20", "unknown touchpoint type 'heartbeat'"),
        ("with purchase of tent", "an event needs its type, products and time"),
        ('with {"type": "purchase"}', "it needs a time"),
        ('with {"type": "purchase", "time": "soon"}', "time is 'soon'"),
        ("with {", "is no JSON object"),
        ("less rain", "is not understood; write 'no add at 10:03'"),
    ],
)  # fmt: skip
def test_what_means_no_event_or_several_is_refused(ask: Ask, change: str, said: str) -> None:
    """Exit 1, with the events that are there, the nearest name, or the form."""
    answer = ask("--what-if", change)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("--what-if ")
    assert said in answer.err


def test_a_time_of_day_needs_its_day_when_there_are_several(retarget: Retarget, tmp_path: Path) -> None:
    """Where the person was active on two days it is asked which; with the day it is understood."""
    file = tmp_path / "two.jsonl"
    file.write_text(f"{line('page', '10:00:00')}\n{line('page', '10:00:00').replace('03-02', '03-04')}\n")
    words = ("explain", "ann", "--events", file, "--what-if")
    answer = retarget(*words, "with add of tent at 10:20")
    assert answer.code == 1
    assert "on which day, of 2026-03-02 to 2026-03-04? write at 2026-03-04 10:20:00" in answer.err
    assert retarget(*words, "with add of tent at 2026-03-03 10:20").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--events", "x.jsonl"), "--events: is for --what-if"),
        (("--what-if", "no e1", "--as-is"), "--as-is: is for files; name them with --events"),
        (("--what-if", "no e1", "--decisions", "d"), "run again from its files; name them with --events"),
    ],
)
def test_options_that_belong_together(retarget: Retarget, words: tuple[str, ...], said: str) -> None:
    """Wrong usage, and one line that names the other option."""
    answer = retarget("explain", "ann", *words)
    assert (answer.code, said in answer.err) == (2, True)


def test_an_unknown_person_is_told(ask: Ask) -> None:
    """Exit 1: the files hold no event of that id."""
    answer = ask("--what-if", "no add", person="an")
    assert (answer.code, "no event of 'an' is there; ids are compared exactly" in answer.err) == (1, True)


def test_other_rules_than_those_of_the_replay_are_noticed(
    ask: Ask, retarget: Retarget, tmp_path: Path
) -> None:
    """The run as it was is held against the decisions that the replay wrote."""
    decisions, rules = tmp_path / "d.jsonl", tmp_path / "rules.yaml"
    assert ask("--what-if", "no third").code == 0
    words = ("replay", tmp_path / "history.jsonl", "--rules", rules, "--decisions", decisions)
    assert retarget(*words).code == 0
    assert ask("--decisions", decisions, "--what-if", "no third").err == ""
    rules.write_text(RULES.replace("30m", "31m"))
    said = ask("--decisions", decisions, "--what-if", "no third")
    assert said.code == 0
    assert said.err.startswith("note: 1 decisions of this run are not in the file and 1 of the file are not")


def test_what_was_decided_under_another_id_is_no_difference(
    ask: Ask, retarget: Retarget, tmp_path: Path
) -> None:
    """What was decided for an anonymous id is run again with the rest, and compared with the rest."""
    known, decisions, journeys = "anon-1", tmp_path / "d.jsonl", tmp_path / "j.jsonl"
    before = line("add", "10:01:00", "sofa").replace('"user_id": "ann"', f'"anonymous_id": "{known}"')
    consents = line("consent", "10:00:00", consent={"state": "granted"}).replace(
        '"user_id": "ann"', f'"anonymous_id": "{known}"'
    )
    events = [consents, before, *HISTORY[:-1], line("page", "18:00:00", anonymous_id=known)]
    (tmp_path / "history.jsonl").write_text("\n".join(events) + "\n")
    files = ("--decisions", decisions, "--journeys", journeys)
    words = ("replay", tmp_path / "history.jsonl", "--rules", tmp_path / "rules.yaml")
    assert retarget(*words, *files).code == 0
    assert f'"person":"{known}"' in decisions.read_text()
    answer = ask(*files, "--what-if", "no third")
    assert (answer.code, answer.err) == (0, "")


def on_a_device(kind: str, time: str, product: str, **more: object) -> str:
    """What somebody does who is ann, and has not said so."""
    return line(kind, time, product, "ann", **more).replace('"user_id": "ann"', '"anonymous_id": "tablet"')


BOTH = [
    *HISTORY[:2],
    on_a_device("view", "10:05:00", "kite", id="first"),
    on_a_device("view", "10:06:00", "kite"),
    line("identify", "10:07:00", anonymous_id="tablet"),
    line("identify", "10:08:00", anonymous_id="tablet", person="eve"),
    line("view", "10:09:00", "kite", person="eve"),
    line("view", "10:12:00", "kite"),
    line("page", "18:00:00"),
]


@pytest.mark.parametrize("person", ["ann", "tablet"])
def test_what_was_done_under_another_id_counts(
    ask: Ask, retarget: Retarget, tmp_path: Path, person: str
) -> None:
    """The person has one story under all their ids; that of another user of the device is not theirs."""
    (tmp_path / "history.jsonl").write_text("\n".join(BOTH) + "\n")
    decisions = tmp_path / "d.jsonl"
    words = ("replay", tmp_path / "history.jsonl", "--rules", tmp_path / "rules.yaml")
    assert retarget(*words, "--decisions", decisions).code == 0
    answer = ask("--json", "--decisions", decisions, "--what-if", "no first", person=person)
    assert (answer.code, answer.err) == (0, "")
    told = json.loads(answer.out)
    assert [(one["kind"], one["before"]["rule"]) for one in told["differences"]] == [
        ("removed", "seen_thrice")
    ]


def test_another_user_of_the_device_is_not_the_person(ask: Ask, tmp_path: Path) -> None:
    """What they did is run again, as the device may have been anybody's, and is no event of the person."""
    (tmp_path / "history.jsonl").write_text("\n".join(BOTH) + "\n")
    answer = ask("--what-if", "no view at 10:09")
    assert answer.code == 1
    assert "no event of this person fits" in answer.err


def test_what_is_put_in_is_done_by_the_person(ask: Ask, tmp_path: Path) -> None:
    """Also when the last that came under an id of theirs was done by the next user of their device."""
    later = [*BOTH[:-2], on_a_device("view", "10:10:00", "kite"), BOTH[-1]]
    (tmp_path / "history.jsonl").write_text("\n".join(later) + "\n")
    answer = ask("--json", "--what-if", "with purchase of tent at 10:11")
    assert (answer.code, answer.err) == (0, "")
    told = json.loads(answer.out)["differences"]
    assert ("removed", "forgotten_cart") in [(one["kind"], (one["before"] or {}).get("rule")) for one in told]


def test_the_lanes_of_all_ids_are_read(
    ask: Ask, retarget: Retarget, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """The device's lane is another one than the person's: the answer is that of the files."""
    (tmp_path / "history.jsonl").write_text("\n".join(BOTH) + "\n")
    of_files = json.loads(ask("--json", "--what-if", "no first").out)
    assert lane_of("ann", 8) != lane_of("tablet", 8)
    where = ("--set", f"kafka.bootstrap={broker.bootstrap}", "--set", "clock.idle=heartbeat")
    assert retarget("topics", *where).code == 0
    assert retarget("produce", tmp_path / "history.jsonl", *where).code == 0
    words = ("explain", "ann", "--rules", tmp_path / "rules.yaml", "--json", *where)
    answer = retarget(*words, "--what-if", "no first")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert [one["before"]["rule"] for one in told["differences"]] == ["seen_thrice"]
    assert (told["same"], told["waits"]) == (of_files["same"], of_files["waits"])


def test_a_rule_that_there_is_not_is_refused(ask: Ask) -> None:
    """A slip of the pen is not taken for a rule that decides the same."""
    answer = ask("--rule", "seen_thrise", "--what-if", "no third")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("unknown rule 'seen_thrise'; known: ")


def test_without_files_the_lane_of_the_person_is_read(
    ask: Ask,
    retarget: Retarget,
    broker: EmbeddedBroker,
    tmp_path: Path,
) -> None:
    """The input topics hold the same events, by other ids: the answer is that of the files."""
    where = ("--set", f"kafka.bootstrap={broker.bootstrap}", "--set", "clock.idle=heartbeat")
    of_files = json.loads(ask("--json", "--what-if", "no add at 10:03").out)
    assert retarget("topics", *where).code == 0
    assert retarget("produce", tmp_path / "history.jsonl", *where).code == 0
    words = ("explain", "ann", "--rules", tmp_path / "rules.yaml", "--lateness", "0s", "--json", *where)
    answer = retarget(*words, "--what-if", "no add at 10:03")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert [one["because"][0].split(" ", 1)[1] for one in told["differences"]] == ["(add) is taken out"]
    assert (told["same"], told["waits"]) == (of_files["same"], of_files["waits"])
    assert told["differences"][0]["before"]["due"] == of_files["differences"][0]["before"]["due"]


def test_files_are_held_no_longer_than_by_a_replay(retarget: Retarget, tmp_path: Path) -> None:
    """A purchase a second after the wait: the person as it was has the decisions that the replay wrote."""
    events, rules, decisions = (tmp_path / name for name in ("close.jsonl", "rules.yaml", "d.jsonl"))
    events.write_text("\n".join([*HISTORY[:2], line("purchase", "10:33:21", "tent"), HISTORY[-1]]) + "\n")
    rules.write_text(RULES)
    assert retarget("replay", events, "--rules", rules, "--decisions", decisions).code == 0
    asked = ("--decisions", decisions, "--events", events, "--rules", rules, "--what-if", "no page at 18:00")
    answer = retarget("explain", "ann", *asked)
    assert (answer.code, answer.err) == (0, "")
    held = retarget("explain", "ann", *asked, "--lateness", "2s")
    assert "decisions of this run are not in the file" in held.err


CHEAPER = """
rule: cheaper
subject: product
catalogue: {of: price, within: 30d}
if: product.price_now < product.price
steps: [{channels: [push], template: cheaper}]
"""


def test_a_price_of_the_catalogue_is_heard_of_in_both(ask: Ask, tmp_path: Path) -> None:
    """Without the look at the product nobody would have heard; others' changes of price are told, too."""
    (tmp_path / "rules.yaml").write_text(CHEAPER)
    change = line("price_change", "17:00:00", "lamp", user_id=None).replace('"price": 10', '"price": 8')
    events = [line("consent", "10:00:00", consent={"state": "granted"}), line("view", "10:10:00", "tent")]
    (tmp_path / "history.jsonl").write_text("\n".join([*events, line("view", "10:20:00", "lamp"), change]))
    listed = tmp_path / "listed.jsonl"
    listed.write_text(json.dumps({"product_id": "tent", "price": 9, "time": f"{DAY}18:00:00Z"}))
    answer = ask(
        "--catalogue", listed, "--json", "--what-if", "no view of tent", "--what-if", "no view of lamp"
    )
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert [(one["kind"], one["before"]["decided_at"][11:16]) for one in told["differences"]] == [
        ("removed", "17:00"),
        ("removed", "17:00"),
    ]
