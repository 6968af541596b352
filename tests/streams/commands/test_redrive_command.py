"""`retarget redrive`: what was set aside goes once more, once, with the id and the time that it had."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from retarget.decode import decode_canonical
from retarget.journeys.model import Consent, Journey
from retarget.times import format_time
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.sending import Outgoing, producing, send
from streams.sealing import records
from streams.sealing.keys import Wrapping
from tests.streams.commands.conftest import Answer, Retarget
from tests.support.people import granted, store_people

NOON = 1_772_362_800_000
SEGMENT = {"type": "track", "event": "Order Completed", "userId": "u1", "properties": {"order_id": "o1"}}


def letter(offset: int, raw: object, reason: str = "unknown_dialect", **more: object) -> dict[str, Any]:
    """A dead letter about a record of partition 1."""
    value = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return {
        "reason": reason, "detail": "…", "topic": "touchpoints", "partition": 1, "offset": offset,
        "time": format_time(NOON + offset), "raw": base64.b64encode(value).decode(), "schema": 1, "rules": [],
        **more,
    }  # fmt: skip


def message(number: int, **more: object) -> dict[str, Any]:
    """A message that a channel service could not send."""
    return {"message_id": f"m{number}", "rule": "win_back", "person": "u1", "expires_at": None, **more}


@pytest.fixture
def engine(own_broker: EmbeddedBroker) -> str:
    """A broker with the topics of an engine of two lanes; its address."""
    address = KafkaAddress(bootstrap=own_broker.bootstrap)
    asyncio.run(create_or_check(address, topics.topic_specs(["touchpoints"], 2)))
    return own_broker.bootstrap


def put(bootstrap: str, topic: str, values: Sequence[Mapping[str, Any] | bytes]) -> None:
    """Write records into partition 0."""

    async def write() -> None:
        async with producing(KafkaAddress(bootstrap=bootstrap)) as producer:
            raws = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in values]
            await send(producer, [Outgoing(topic, 0, b"u1", raw) for raw in raws])

    asyncio.run(write())


class Engine:
    """The command against one broker, and one store where there is one."""

    def __init__(self, retarget: Retarget, bootstrap: str, store: str = "") -> None:
        self._retarget = retarget
        self._where = ["--set", f"kafka.bootstrap={bootstrap}", "--set", "kafka.emit=idempotent"]
        self._where += ["--set", "kafka.partitions=2"]
        self._where += ["--set", f"store.url={store}"] if store else []

    def redrive(self, *words: str) -> Answer:
        """Run it."""
        return self._retarget("redrive", *words, *self._where)

    def there(self, topic: str) -> list[str]:
        """What stands in a topic."""
        return self._retarget("tail", topic, "--from-start", "--json", *self._where).out.splitlines()


def test_each_goes_once_with_its_own_time(retarget: Retarget, engine: str) -> None:
    """A record without id and time keeps those of its first place, however often the command runs."""
    put(engine, topics.DEAD, [letter(7, SEGMENT), letter(7, SEGMENT), letter(8, b"nonsense", "not_json")])
    ours = Engine(retarget, engine)

    assert ours.redrive("--dry-run").out == "1 would be sent again, 0 had been before, 1 left\n"
    assert ours.there("touchpoints") == []
    first = ours.redrive()
    assert (first.code, first.out) == (1, "1 sent again, 0 had been before, 1 left\n")
    assert first.err.startswith("touchpoints-1-8: not_json: ")
    again = ours.redrive()
    assert again.out == "0 sent again, 1 had been before, 1 left\n"

    [sent] = [decode_canonical(line.encode()) for line in ours.there("touchpoints")]
    assert (sent.id, sent.time, sent.type) == ("touchpoints-1-7", NOON + 7, "purchase")
    assert (sent.user_id, sent.order_id) == ("u1", "o1")


@pytest.mark.parametrize(
    ("words", "offsets"),
    [
        ((), [1, 2, 3]),
        (("--reason", "unknown_dialect"), [1, 3]),
        (("--reason", "bad_time", "--reason", "unknown_dialect"), [1, 2, 3]),
        (("--from", "2026-03-01T11:00:00.002Z"), [2, 3]),
        (("--to", "2026-03-01T11:00:00.002Z"), [1]),
        (("--topic", "elsewhere"), []),
    ],
)
def test_chosen_by_reason_time_and_topic(
    retarget: Retarget, engine: str, words: tuple[str, ...], offsets: list[int]
) -> None:
    """Only these."""
    letters = [letter(1, SEGMENT), letter(2, SEGMENT, "bad_time"), letter(3, SEGMENT)]
    put(engine, topics.DEAD, letters)
    ours = Engine(retarget, engine)
    assert ours.redrive(*words).code == 0
    ids = [str(decode_canonical(line.encode()).id) for line in ours.there("touchpoints")]
    assert sorted(ids) == [f"touchpoints-1-{offset}" for offset in offsets]


def test_a_letter_that_is_sealed(retarget: Retarget, engine: str, store: EmbeddedStore) -> None:
    """Is opened by the key of its person; when they were erased nobody opens it, and it is told."""
    secret = "a secret that is long enough"  # noqa: S105 - of a test
    wrapping = Wrapping([secret])
    event = {"id": "e1", "type": "purchase", "user_id": "u1", "time": NOON}
    letters = [json.dumps(letter(at, event, "rule_failed")).encode() for at in (1, 2)]
    kept = wrapping.new("u1")
    keys = [wrapping.opened("u1", kept), wrapping.opened("u2", wrapping.new("u2"))]
    sealed = [
        records.seal(one, "dead", person, key, 0)
        for one, person, key in zip(letters, ("u1", "u2"), keys, strict=True)
    ]
    asyncio.run(store_people(store.url, 2, Journey(person="u1", key=kept)))
    put(engine, topics.DEAD, sealed)
    ours = Engine(retarget, engine, store.url)
    told = ours.redrive("--as-new", "--set", f"privacy.keys={secret}")
    assert told.out == "1 sent again, 0 had been before, 1 left\n"
    assert "its key is gone: the person was forgotten" in told.err
    [sent] = [decode_canonical(line.encode()) for line in ours.there("touchpoints")]
    assert (sent.id, sent.type) == ("e1~again", "purchase")
    assert "privacy.keys is not set" in ours.redrive("--as-new").err


def test_what_is_mended_goes_where_it_is_read(retarget: Retarget, engine: str) -> None:
    """A shop that sends another form: the event, which is in ours now, goes to the topic that takes ours."""
    asyncio.run(create_or_check(KafkaAddress(bootstrap=engine), topics.topic_specs(["own"], 2)[:1]))
    put(engine, topics.DEAD, [letter(7, SEGMENT, "bad_time")])
    ours = Engine(retarget, engine)
    shop = ("--set", "input.dialect_by_topic=touchpoints=segment", "--set", "kafka.input_topics=touchpoints")
    refused = ours.redrive(*shop)
    assert refused.code == 1
    assert "events from touchpoints can go to no topic of kafka.input_topics" in refused.err
    assert ours.redrive(*shop[:2], "--set", "kafka.input_topics=touchpoints,own").code == 0
    assert ours.there("touchpoints") == []
    [sent] = [decode_canonical(line.encode()) for line in ours.there("own")]
    assert (sent.id, sent.type) == ("touchpoints-1-7", "purchase")


def test_what_the_collector_set_aside_on_a_canonical_topic(retarget: Retarget, engine: str) -> None:
    """It takes calls of Segment's for such a topic too: they are recognised, once they can be used."""
    shop = ("--set", "input.dialect=canonical")
    bad_time = {**SEGMENT, "timestamp": "soon"}
    ours = {"id": "e1", "type": "view", "user_id": "u1", "time": NOON, "items": 7}
    letters = [letter(6, bad_time, "bad_time"), letter(7, SEGMENT, "bad_time"), letter(8, ours, "bad_field")]
    put(engine, topics.DEAD, [*letters, letter(9, {"colour": "red"}, "no_person")])
    engine_ = Engine(retarget, engine)
    answer = engine_.redrive(*shop)
    assert answer.out == "1 sent again, 0 had been before, 3 left\n"
    told = dict(line.split(": ", 2)[:2] for line in answer.err.splitlines())
    assert {place[-1]: reason for place, reason in told.items() if place.startswith("touchpoints-1-")} == {
        "6": "bad_time", "8": "bad_field", "9": "no_person",
    }  # fmt: skip
    [sent] = [decode_canonical(line.encode()) for line in engine_.there("touchpoints")]
    assert (sent.id, sent.time, sent.type) == ("touchpoints-1-7", NOON + 7, "purchase")


def test_a_rule_that_failed(retarget: Retarget, engine: str) -> None:
    """Its event has been applied: sent again it would change nothing, unless it gets a new id."""
    event = {"id": "e1", "type": "purchase", "user_id": "u1", "time": NOON}
    failed = letter(4, event, "rule_failed", rules=["win_back"])
    put(engine, topics.DEAD, [failed, letter(-1, b"", "rule_failed", topic="wait", rules=["win_back"])])
    ours = Engine(retarget, engine)
    refused = ours.redrive("--rule", "win_back")
    assert (refused.code, refused.out) == (1, "0 sent again, 0 had been before, 2 left\n")
    assert "--as-new" in refused.err
    assert ours.redrive("--rule", "loyal_customer", "--as-new").out.startswith("0 sent")
    assert ours.redrive("--rule", "win_back", "--as-new").out.startswith("1 sent")
    [sent] = [decode_canonical(line.encode()) for line in ours.there("touchpoints")]
    assert (sent.id, sent.time) == ("e1~again", NOON)


def test_records_of_the_catalogue(retarget: Retarget, engine: str) -> None:
    """They go back there, with the time at which they came."""
    put(engine, topics.DEAD, [letter(5, {"product_id": "tent", "price": 80}, "bad_field", topic="catalogue")])
    ours = Engine(retarget, engine)
    assert ours.redrive().code == 0
    [sent] = map(json.loads, ours.there("catalogue"))
    assert sent == {"product_id": "tent", "price": 80, "id": "catalogue-1-5", "time": NOON + 5}


def test_what_a_channel_could_not_send(retarget: Retarget, engine: str, store: EmbeddedStore) -> None:
    """A message as it was, once for each; neither one that has expired, or its code, nor a recalled one."""
    raw = base64.b64encode(json.dumps(message(2)).encode()).decode()
    letters: list[Mapping[str, Any] | bytes] = [
        message(1),
        message(1),
        {"reason": "smtp_down", "time": format_time(NOON), "raw": raw},
        {"reason": "smtp_down", "message": message(3, rule="refill")},
        message(4, expires_at="2026-03-01T00:00:00.000Z"),
        message(5),
        message(6, expires_at="2999-01-01T00:00:00.000Z", offer={"expires_at": "2026-03-01T00:00:00.000Z"}),
        b"nothing",
    ]
    put(engine, "retarget.dead.email", letters)
    put(
        engine,
        "retarget.email",
        [{"message_id": "r5", "operation": "recall", "recall_of": "m5", "rule": "win_back"}],
    )
    asyncio.run(store_people(store.url, 2, granted("u1")))
    ours = Engine(retarget, engine, store.url)

    chosen = ours.redrive("--channel", "email", "--rule", "refill", "--reason", "smtp_down")
    assert chosen.out.startswith("1 sent again")
    rest = ours.redrive("--channel", "email")
    assert (rest.code, rest.out) == (1, "2 sent again, 1 had been before, 4 left\n")
    assert "recalled" in rest.err
    assert "the message was good until" in rest.err
    assert "the code of the message was good until" in rest.err
    there = [json.loads(line) for line in ours.there("retarget.email")]
    assert sorted(one["message_id"] for one in there) == ["m1", "m2", "m3", "r5"]
    assert next(one for one in there if one["message_id"] == "m3") == message(3, rule="refill")
    assert ours.redrive("--channel", "email").out.startswith("0 sent again, 3 had been before")


def who_has_changed_since() -> list[Journey]:
    """People as they are when letters to them, of NOON, are sent once more."""
    said, before = Consent(granted=False, at=NOON + 1), Consent(granted=True, at=NOON - 1)
    erased = {"erased": True, "erased_at": NOON + 1}
    return [
        granted("willing"),
        Journey(person="forgotten", **erased),  # type: ignore[arg-type] # both are as they are declared
        msgspec.structs.replace(granted("back"), **erased),
        Journey(person="no-mails", consents={"*|*": before, "marketing|email": said}),
        Journey(person="silent"),
        msgspec.structs.replace(granted("unhappy"), pauses={"marketing": 2**45}),
        Journey(person="device", moved=[(NOON, "no-mails")]),
        Journey(person="went-on", moved=[(NOON + 2, "willing")], **erased),  # type: ignore[arg-type]
    ]


def test_nobody_is_written_to_who_may_not_be_any_more(
    retarget: Retarget, engine: str, store: EmbeddedStore
) -> None:
    """Erased, withdrawn or paused since: each is left by its reason; the others go, and recalls do."""
    asyncio.run(store_people(store.url, 2, *who_has_changed_since()))
    said = {"purpose": "marketing", "channel": "email", "operation": "send", "due": format_time(NOON)}
    names = ["willing", "forgotten", "back", "no-mails", "silent", "unhappy", "device", "stranger", "went-on"]
    letters = [message(number, person=name, **said) for number, name in enumerate(names)]
    later = said | {"due": format_time(NOON + 2)}
    letters += [
        message(10, person="back", **later),
        message(11, person="no-mails", **said | {"purpose": "service"}),
        message(12, person="forgotten", **said | {"operation": "recall"}, recall_of="m0"),
        message(13, person="willing", **said | {"rule": "abandoned_cart"}),
    ]
    put(engine, "retarget.dead.email", letters)
    retarget("pause", "abandoned_cart", "--set", f"store.url={store.url}")
    ours = Engine(retarget, engine, store.url)
    would = ours.redrive("--channel", "email", "--dry-run")
    told = ours.redrive("--channel", "email")
    assert told.code == 1
    count = "4 sent again, 0 had been before, 9 left, of them 4 erased, 3 no_consent, 2 paused\n"
    assert (would.out, told.out) == (count.replace("sent", "would be sent", 1), count)
    assert "no_consent: there is no consent of its person to marketing by email" in told.err
    assert "erased: nothing is stored of its person" in told.err
    there = [json.loads(line)["message_id"] for line in ours.there("retarget.email")]
    assert sorted(there) == ["m0", "m10", "m11", "m12"]


def test_letters_with_nonsense_in_them(retarget: Retarget, engine: str, store: EmbeddedStore) -> None:
    """An expiry that is none: it is left, the others go. A time that is none is that of the record."""
    put(
        engine,
        "retarget.dead.email",
        [message(1, expires_at="soon"), {"time": -5, "message": message(2)}, message(3, expires_at=1)],
    )
    asyncio.run(store_people(store.url, 2, granted("u1")))
    ours = Engine(retarget, engine, store.url)
    told = ours.redrive("--channel", "email", "--from", "2020-01-01T00:00:00Z")
    assert told.out == "1 sent again, 0 had been before, 2 left\n"
    assert "expires_at is 'soon'" in told.err


def test_words_that_mean_nothing(retarget: Retarget, engine: str) -> None:
    """A reason that there is not, a time that is none."""
    ours = Engine(retarget, engine)
    assert ours.redrive("--reason", "boredom").err.startswith("--reason: 'boredom' is none")
    assert ours.redrive("--from", "soon").code == 2
