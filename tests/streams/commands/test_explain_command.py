import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from retarget.journeys import stages, wire
from retarget.journeys.model import Consent, Deferred, Episode, Journey, Membership, Product, Send
from retarget.journeys.repeats import admit
from retarget.messages import Decision, GateRecord, Subject, encode
from retarget.times import DAY, HOUR, MINUTE, format_time, parse_time
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.explaining import gate_line, summary, timeline
from streams.kafka.connection import KafkaAddress
from streams.kafka.headers import Stamp, encode_headers
from streams.kafka.sending import Outgoing, producing, send
from streams.ports import Checkpoint
from streams.stores import open_store
from streams.topics import DECISIONS, partition_of
from tests.streams.commands.conftest import Retarget

T = parse_time("2026-03-01T10:00:00Z")


def journey(person: str = "ann") -> Journey:
    """Ann looked at a lamp, left her cart, got a push, and more is waiting."""
    ann = Journey(person=person, user_id=person, first=T, last=T + 5 * MINUTE)
    admit(ann, "e1", T, DAY)
    admit(ann, "e2", T + 5 * MINUTE, DAY)
    ann.tallies = {"view.product": {"lamp": ["e1", T]}}
    ann.episodes = {"abandoned_cart": {"": Episode("e2", T, T, T + DAY, step=2, evidence=["e2"])}}
    ann.sends = [
        Send(T + HOUR, "abandoned_cart", "", "e2", 1, "push", "marketing", [], "m1", "d1", T + 7 * DAY)
    ]
    ann.deferred = [Deferred(T + 9 * HOUR, "win_back", person, "e1", 1, T + 2 * HOUR)]
    ann.audiences = [Membership("cart-left", "abandoned_cart", "", "e2", T + HOUR, T + 3 * DAY, "m2")]
    ann.consents = {"marketing|push": Consent(granted=True, at=T - HOUR)}
    return ann


def decision(person: str, rule: str = "abandoned_cart", **said: Any) -> bytes:  # noqa: ANN401 - any field
    """A decision record as it stands in its topic."""
    at = format_time(T + HOUR)
    fields: dict[str, Any] = {
        "decision_id": "d1", "rule": rule, "rule_version": "1", "step": 1, "person": person,
        "subject": Subject("person", person), "due": at, "decided_at": at, "outcome": "suppressed",
        "reason": "cap", "channel": "push", "evidence": ["e2"],
        "gates": [
            GateRecord("closed", value=False, limit=False),
            GateRecord("cap", 3, {"scope": "total", "count": 3, "within_ms": DAY}),
        ],
    }  # fmt: skip
    return encode(Decision(**(fields | said)))


def test_the_timeline_is_in_order_and_has_what_waits() -> None:
    """Events with what is known of them, consents, decisions, sends, audiences; then what is to come."""
    happened, waiting = timeline(journey(), T + 9 * HOUR, [json.loads(decision("ann"))])
    assert [(entry.kind, entry.at - T) for entry in happened] == [
        ("consent", -HOUR), ("event", 0), ("event", 5 * MINUTE),
        ("decision", HOUR), ("send", HOUR), ("audience", HOUR),
    ]  # fmt: skip
    assert happened[1].text == "e1  view of product lamp"
    assert happened[3].text == "send suppressed by cap on push  abandoned_cart step 1"
    assert "cap          3 of 3 in 1d (total)  <- stopped here" in happened[3].details
    assert [(entry.kind, entry.at - T) for entry in waiting] == [
        ("deferred", 9 * HOUR), ("wait", 9 * HOUR), ("episode", DAY), ("audience", 3 * DAY),
    ]  # fmt: skip


def test_an_event_that_is_no_more_than_remembered_is_told_as_such() -> None:
    """What opened an episode is not counted, and yet a rule has heard it."""
    happened, _ = timeline(journey(), None, [])

    said = [entry.text for entry in happened if entry.kind == "event"]
    assert said == ["e1  view of product lamp", "e2  its type is not kept"]


def test_the_stage_is_told_where_it_is_kept() -> None:
    """Without a rule that asks for it nobody works it out, and `none` would not be true."""
    ann = journey()
    ann.products = {"lamp": Product(carted=T, seen=T)}
    assert "1 product, 0 orders" in summary(ann)

    ann.stage = stages.CARTED
    assert "1 product, 0 orders, stage carted" in summary(ann)


def test_one_rule_leaves_out_the_others() -> None:
    """Events and consents stay; what other rules did and wait for goes."""
    decisions = [json.loads(decision("ann", rule)) for rule in ("win_back", "abandoned_cart")]
    happened, waiting = timeline(journey(), None, decisions, "win_back")
    assert {entry.rule for entry in (*happened, *waiting)} == {"win_back", ""}
    assert [entry.kind for entry in waiting] == ["deferred"]


@pytest.mark.parametrize(
    ("gate", "value", "limit", "said"),
    [
        ("closed", True, False, "an ending event is known"),
        ("again", T, 7 * DAY, "once in 7d; last 2026-03-01T10:00:00.000Z"),
        ("again", None, -1, "once in a lifetime; not within that time"),
        ("again", None, 0, "every time"),
        ("paused", ["all"], [], "paused: all"),
        ("no_consent", [], "marketing", "marketing allowed on no channel"),
        ("unreachable", ["email"], None, "reachable by email"),
        ("stale", 2 * HOUR, HOUR, "2h late, at most 1h"),
        ("stale", 2 * HOUR, {"expires_ms": HOUR}, "2h after its time, worthless from 1h on"),
        ("stale", "gone", "as it was", '"gone", limit "as it was"'),
        ("quiet_hours", T, None, "day, seen at 2026-03-01T10:00:00.000Z"),
        ("cap", None, [{"scope": "sms", "count": 1, "within_ms": DAY}], "below 1 in 1d (sms)"),
        (
            "cap",
            [0, 2],
            [
                {"scope": "sms", "count": 1, "within_ms": DAY},
                {"scope": "total", "count": 8, "within_ms": DAY},
            ],
            "0 of 1 in 1d (sms), 2 of 8 in 1d (total)",
        ),
        ("cap", [], [], "no cap"),
        ("ceiling", 5, 5, "5, limit 5"),
        (
            "outbid",
            {"rule": "a", "step": 2, "value": 7.5, "priority": 80},
            {"value": 0.0, "priority": 50, "due": T, "within_ms": HOUR},
            "value 0, priority 50; more has a step 2 with value 7.5, priority 80 within 1h",
        ),
        ("control", ["global"], {"global": 0.1}, '["global"], limit {"global":0.1}'),
        ("a_new_gate", {"a": 1}, None, '{"a":1}'),
    ],
)
def test_gates_are_put_into_words(gate: str, value: object, limit: object, said: str) -> None:
    """Times and durations are written as such, whatever is unknown as JSON."""
    assert gate_line(gate, value, limit).split(maxsplit=1) == [gate, said]


def test_decisions_of_a_replay_are_explained_without_services(retarget: Retarget, tmp_path: Path) -> None:
    """Only that person's, only that rule's; neither store nor Kafka is asked."""
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"\n".join([decision("ann"), decision("bob"), decision("ann", "win_back")]) + b"\n")
    everything = retarget("explain", "ann", "--decisions", file)
    assert everything.code == 0
    assert everything.out.count("send suppressed by cap") == 2
    one = json.loads(retarget("explain", "ann", "--decisions", file, "--rule", "win_back", "--json").out)
    assert [said["rule"] for said in one["decisions"]] == ["win_back"]
    assert one["happened"][0]["at"] == "2026-03-01T11:00:00.000Z"


def test_an_unknown_person_or_rule_is_told(retarget: Retarget, tmp_path: Path) -> None:
    """Exit 1: nothing is known of the person, or the person knows nothing of the rule."""
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(decision("ann") + b"\n")
    assert retarget("explain", "an", "--decisions", file).code == 1
    rule = retarget("explain", "ann", "--decisions", file, "--rule", "abandoned_card")
    assert (rule.code, rule.err.endswith("nearest: abandoned_cart\n")) == (1, True)
    file.write_text("{}\n")
    answer = retarget("explain", "ann", "--decisions", file)
    assert (answer.code, answer.err.startswith(f"{file}:1: is no decision")) == (1, True)


def test_store_and_topic_are_read(retarget: Retarget, broker: EmbeddedBroker, store: EmbeddedStore) -> None:
    """The journey and wait of the person's lane, and their decisions without repeats and without others'."""
    where = ["--set", f"kafka.bootstrap={broker.bootstrap}", "--set", f"store.url={store.url}"]
    assert retarget("topics", *where).code == 0
    asyncio.run(_fill(broker.bootstrap, store.url))
    told = json.loads(retarget("explain", "ann", "--json", *where).out)
    assert [said["decision_id"] for said in told["decisions"]] == ["d1"]
    assert [entry["kind"] for entry in told["waiting"]] == ["deferred", "wait", "episode", "audience"]
    assert told["known"][0] == "known as user ann, anonymous -"

    lines = retarget("tail", "decisions", *where).out.splitlines()
    assert len(lines) == 2
    assert any("suppressed (cap)  send  push  abandoned_cart step 1  ann" in line for line in lines)


async def _fill(bootstrap: str, url: str) -> None:
    lane = partition_of(b"ann", 8)
    opened = await open_store(url, "retarget", 8)
    await opened.checkpoint(
        lane,
        Checkpoint(
            expected=0, meta=b"", journeys=[("ann", wire.encode(journey()))], waits=[("ann", T + 9 * HOUR)]
        ),
    )
    await opened.close()
    twice = Outgoing(DECISIONS, lane, b"ann", decision("ann"), encode_headers(Stamp(lane, 0, 1, 0)))
    other = Outgoing(DECISIONS, lane, b"bob", decision("bob"), encode_headers(Stamp(lane, 0, 2, 0)))
    async with producing(KafkaAddress(bootstrap=bootstrap)) as producer:
        await send(producer, [twice, twice, other])
