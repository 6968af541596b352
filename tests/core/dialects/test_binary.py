"""CloudEvents in binary mode: headers and value become the structured form."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.dialects import decoder_for
from retarget.dialects.binary import attributes_of, structured
from retarget.errors import Rejected
from retarget.lane.intake import Intake
from retarget.touchpoints import Touchpoint

_HEADERS: Final = (
    ("ce_specversion", b"1.0"), ("ce_id", b"7"), ("ce_source", b"/till"), ("ce_type", b"com.shop.add.v1"),
    ("ce_time", b"1970-01-01T00:00:05Z"), ("ce_userid", b"u"), ("content-type", b"application/json"),
)  # fmt: skip
_WANTED: Final = Touchpoint(
    id="/till#7", type="add", name="com.shop.add.v1", time=5000, user_id="u", cart_id="c"
)


def test_the_structured_form() -> None:
    """The attributes around the data, for the decoder of CloudEvents and that of any dialect."""
    value = structured(_HEADERS, b' {"cart_id": "c"} ')
    assert json.loads(value)["data"] == {"cart_id": "c"}
    assert decoder_for("cloudevents")(value) == decoder_for("auto")(value) == _WANTED


def test_data_in_another_dialect() -> None:
    """Data of Segment's in the value, too."""
    call = {"type": "track", "event": "Product Added", "userId": "u", "messageId": "m"}
    assert decoder_for("auto")(structured(_HEADERS, json.dumps(call).encode())).id == "m"


def test_headers_of_others_mean_nothing() -> None:
    """Without ce_specversion a record is not in binary mode."""
    assert attributes_of([("trace", b"1"), ("ce_id", b"7")]) == ()
    assert attributes_of(list(_HEADERS)) == _HEADERS
    assert attributes_of(()) == ()


def test_the_structured_mode_has_no_need_of_them() -> None:
    """Its content type says so, and its value is all."""
    headers = (*_HEADERS[:-1], ("content-type", b"application/cloudevents+json; charset=utf-8"))
    assert structured(headers, b"{}") == b"{}"


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (b"no json", b"application/json", "not_json"),
        (b'{"user_id": "u"}, "id": "8"', b"application/json", "not_json"),
        (b"\xff", b"application/json", "not_json"),
        (b'{"user_id": "u"}', b"avro/binary", "bad_field"),
        (b"[1]", b"application/vnd.shop+json", "bad_field"),
    ],
)
def test_data_that_cannot_be_used(value: bytes, kind: bytes, reason: str) -> None:
    """It is refused with its reason, and cannot write attributes of its own into the envelope."""
    with pytest.raises(Rejected) as caught:
        decoder_for("auto")(structured((*_HEADERS[:-1], ("content-type", kind)), value))
    assert caught.value.reason == reason


@given(st.lists(st.tuples(st.text(max_size=8).map("ce_".__add__), st.binary(max_size=8))), st.binary())
def test_any_headers_and_any_value(headers: list[tuple[str, bytes]], value: bytes) -> None:
    """Whatever they are: an event, or Rejected."""
    try:
        decoder_for("auto")(structured((("ce_specversion", b"1.0"), *headers), value))
    except Rejected as rejected:
        assert rejected.reason  # noqa: PT017 - either is right


def test_only_where_the_dialect_may_have_them() -> None:
    """A topic that is set to another dialect is read by its values alone."""
    decode = {"a": decoder_for("auto"), "b": decoder_for("canonical")}
    intake = Intake(0, decode, 0, with_headers={"a"})
    value = b'{"type": "view", "user_id": "v", "cart_id": "c"}'
    by_headers = intake.arrival("a", 1, 9000, b'{"cart_id": "c"}', _HEADERS)
    by_value = intake.arrival("b", 1, 9000, value, _HEADERS)
    assert by_headers.event == _WANTED
    assert (by_value.person, by_value.tells) == ("v", 9000)
