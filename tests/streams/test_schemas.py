"""The published schemas are those of the code, and everything that a run emits is as they say."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from retarget.catalogue.records import TEXTS, TOLD, read_record
from retarget.decode import decode_canonical, decode_fast, parse_object
from retarget.dialects import decoder_for
from retarget.errors import Rejected
from retarget.messages import Message
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import TYPES
from streams import topics
from streams.cases import outcomes, running
from streams.cases.trying import try_rules
from streams.channels import telling
from streams.channels.outcomes import Reason, dead
from streams.channels.queue import Unreadable
from streams.files import FileEvent
from streams.kafka import journal
from streams.lanes.bundle import Bundle, bundle_of
from streams.ports import JournalRecord, Output
from streams.replaying import TOPIC, replay
from streams.resources import default_rules_dir
from streams.rulebook import load_rules, read_documents
from streams.schemas import FOLDER, render, schemas
from streams.settings import load_settings
from tests.factories import a_checkout, a_purchase, a_view, an_add
from tests.oracle.histories import histories

Found = dict[str, list[dict[str, Any]]]
RUBBISH: Final = (b"{", b"[1]", b'{"type": "view"}', b'{"user_id": "u1", "type": "view", "time": "never"}')


@cache
def bundle(*changes: str) -> Bundle:
    """The rules that ship and the settings of a replay."""
    chosen = load_settings(overrides=["clock.now=event", "clock.lateness=0s", *changes])
    return bundle_of(chosen, load_rules([default_rules_dir()], VOCABULARY), [TOPIC])


@cache
def validator(name: str) -> Draft202012Validator:
    """What judges a record by one of the files."""
    return Draft202012Validator(json.loads((FOLDER / f"{name}.v1.json").read_text(encoding="utf-8")))


def file_event(line: int, raw: bytes) -> FileEvent:
    """A line of a file, read as `replay` reads it."""
    try:
        found = decoder_for("auto", 1_000_000)(raw)
    except Rejected as problem:
        return FileEvent("history", line, problem, raw)
    return FileEvent("history", line, found, raw)


def emitted(lines: Iterable[bytes], *changes: str) -> Found:
    """What a replay of these lines puts into topics, by the schema it must have."""
    found: Found = defaultdict(list)
    names = {topics.DECISIONS: "decision", topics.DEAD: "dead"}

    def sink(output: Output) -> None:
        found[names.get(output.topic, "message")].append(json.loads(output.value))

    events = [file_event(number, line) for number, line in enumerate(lines, 1)]
    asyncio.run(replay(events, bundle(*changes), sink))
    return found


def problems(name: str, record: object) -> list[str]:
    """What a schema has against a record."""
    return [error.message for error in validator(name).iter_errors(record)]


def times_in(record: dict[str, Any]) -> list[str]:
    """The record's own times."""
    names = ("due", "decided_at", "not_before", "expires_at", "release", "time")
    return [record[name] for name in names if record.get(name) is not None]


def test_the_files_are_those_of_the_code() -> None:
    """If not: `python -m streams.schemas`."""
    files = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}

    assert files == {name: render(schema) for name, schema in schemas().items()}


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_schema_is_one(name: str) -> None:
    """A schema that is no schema would accept anything."""
    Draft202012Validator.check_schema(schemas()[name])


@given(data=st.data(), quiet=st.booleans(), assume=st.booleans())
@settings(max_examples=60)
def test_everything_a_run_emits_is_as_published(data: st.DataObject, *, quiet: bool, assume: bool) -> None:
    """Messages, decisions and dead letters have the fields of their schema and no others."""
    lines = [json.dumps(event).encode() for event in data.draw(histories(max_events=30))]
    changes = (
        f"quiet_hours.enabled={str(quiet).lower()}",
        f"consent.assume={'granted' if assume else 'denied'}",
    )

    for name, records in emitted([*lines, *RUBBISH], *changes).items():
        fields = set(schemas()[f"{name}.v1.json"]["properties"])
        for record in records:
            assert problems(name, record) == []
            assert set(record) == fields


def test_a_run_emits_all_three_kinds_with_times_as_published() -> None:
    """The test above looks at something: each kind is there, recalls too, with times that Python reads."""
    noon = 1_709_294_400_000
    events = [
        an_add("p1", at=noon),
        a_view("p2", at=noon + 3_600_000),
        a_purchase("p1", at=noon + 7_200_000, order_id="o1"),
        a_checkout(at=noon + 7_300_000),
        a_view("p2", at=noon + 9_000_000 * 2),
    ]
    lines = [json.dumps(event).encode() for event in events]
    found = emitted([*lines, *RUBBISH], "consent.assume=granted", "quiet_hours.enabled=false")

    assert found.keys() == {"message", "decision", "dead"}
    assert {"send", "recall", "add", "remove"} == {message["operation"] for message in found["message"]}
    assert len(found["dead"]) == len(RUBBISH)
    for records in found.values():
        for record in records:
            for time in times_in(record):
                assert time.endswith("Z")
                assert datetime.fromisoformat(time).microsecond % 1000 == 0


@given(data=st.data())
@settings(max_examples=30)
def test_what_the_touchpoint_schema_accepts_the_engine_reads(data: st.DataObject) -> None:
    """A producer that keeps to the schema has no dead letters."""
    for event in data.draw(histories(max_events=10)):
        assert problems("touchpoint", event) == []
        assert decode_canonical(json.dumps(event).encode()).type == event["type"]


@pytest.mark.parametrize(
    "record",
    [
        {"type": "view"},
        {"type": "view", "user_id": ""},
        {"type": "viewed", "user_id": "u1"},
        {"type": "view", "user_id": "u1", "time": "yesterday-ish", "items": {}},
        {"type": "view", "user_id": "u1", "time": -1},
        {"type": "consent", "user_id": "u1", "consent": {"state": "perhaps"}},
    ],
)
def test_what_producers_should_not_write_the_schema_refuses(record: dict[str, Any]) -> None:
    """No person, an unknown type, a list that is none, a time before 1970, an unknown word of consent."""
    assert problems("touchpoint", record) != []


def test_enumerations_are_closed() -> None:
    """A consumer may switch over them: nothing else comes."""
    decision, message = schemas()["decision.v1.json"], schemas()["message.v1.json"]

    assert decision["properties"]["outcome"]["enum"] == ["control", "deferred", "sent", "suppressed"]
    assert message["properties"]["channel"]["enum"] == list(topics.CHANNELS)
    assert set(schemas()["touchpoint.v1.json"]["properties"]["type"]["enum"]) == TYPES
    assert all("enum" in decision["$defs"][name]["properties"][field] for name, field in
               (("Subject", "kind"), ("GateRecord", "gate")))  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        JournalRecord(sequence=1),
        JournalRecord(
            sequence=7, incarnation=1, frontier={"touchpoints": 9}, worked=3, clock=5, now=6, tick=5,
            bundle="b", pauses={"push": 4}, outputs=2, digest="d", writer="w", acknowledged=6, claim="w",
        ),
    ],
)  # fmt: skip
def test_journal_records_are_as_published(record: JournalRecord) -> None:
    """The shortest and the longest record of the journal."""
    assert problems("journal", parse_object(journal.encode(record))) == []


def test_what_the_shipped_rules_send_is_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message of every case beside them, on every channel they use, recalls and audiences too."""
    messages: list[dict[str, Any]] = []

    def outcomes_of(outputs: Sequence[Output]) -> object:
        found = [one for one in outputs if one.topic not in (topics.DECISIONS, topics.DEAD)]
        messages.extend(json.loads(one.value) for one in found)
        return outcomes.outcomes_of(outputs)

    monkeypatch.setattr(running, "outcomes_of", outcomes_of)
    try_rules([default_rules_dir()])

    assert [problem for message in messages for problem in problems("message", message)] == []
    assert {message["rule"] for message in messages} == {path.stem for path in rule_files()}
    assert {"email", "push", "ads", "direct_mail", "onsite", "service"} <= {m["channel"] for m in messages}


def rule_files() -> list[Path]:
    """The files of the rules that ship."""
    return [path for path in default_rules_dir().glob("*.yaml") if not path.name.endswith(".cases.yaml")]


def a_sent(channel: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a message
    """A message as it stands in its topic."""
    greeted = {"line": "Hello,", "language": "en", "formal": True, "neutral": True}
    known = {"salutation": greeted, "purchases": 0, "purchase_ordinal": 0, "lifetime_value": {}}
    context = known | {"list_unsubscribe": True, "journey": {"viewed": 0, "wished": 0, "in_carts": 0}}
    to = {"email": "a@b.c", "push_tokens": ["t"], "phone": "+491701234567", "address": {"city": "Berlin"}}
    message = {
        "message_id": "m", "decision_id": "d", "operation": "send", "channel": channel, "rule": "r",
        "rule_version": "1", "step": 1, "person": "u1", "subject": {"kind": "person", "id": "u1"},
        "purpose": "marketing", "due": "2024-03-01T12:00:00.000Z", "decided_at": "2024-03-01T12:00:00.000Z",
        "priority": 1, "why": "", "context": context, "to": to,
    }  # fmt: skip
    found: dict[str, Any] = msgspec.to_builtins(msgspec.convert(message | fields, Message))
    return found


@pytest.mark.parametrize("channel", [name for name in topics.CHANNELS if name != "ads"])
def test_a_message_without_what_its_channel_needs_is_not_as_published(channel: str) -> None:
    """Each has a greeting and an address of that channel, and takes something back only as a recall."""
    whole = a_sent(channel)

    assert problems("message", whole) == []
    assert problems("message", a_sent(channel, context={})) != []
    assert problems("message", a_sent(channel, recall_of="m0")) != []
    assert problems("message", a_sent(channel, operation="recall")) != []
    assert problems("message", a_sent(channel, operation="add")) != []
    assert problems("message", a_sent(channel, audience="a")) != []
    assert problems("message", a_sent(channel, products=[{"product_id": "p", "price": 1}])) != []
    reached = channel not in ("onsite", "chat", "service")
    assert bool(problems("message", a_sent(channel, to={"elsewhere": "x"}))) is reached
    assert problems("message", a_sent(channel, operation="recall", recall_of="m0", to={}, context={})) == []


def test_an_audience_is_entered_and_left() -> None:
    """With its name; nothing is sent to ads."""
    assert problems("message", a_sent("ads", operation="add", audience="carted")) == []
    assert problems("message", a_sent("ads", operation="remove", audience="carted", recall_of="m0")) == []
    assert problems("message", a_sent("ads", operation="add")) != []
    assert problems("message", a_sent("ads", audience="carted")) != []


def test_the_rules_that_ship_are_as_published() -> None:
    """An editor that knows the schema underlines nothing in them, but does so in a rule with a mistake."""
    documents, unreadable = read_documents([default_rules_dir()])

    assert unreadable == []
    assert documents
    for document in documents:
        assert problems("rule", document.data) == []
    assert problems("rule", {"rule": "r", "subjcet": "cart"}) != []


def test_a_time_in_rfc_3339_takes_the_other_path() -> None:
    """Both forms of a time that the schema allows are one time to the engine."""
    text = b'{"type": "view", "user_id": "u1", "time": "2024-03-01T12:00:00Z"}'

    assert decode_fast(text) is None
    assert decode_canonical(text).time == 1_709_294_400_000


@pytest.mark.parametrize("reason", get_args(Reason))
def test_what_a_channel_service_sets_aside_is_as_published(reason: Reason) -> None:
    """Every reason, with the fields of the schema and no others."""

    class Email:
        name, destination = "email", ""

    unsent = Unreadable(5, b"ann", b"\xff{", dead(reason, "so"))
    told = telling.dead_letter(Email(), unsent, 1_709_294_400_000, {"retarget.dead.email": 3})  # type: ignore[arg-type]
    letter = json.loads(told.value or b"")
    assert problems("dead_channel", letter) == []
    assert letter.keys() == schemas()["dead_channel.v1.json"]["properties"].keys()
    assert problems("dead_channel", letter | {"reason": "other"})


RECORD: Final = {
    "product_id": st.text("abc", min_size=1, max_size=5),
    "time": st.one_of(st.integers(0, 2**41), st.just("2026-01-02T03:04:05Z")),
    "id": st.text("xyz", min_size=1, max_size=5),
    "price": st.floats(0, 1e6),
    "stock": st.integers(0, 99),
    "margin": st.floats(-9, 9),
    "expires": st.integers(0, 2**41),
    **dict.fromkeys(TEXTS, st.text(max_size=9)),
}


@given(record=st.fixed_dictionaries({}, optional=RECORD))
def test_what_the_catalogue_schema_accepts_the_engine_reads(record: dict[str, Any]) -> None:
    """And what says nothing of a product neither accepts."""
    if problems("catalogue", record):
        assert not record.keys() & {*TOLD}
        return
    event = read_record(json.dumps(record).encode(), b"lamp", 1_000_000)
    assert event.items[0].product_id == record.get("product_id", "lamp")


def test_a_catalogue_record_that_is_wrong_is_refused_by_both() -> None:
    """A negative price, and a name that is none."""
    for wrong in ({"price": -1}, {"product_id": "", "price": 1}, {"stock": "many"}):
        assert problems("catalogue", wrong)
        with pytest.raises(Rejected):
            read_record(json.dumps(wrong).encode(), b"lamp", 1_000_000)
