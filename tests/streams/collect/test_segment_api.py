"""Segment's HTTP API as it is spoken: what is taken stands in Kafka, what is not is told why."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from collections.abc import Callable

import pytest

from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.topics import partition_of
from tests.support.collecting import Collector

Start = Callable[..., Collector]
KEY = "a-write-key-of-a-test"
TRACK = {"userId": "u1", "event": "Product Viewed", "messageId": "m1", "properties": {"product_id": "tent"}}


def basic(key: str) -> dict[str, str]:
    """The header that client libraries send."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


@pytest.fixture(scope="module")
def open_one(collector: Start) -> Collector:
    """One that asks for no key."""
    return collector()


def test_every_call_becomes_a_touchpoint_of_its_person(open_one: Collector) -> None:
    """Long and short paths, in the partition of the person, with the id that the producer gave."""
    calls = {
        "track": TRACK | {"messageId": "c1"},
        "t": TRACK | {"messageId": "c2"},
        "identify": {
            "userId": "u1",
            "anonymousId": "a1",
            "traits": {"email": "a@b.example"},
            "messageId": "c3",
        },
        "page": {"anonymousId": "a1", "name": "Home", "messageId": "c4"},
        "screen": {"anonymousId": "a1", "name": "Home", "messageId": "c5"},
        "group": {"userId": "u1", "groupId": "g", "messageId": "c6"},
        "alias": {"userId": "u1", "previousId": "a1", "messageId": "c7"},
    }
    for path, call in calls.items():
        answer = open_one.send(f"/v1/{path}", call)
        assert (answer.status, answer.json) == (200, {"success": True}), path
    found = {event.id: event for event in open_one.events() if isinstance(event, Touchpoint)}
    assert [found[f"c{n}"].type for n in range(1, 8)] == [
        "view", "view", "identify", "page", "page", "identify", "alias",
    ]  # fmt: skip
    for place, record in open_one.records():
        assert record.key is None or place == partition_of(record.key, 2)
    assert {record.key for _, record in open_one.records()} >= {b"u1", b"a1"}


def test_a_wrong_clock_is_put_right(open_one: Collector) -> None:
    """Ten minutes before it was sent, by a clock that is a year behind."""
    call = TRACK | {
        "messageId": "skew",
        "timestamp": "2025-01-01T10:00:00Z",
        "sentAt": "2025-01-01T10:10:00Z",
    }
    before = time.time_ns() // 1_000_000
    assert open_one.send("/v1/track", call).status == 200
    event = next(one for one in open_one.events() if isinstance(one, Touchpoint) and one.id == "skew")
    assert 0 <= event.time + 600_000 - before < 60_000


def test_a_batch_packed_in_gzip(open_one: Collector) -> None:
    """The times of the batch are those of its calls."""
    sent = {"sentAt": "2025-01-01T10:10:00Z", "context": {"library": {"name": "x"}}}
    calls = [
        TRACK | {"type": "track", "messageId": f"z{n}", "timestamp": "2025-01-01T10:10:00Z"}
        for n in range(50)
    ]
    body = json.dumps(sent | {"batch": calls}).encode()
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body)}
    for coding, value in packed.items():
        assert open_one.send("/v1/batch", value, {"Content-Encoding": coding}).status == 200, coding
    found = [
        one for one in open_one.events() if isinstance(one, Touchpoint) and (one.id or "").startswith("z")
    ]
    assert len(found) == 100
    assert all(abs(one.time - time.time_ns() // 1_000_000) < 60_000 for one in found)


def test_one_bad_call_does_not_take_the_others_with_it(open_one: Collector) -> None:
    """It is told, and stands in the topic as it came, for the dead letters."""
    good, bad = TRACK | {"type": "track", "messageId": "b1"}, {"type": "track", "event": "of nobody b2"}
    answer = open_one.send("/v1/batch", {"batch": [good, bad, 7]})
    assert answer.status == 200
    assert [(one["field"], one["reason"]) for one in answer.json["set_aside"]] == [
        ("batch[1].userId", "no_person"),
        ("batch[2]", "not_an_object"),
    ]
    events = open_one.events()
    assert "b1" in {one.id for one in events if isinstance(one, Touchpoint)}
    assert {one.reason for one in events if isinstance(one, Rejected)} == {"no_person", "not_an_object"}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "field"),
    [
        ("/v1/track", b"{", {}, 400, "body"),
        ("/v1/track", b"[]", {}, 400, "body"),
        ("/v1/track", {"event": "x"}, {}, 400, "userId"),
        ("/v1/track", TRACK | {"timestamp": "soon"}, {}, 400, "timestamp"),
        ("/v1/track", TRACK | {"properties": 7}, {}, 400, "properties"),
        ("/v1/batch", {"batch": []}, {}, 400, "batch"),
        ("/v1/batch", {"batch": [{}]}, {}, 400, "batch[0]"),
        ("/v1/track", b"not gzip", {"Content-Encoding": "gzip"}, 400, "body"),
        ("/v1/track", gzip.compress(b"{}")[:-9], {"Content-Encoding": "gzip"}, 400, "body"),
        ("/v1/track", TRACK, {"Content-Encoding": "br"}, 415, "Content-Encoding"),
        ("/v1/track", TRACK, {"Content-Type": "application/xml"}, 415, "Content-Type"),
        ("/v1/track", b"x" * 1_000_001, {}, 413, "body"),
        ("/v1/track", gzip.compress(bytes(10_000_000)), {"Content-Encoding": "gzip"}, 413, "body"),
        ("/v1/nothing", TRACK, {}, 404, "path"),
        ("/elsewhere", TRACK, {}, 404, "path"),
    ],
)
def test_what_cannot_be_taken_names_field_and_remedy(
    open_one: Collector, path: str, body: object, headers: dict[str, str], status: int, field: str
) -> None:
    """And leaves nothing behind."""
    answer = open_one.send(path, body, headers)
    assert answer.status == status
    error = answer.json["error"]
    assert error["field"] == field
    assert error["problem"]
    assert error["remedy"]


def test_keys(collector: Start) -> None:
    """By Basic, or in the body of a call or batch; a wrong one leaves nothing in Kafka."""
    guarded = collector(f"collect.write_keys={KEY}")
    call = {**TRACK, "type": "track"}
    assert guarded.send("/v1/track", call).status == 401
    wrong = guarded.send("/v1/track", call, basic("another"))
    assert (wrong.status, wrong.json["error"]["field"]) == (401, "writeKey")
    assert "collect.write_keys" in wrong.json["error"]["remedy"]
    assert guarded.send("/v1/batch", {"batch": [call], "writeKey": "another"}).status == 401
    assert guarded.records() == []
    assert guarded.send("/v1/track", call, basic(KEY)).status == 200
    assert guarded.send("/v1/track", call | {"writeKey": KEY}).status == 200
    assert guarded.send("/v1/batch", {"batch": [call], "writeKey": KEY}).status == 200
    assert len(guarded.records()) == 3


def test_what_rudderstacks_library_asks_for(open_one: Collector) -> None:
    """The form that it looks for in its control plane's answer: it may send, and has no destination."""
    for path in ("/sourceConfig", "/sourceConfig/"):
        source = open_one.send(f"{path}?writeKey=k").json["source"]
        assert (source["id"], source["enabled"]) == ("k", True)
        assert (source["config"], source["destinations"]) == ({}, [])


def test_pages_may_send(open_one: Collector) -> None:
    """A preflight is answered, and every answer may be read."""
    origin = {"Origin": "https://shop.example"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = open_one.send("/v1/t", headers=origin | asked, method="OPTIONS")
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    for answer in (preflight, open_one.send("/v1/t", TRACK, origin), open_one.send("/v1/t", b"{", origin)):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_only_the_pages_that_are_named(collector: Start) -> None:
    """Others get no permission."""
    named = collector("collect.origins=https://shop.example")
    for origin, allowed in (("https://shop.example", "https://shop.example"), ("https://evil.example", None)):
        answer = named.send("/v1/t", TRACK, {"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


def test_a_pixel(open_one: Collector) -> None:
    """With the call in base64, or in plain parameters."""
    call = {
        "userId": "p1",
        "event": "Product Viewed",
        "messageId": "px1",
        "properties": {"product_id": "mug"},
    }
    data = base64.b64encode(json.dumps(call).encode()).decode().rstrip("=")
    for path in (
        f"/v1/pixel/track?data={data}",
        "/pixel.gif?event=Email%20Opened&userId=p1&messageId=px2&campaign_id=c7",
    ):
        answer = open_one.send(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/gif")
        assert answer.body.startswith(b"GIF89a")
    found = {one.id: one for one in open_one.events() if isinstance(one, Touchpoint)}
    assert (found["px1"].type, found["px1"].items[0].product_id) == ("view", "mug")
    assert (found["px2"].type, found["px2"].campaign) == ("email_open", {"id": "c7"})
    assert open_one.send("/v1/pixel/track?data=%25%25").status == 400
    assert open_one.send("/pixel.gif").status == 400
