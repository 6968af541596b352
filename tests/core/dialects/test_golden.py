"""What each producer's documented form becomes: the golden files beside this."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from retarget.dialects import decoder_for
from retarget.dialects.snowplow_columns import COLUMNS
from retarget.errors import Rejected

GOLDEN = Path(__file__).parent / "golden"


def cases() -> Iterator[Any]:
    """Every case with its dialect."""
    for file in sorted(GOLDEN.glob("*.json")):
        for case in json.loads(file.read_text()):
            yield pytest.param(file.stem, case, id=f"{file.stem}: {case['says']}")


@pytest.mark.parametrize(("dialect", "case"), list(cases()))
def test_golden(dialect: str, case: dict[str, Any]) -> None:
    """By its name and by its content alone."""
    raw = json.dumps(case["given"]).encode()
    for name in (dialect, "auto"):
        assert msgspec.to_builtins(decoder_for(name)(raw)) == case["touchpoint"], name


PUBLISHED = re.compile(r"[^:]+.*, https://[^ ]+")
MADE_UP = re.compile(r"made up: .+")


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_each_case_says_where_its_form_is_from(file: Path) -> None:
    """The title and the address of the producer's page, of at least two; or why it was made up."""
    sources = [case["source"] for case in json.loads(file.read_text())]
    published = [source for source in sources if PUBLISHED.fullmatch(source)]
    assert len(published) >= 2
    assert all(MADE_UP.fullmatch(source) for source in sources if source not in published)


@pytest.mark.parametrize("dialect", ["ga4", "meta", "braze", "criteo", "snowplow", "segment", "cloudevents"])
@pytest.mark.parametrize("value", [b"{}", b'{"colour": "red"}', b'{"type": "view", "items": []}'])
def test_a_dialect_that_is_set_takes_no_other(dialect: str, value: bytes) -> None:
    """What is nothing of it is a dead letter."""
    with pytest.raises(Rejected) as caught:
        decoder_for(dialect)(value)
    assert caught.value.reason in ("unknown_dialect", "no_person", "bad_field")


@pytest.mark.parametrize(
    ("dialect", "given", "reason"),
    [
        ("ga4", {"client_id": "a", "events": [{"name": "x"}, {"name": "y"}]}, "bad_field"),
        ("ga4", {"client_id": "a", "events": []}, "bad_field"),
        ("ga4", {"client_id": "a", "events": [{"name": 7}]}, "bad_field"),
        ("ga4", {"client_id": "a", "timestamp_micros": "soon", "events": [{"name": "x"}]}, "bad_time"),
        ("ga4", {"event_name": "x", "user_pseudo_id": "a", "event_params": 3}, "bad_field"),
        ("ga4", {"client_id": "", "events": [{"name": "view_item"}]}, "no_person"),
        ("meta", {"data": [{"event_name": "a"}, {"event_name": "b"}]}, "bad_field"),
        ("meta", {"event_name": "Purchase", "event_time": "x", "user_data": {"fbp": "f"}}, "bad_time"),
        ("meta", {"event_name": "Purchase", "event_time": 5, "user_data": {"em": ["h"]}}, "no_person"),
        ("meta", {"event_name": "Purchase", "user_data": 7}, "bad_field"),
        ("braze", {"external_id": "u", "name": "x", "properties": {"products": 7}}, "bad_field"),
        ("braze", {"external_id": "u", "name": "x", "time": "soon"}, "bad_time"),
        ("braze", {"event_type": "users.x", "external_user_id": "u", "properties": "{"}, "not_json"),
        ("criteo", {"events": [{"event": "viewItem"}, {"event": "viewItem"}], "account": "1"}, "bad_field"),
        ("criteo", {"event": "viewItem", "customer_id": "u", "timestamp": "soon"}, "bad_time"),
        ("snowplow", {"event_id": "a", "collector_tstamp": "soon", "user_id": "u"}, "bad_time"),
        ("cloudevents", {"specversion": "2.0", "id": "1", "source": "s", "type": "t"}, "unknown_dialect"),
        ("cloudevents", {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "?"},
         "bad_field"),
    ],
)  # fmt: skip
def test_what_is_wrong(dialect: str, given: dict[str, Any], reason: str) -> None:
    """Each with the reason of its dead letter, and a sentence."""
    with pytest.raises(Rejected) as caught:
        decoder_for(dialect)(json.dumps(given).encode())
    assert caught.value.reason == reason
    assert caught.value.detail


def tab_separated(record: dict[str, Any]) -> bytes:
    """The golden event as the enriched stream has it."""
    entity = "contexts_com_snowplowanalytics_snowplow_ecommerce_"
    schema = "iglu:com.snowplowanalytics.snowplow.ecommerce/{}/jsonschema/1-0-0"
    contexts = [
        {"schema": schema.format(key.removeprefix(entity).removesuffix("_1")), "data": one}
        for key, value in record.items()
        if key.startswith(entity)
        for one in value
    ]
    action = next(value for key, value in record.items() if key.startswith("unstruct_event_"))
    inner = {"schema": schema.format("snowplow_ecommerce_action"), "data": action}
    cells = {name: str(record.get(name, "")) for name in COLUMNS} | {
        "contexts": json.dumps({"schema": "iglu:…/contexts", "data": contexts}),
        "unstruct_event": json.dumps({"schema": "iglu:…/unstruct_event", "data": inner}),
    }
    return "\t".join(cells.values()).encode()


def test_snowplow_as_it_streams() -> None:
    """Tab-separated, without a header: the same as the JSON."""
    case = json.loads((GOLDEN / "snowplow.json").read_text())[0]
    assert len(COLUMNS) == 131
    row = tab_separated(case["given"])
    assert msgspec.to_builtins(decoder_for("snowplow")(row)) == case["touchpoint"]
    for broken in (row.replace(b"\t", b" ", 1), row + b"\tx", b"\t", b"\xff\t"):
        with pytest.raises(Rejected, match="not_json"):
            decoder_for("snowplow")(broken)


@pytest.mark.data
def test_the_examples_of_segments_specification(data_dir: Path) -> None:
    """All that name somebody are read, whatever they are."""
    file = data_dir / "payload-samples" / "segment_spec_payloads.jsonl.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines()
    read = Counter[str]()
    for line in lines:
        payload = json.loads(line)["payload"]
        raw = json.dumps(payload).encode()
        try:
            event = decoder_for("auto")(raw) if "userId" in payload or "anonymousId" in payload else None
        except Rejected as rejected:
            pytest.fail(f"{payload}: {rejected}")
        if event is not None:
            read[event.type] += 1
            assert event.person in (payload.get("userId"), payload.get("anonymousId"))
    assert read["identify"] >= 2
    assert sum(read.values()) >= 8


@pytest.mark.data
def test_what_a_real_snowplow_tracker_sends(data_dir: Path) -> None:
    """Every row of a test shop, of which each action becomes the type of its name."""
    file = data_dir / "payload-samples" / "snowplow_ecommerce_events.csv.gz"
    wanted = {
        "product_view": "view", "list_click": "view", "list_view": "list_view", "add_to_cart": "add",
        "remove_from_cart": "remove", "checkout_step": "checkout", "transaction": "purchase",
        "refund": "refund",
        "promo_view": "promo", "promo_click": "promo",
    }  # fmt: skip
    seen = Counter[str]()
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            record: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
            record |= {
                name: json.loads(cell) for name, cell in record.items() if name.startswith("contexts_")
            }
            event = decoder_for("snowplow")(json.dumps(record).encode())
            seen[event.name or ""] += 1
            if event.name in wanted:
                assert event.type == wanted[event.name]
            if event.type in ("view", "add", "remove"):
                assert event.items
    assert seen["product_view"] > 100
    assert seen["add_to_cart"] > 10
