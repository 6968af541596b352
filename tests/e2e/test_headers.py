"""CloudEvents in binary mode on a topic: attributes in the headers of a record, data in its value."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from retarget.times import format_time
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, Reader
from streams.kafka.sending import Outgoing, producing
from streams.producing import send_all
from tests.e2e.harness import OLD_FILES, Stage, on_stage

_NOON: Final = 1_709_294_400_000
_PERSON: Final = "u1"
_LANES: Final = 2
_LANE: Final = topics.partition_of(_PERSON.encode(), _LANES)
Headers = list[tuple[str, bytes]]


@pytest.fixture
def stage(store: EmbeddedStore, tmp_path: Path) -> Iterator[Stage]:
    """An engine of two lanes on a broker of its own."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        yield Stage(
            bootstrap=broker.bootstrap,
            store=store,
            folder=tmp_path,
            app_id="engine",
            emit="idempotent",
            partitions=_LANES,
            settings=(*OLD_FILES, "quiet_hours.enabled=false"),
        )


def binary(name: str, time: int, **more: str) -> Headers:
    """The headers of an event of that type."""
    said = {
        "ce_specversion": "1.0", "ce_id": name, "ce_source": "/till", "ce_type": f"com.shop.{name}",
        "ce_time": format_time(time), "content-type": "application/json; charset=utf-8",
    }  # fmt: skip
    return [(key, value.encode()) for key, value in (said | more).items()]


def order(number: int) -> bytes:
    """Somebody's order, without a type: the headers say it."""
    return json.dumps({"user_id": _PERSON, "order_id": f"o{number}"}).encode()


def sent() -> list[tuple[bytes, Headers | None]]:
    """Two events by their headers, one without any, one of others' headers, one that is no JSON."""
    plain: dict[str, Any] = {"type": "refund", "user_id": _PERSON, "time": _NOON + 2000, "order_id": "o1"}
    return [
        (order(1), binary("purchase", _NOON)),
        (order(1), binary("cancel", _NOON + 1000, ce_userid="u9")),
        (json.dumps(plain).encode(), None),
        (json.dumps(plain | {"id": "other"}).encode(), [("trace", b"x"), ("ce_id", b"no version beside it")]),
        (b"\x00\x01", binary("purchase", _NOON, **{"content-type": "avro/binary"})),
    ]


async def send(stage: Stage, records: Sequence[tuple[bytes, Headers | None]]) -> None:
    """Send values with headers to the person's lane."""
    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        await send_all(
            producer,
            (
                Outgoing(topics.TOUCHPOINTS, _LANE, _PERSON.encode(), value, headers=headers)
                for value, headers in records
            ),
        )


async def test_events_by_their_headers(stage: Stage) -> None:
    """A purchase whose type is in a header decides as any does; what is no JSON is a dead letter."""
    async with on_stage(stage), stage.outlet() as outlet:
        stage.worker("one")
        await stage.shared_out()
        await send(stage, sent())
        await stage.move_clocks(_NOON + 60_000)
        await stage.done()
        records = await outlet.to_end()
    decided = [json.loads(each.value) for each in records if each.topic == topics.DECISIONS]
    assert {one["rule"] for one in decided} >= {"first_purchase"}
    assert all(one["person"] == _PERSON for one in decided)
    (letter,) = [json.loads(each.value) for each in records if each.topic == topics.DEAD]
    assert letter["reason"] == "bad_field"
    assert "avro/binary" in letter["detail"]
    # The bytes hold the headers too, so that `retarget redrive` has all there was.
    assert json.loads(base64.b64decode(letter["raw"]))["id"] == "purchase"


async def test_what_is_read_back_is_what_came(stage: Stage) -> None:
    """A claim reads the same records again, with the same headers and no others."""
    async with on_stage(stage):
        await send(stage, sent())
        reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
        await reader.start()
        try:
            records = await reader.read(topics.TOUCHPOINTS, _LANE, 0, len(sent()))
        finally:
            await reader.close()
    given = [headers if headers and ("ce_specversion", b"1.0") in headers else [] for _, headers in sent()]
    assert [list(one.attributes) for one in records] == given
    assert [one.value for one in records] == [value for value, _ in sent()]
