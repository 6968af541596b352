"""CloudEvents by HTTP, in its three modes; and what only a server may send."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retarget.touchpoints import Touchpoint
from tests.support.collecting import Collector

Start = Callable[..., Collector]
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/shop",
    "type": "com.shop.view.v1",
    "time": "2026-03-01T10:00:00Z",
}
DATA = {"user_id": "u1", "items": [{"product_id": "tent"}]}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
PRICE = {"type": "price_change", "items": [{"product_id": "tent", "price": 0.01}]}
PAGE, SERVER = "a-key-of-a-page-here", "a-key-of-a-server-here"


@pytest.fixture(scope="module")
def open_one(collector: Start) -> Collector:
    """One that asks for no key."""
    return collector()


def test_three_modes_one_event(open_one: Collector) -> None:
    """Attributes in headers, around the data, or both in a list: the same touchpoint."""
    binary = {f"ce-{name}": value for name, value in EVENT.items()}
    assert open_one.send("/cloudevents", DATA, binary).status == 200
    assert open_one.send("/", EVENT | {"data": DATA}, STRUCTURED).status == 200
    assert open_one.send("/cloudevents", [EVENT | {"data": DATA}], BATCH).status == 200
    events = open_one.events()
    assert len(events) == 3
    for event in events:
        assert isinstance(event, Touchpoint)
        assert (event.id, event.type, event.time) == ("/shop#e1", "view", 1_772_359_200_000)
        assert (event.user_id, event.items[0].product_id) == ("u1", "tent")


@pytest.mark.parametrize(
    ("body", "headers", "status", "field"),
    [
        (DATA, {}, 415, "Content-Type"),
        (b"<a/>", {"ce-specversion": "1.0", "Content-Type": "text/xml"}, 415, "Content-Type"),
        ({"specversion": "1.0"}, STRUCTURED, 400, "id"),
        (EVENT | {"data": 7}, STRUCTURED, 400, "data"),
        (EVENT, STRUCTURED, 400, "user_id"),
        (b"{}", BATCH, 400, "body"),
        (b"[", BATCH, 400, "body"),
        ([7], BATCH, 400, "batch[0]"),
    ],
)
def test_what_is_wrong_is_told(
    open_one: Collector, body: object, headers: dict[str, str], status: int, field: str
) -> None:
    """With field and remedy."""
    answer = open_one.send("/cloudevents", body, headers)
    assert (answer.status, answer.json["error"]["field"]) == (status, field)


def test_a_page_erases_nobody(collector: Start) -> None:
    """Its key is known to everybody; a server's is not."""
    guarded = collector(f"collect.write_keys={PAGE}", f"collect.server_keys={SERVER}")
    erase = EVENT | {"type": "erase", "data": {"user_id": "u1"}}
    beat = EVENT | {"type": "heartbeat"}
    for event in (erase, beat):
        refused = guarded.send("/cloudevents", event, STRUCTURED | {"Authorization": f"Bearer {PAGE}"})
        assert (refused.status, refused.json["error"]["field"]) == (403, "writeKey")
    assert guarded.send("/cloudevents", erase, STRUCTURED).status == 401
    assert guarded.records() == []
    taken = guarded.send("/cloudevents", erase, STRUCTURED | {"Authorization": f"Bearer {SERVER}"})
    assert taken.status == 200
    assert len(guarded.records()) == 1


@pytest.mark.parametrize("path", ["/v1/batch", "/cloudevents"])
def test_what_is_set_aside_erases_nobody_either(collector: Start, path: str) -> None:
    """It stands in the topic as it was sent, where the engine would read it as what it is."""
    guarded = collector(f"collect.write_keys={PAGE}", f"collect.server_keys={SERVER}")
    seen = {"type": "track", "event": "Product Viewed", "userId": "me"}
    for hidden in ({"type": "erase", "user_id": "u1"}, PRICE):
        batch = {"batch": [seen, hidden]} if path == "/v1/batch" else [EVENT, hidden]
        headers = {} if path == "/v1/batch" else BATCH
        refused = guarded.send(path, batch, headers | {"Authorization": f"Bearer {PAGE}"})
        assert (refused.status, refused.json["error"]["field"]) == (403, "writeKey")
    assert guarded.records() == []
