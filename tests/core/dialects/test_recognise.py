import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz import seeds
from retarget.decode import decode_canonical, decode_tolerant
from retarget.dialects import DIALECTS, RecordDecoder, decoder_for, dialect_named
from retarget.dialects.recognise import RECOGNISED
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import IMPERSONAL, Item, Touchpoint

_decode = decoder_for("auto")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"type":"identify","user_id":"u"}', Touchpoint(type="identify", user_id="u")),
        (b'{"type":"identify","userId":"u"}', Touchpoint(type="identify", user_id="u")),
        (b'{"type":"track","user_id":"u"}', Touchpoint(name="track", user_id="u")),
        (b'{"type":"track","userId":"u","event":"Order Completed"}',
         Touchpoint(type="purchase", name="Order Completed", user_id="u")),
        (b'{"type":"page","anonymousId":"a","name":"Home"}',
         Touchpoint(type="page", name="Home", anonymous_id="a")),
        (b'{"type":"view","user_id":7,"messageId":"m"}', Touchpoint(type="view", user_id="7")),
        (b'{"type":"heartbeat","time":5}', Touchpoint(type="heartbeat", time=5)),
    ],
)  # fmt: skip
def test_told_by_content(value: bytes, expected: Touchpoint) -> None:
    """Canonical records and Segment's calls are told apart by what is in them."""
    assert _decode(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"event_name":"view_item"}', "unknown_dialect"),
        (b"{}", "unknown_dialect"),
        (b'{"type":["track"],"userId":"u"}', "bad_field"),
        (b'{"type":"track","event":"Order Completed"}', "no_person"),
        (b'{"type":"view"}', "no_person"),
        (b"nothing", "not_json"),
        (b"[]", "not_an_object"),
    ],
)
def test_bad_records(value: bytes, reason: str) -> None:
    """A record in no dialect says so; one in a dialect has the reason of that dialect."""
    with pytest.raises(Rejected) as caught:
        _decode(value)
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", ["auto", "canonical", "segment"])
def test_limit_holds_in_every_dialect(name: str) -> None:
    """Each decoder refuses records above the limit that it was made with."""
    with pytest.raises(Rejected, match="too_large"):
        decoder_for(name, max_bytes=10)(b'{"user_id":"u"}')


def test_names() -> None:
    """An unknown dialect and one that no topic can carry are the user's mistake, with the names to choose."""
    with pytest.raises(BadInput, match="'segmnt' is unknown; write one of auto, canonical"):
        dialect_named("segmnt")
    with pytest.raises(BadInput, match="for files; topics carry one of auto, canonical, segment"):
        decoder_for("taobao")
    assert all(name == dialect.name and dialect.sentence for name, dialect in DIALECTS.items())


@pytest.mark.parametrize("kind", sorted(IMPERSONAL - {"heartbeat"}))
def test_an_envelope_around_what_is_about_nobody(kind: str) -> None:
    """A CloudEvent whose type is ours, without a time, passes for canonical: its data would be lost."""
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": kind}
    items = [{"product_id": "p", "price": 2.5}]
    value = json.dumps(event | {"data": {"items": items}}).encode()
    for decode in (_decode, decoder_for("cloudevents")):
        assert decode(value) == Touchpoint(type=kind, id="/shop#1", items=[Item(product_id="p", price=2.5)])
    plain = json.dumps({"type": kind, "id": "1", "source": "s", "items": items}).encode()
    assert _decode(plain).items == [Item(product_id="p", price=2.5)]


def test_tab_separated_only_where_it_is_set() -> None:
    """Rows of the enriched stream are no JSON: without the setting they are dead letters."""
    with pytest.raises(Rejected, match="not_json"):
        _decode(b"web\tapp")
    with pytest.raises(Rejected, match="131"):
        decoder_for("snowplow")(b"web\tapp")


_TIMES = (
    "2026-03-01T10:00:00Z", "2026-03-01t10:00:00.5z", "2026-03-01 10:00", "1969-12-31T23:59:59Z",
    "2026-02-30", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-01:00", "1772359200000", "", "ß",
)  # fmt: skip
_USUAL = {name: [json.loads(value) for value in seeds.golden(name)] for name in RECOGNISED} | {
    "canonical": [json.loads(value) for value in seeds.canonical()[:20]]
}
_BOTH = tuple(product(_USUAL, _USUAL))


def _said(decode: RecordDecoder, value: bytes) -> object:
    try:
        return decode(value)
    except Rejected as rejected:
        return rejected.reason, str(rejected)


def _one(of: Sequence[dict[str, Any]], at: int) -> dict[str, Any]:
    return of[at % len(of)]


@given(
    st.sampled_from(_BOTH),
    st.integers(0, 50),
    st.integers(0, 50),
    st.sets(st.sampled_from(["texted", "swapped"])),
)
@settings(max_examples=500)
def test_what_came_before_does_not_count(
    names: tuple[str, str], first: int, second: int, how: set[str]
) -> None:
    """Records with the signs of two dialects are in the same one, whatever was read before them."""
    one, other = _one(_USUAL[names[0]], first), _one(_USUAL[names[1]], second)
    if "texted" in how and "time" in one:
        one = one | {"time": "2026-03-01T10:00:00Z"}
    both = other | one if "swapped" in how else one | other
    value = msgspec.json.encode({name: both[name] for name in [*one, *both]})
    wanted = _said(decoder_for("auto"), value)
    knowing = decoder_for("auto")
    for before in (one, one, other, other, one):
        # All of them begin with the field that the record begins with, so that it is taken for one of these.
        head = {name: before.get(name, both[name]) for name in [next(iter(one)), *before]}
        with suppress(Rejected):
            knowing(msgspec.json.encode(head))
        assert _said(knowing, value) == wanted


@given(
    st.sampled_from(_USUAL["canonical"]), st.sampled_from(_TIMES), st.sampled_from(["id", "traits", "name"])
)
def test_times_as_text_are_read_alike(record: dict[str, Any], time: str, name: str) -> None:
    """What reads canonical records with such times at once reads them as the tolerant reader does."""
    for one in (record | {"time": time}, record | {"time": time, name: {"time": time}}):
        value = msgspec.json.encode(one)
        assert _said(decode_canonical, value) == _said(decode_tolerant, value)
