import pytest

from retarget.dialects import DIALECTS, decoder_for, dialect_named
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Touchpoint

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
