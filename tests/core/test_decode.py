import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.decode import (
    KNOWN_KEYS,
    MAX_BYTES,
    decode_canonical,
    decode_fast,
    decode_tolerant,
    encode_touchpoint,
)
from retarget.errors import Rejected
from retarget.times import LATEST, parse_duration
from retarget.touchpoints import LONGEST_ID, MOST_ENTRIES, TYPES, Item, Touchpoint

_TEXT = st.text(max_size=6)
_NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
_ANY = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_ITEM_KEYS = (
    "product_id",
    "variant_id",
    "name",
    "category",
    "brand",
    "price",
    "quantity",
    "url",
    "image_url",
)
_ID = st.text(min_size=1, max_size=6)
_AMOUNT = st.floats(allow_nan=False, allow_infinity=False)
_FREE = st.dictionaries(_TEXT, _TEXT | st.integers(-(2**63), 2**64 - 1) | st.booleans(), max_size=3)

_ITEMS = st.builds(Item, product_id=st.none() | _ID, name=_TEXT, price=st.none() | _AMOUNT, quantity=_AMOUNT)
_TOUCHPOINTS = st.builds(
    Touchpoint,
    id=st.none() | _ID,
    type=st.sampled_from(sorted(TYPES)),
    name=st.none() | _TEXT,
    time=st.just(-1) | st.integers(0, LATEST),
    user_id=_ID,
    anonymous_id=st.none() | _ID,
    items=st.lists(_ITEMS, max_size=3),
    value=st.none() | _AMOUNT,
    sentiment=st.none() | _TEXT | _AMOUNT,
    traits=st.none() | _FREE,
)


def _near_canonical() -> st.SearchStrategy[dict[str, Any]]:
    """Records whose fields are mostly of the right kind, so that both paths have something to accept."""
    items = st.lists(
        st.dictionaries(st.sampled_from(_ITEM_KEYS), _TEXT | _NUMBERS | _ANY, max_size=4), max_size=2
    )
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "type": st.sampled_from(sorted(TYPES)) | _TEXT,
        "time": st.integers(-5, LATEST + 5) | _NUMBERS | st.just("2024-02-29T10:00:00Z") | _TEXT,
        "items": items | _ANY,
    }
    fields = {key: kinds.get(key, _TEXT | _NUMBERS | _ANY) for key in KNOWN_KEYS}
    return st.fixed_dictionaries({}, optional=fields | {"unknown": _ANY})


def _verdict(value: bytes) -> Touchpoint | str:
    try:
        return decode_canonical(value)
    except Rejected as rejected:
        return rejected.reason


_IDS = (
    "id",
    "user_id",
    "anonymous_id",
    "session_id",
    "cart_id",
    "checkout_id",
    "order_id",
    "device_id",
    "store_id",
)


@pytest.mark.parametrize("field", [*sorted(_IDS), "product_id", "variant_id", "category"])
def test_an_id_has_a_longest_length(field: str) -> None:
    """512 characters of any kind pass, on either path; one more is a dead letter that names the field."""
    of_item = field in _ITEM_KEYS

    def record(text: str) -> bytes:
        said = {field: text}
        return _record(**({"items": [{}, said]} if of_item else said))

    for letter in ("x", "ü", "😀"):
        value = record(letter * LONGEST_ID)
        assert decode_fast(value) == decode_tolerant(value)
        too_long = record(letter * (LONGEST_ID + 1))
        assert decode_fast(too_long) is None
        with pytest.raises(Rejected) as rejected:
            decode_canonical(too_long)
        name = f"items[1].{field}" if of_item else field
        assert str(rejected.value) == f"bad_field: {name} has 513 characters; an id has at most 512"


def _record(**fields: object) -> bytes:
    return json.dumps({"user_id": "u", "type": "view", "time": 1} | fields).encode()


@given(_near_canonical())
def test_paths_agree(record: dict[str, Any]) -> None:
    """What the fast path accepts, the tolerant path reads to an equal touchpoint."""
    value = json.dumps(record).encode()
    fast = decode_fast(value)
    if fast is not None:
        assert fast == decode_tolerant(value)


@given(st.binary(max_size=60) | _ANY.map(lambda any_json: json.dumps(any_json).encode()))
def test_any_bytes_are_read_or_rejected(value: bytes) -> None:
    """Whatever the bytes are, the outcome is a touchpoint or a reason, never another error."""
    assert isinstance(_verdict(value), Touchpoint | str)


@given(_TOUCHPOINTS)
def test_round_trip(touchpoint: Touchpoint) -> None:
    """An encoded touchpoint decodes to an equal one, on the fast path."""
    assert decode_fast(encode_touchpoint(touchpoint)) == touchpoint


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"user_id":"a"} x', "not_json"),
        (b'{"user_id":"\xff"}', "not_json"),
        (b'{"user_id":"a","unknown":"\xff"}', "not_json"),
        (b'{"user_id":"a","value":NaN}', "not_json"),
        (b"[1]", "not_an_object"),
        (b'"view"', "not_an_object"),
        (b"{}", "no_person"),
        (_record(user_id=""), "no_person"),
        (_record(user_id=None), "no_person"),
        (_record(time=-1), "bad_time"),
        (_record(time=LATEST + 1), "bad_time"),
        (_record(time=10**30), "bad_time"),
        (_record(time=True), "bad_time"),
        (_record(time=1.5), "bad_time"),
        (_record(time="yesterday"), "bad_time"),
        (_record(time="1969-12-31T23:59:59Z"), "bad_time"),
        (_record(time=[]), "bad_time"),
        (_record(items={}), "bad_field"),
        (_record(items=[1]), "bad_field"),
        (_record(items=[{"price": "9.99"}]), "bad_field"),
        (_record(items=[{"quantity": True}]), "bad_field"),
        (_record(items=[{"product_id": {}}]), "bad_field"),
        (_record(session_id=True), "bad_field"),
        (_record(traits=[]), "bad_field"),
        (_record(traits={"big": 10**30}), "bad_field"),
        (_record(sentiment=True), "bad_field"),
        (b'{"user_id":"a","value":1e400}', "bad_field"),
        (b'{"user_id":"a","value":' + b"9" * 400 + b"}", "bad_field"),
        (b'{"user_id":' + b"9" * 5000 + b"}", "bad_field"),
        (b'{"user_id":"a","traits":{"deep":' + b"[" * 40 + b"]" * 40 + b"}}", "bad_field"),
        (b'{"user_id":"a","unknown":' + b"[" * 9000 + b"]" * 9000 + b"}", "bad_field"),
        (b" " * (MAX_BYTES + 1), "too_large"),
    ],
)
def test_each_reason(value: bytes, reason: str) -> None:
    """Every kind of bad record has its reason."""
    assert _verdict(value) == reason


def entries(number: int) -> dict[str, Any]:
    """So many."""
    return {f"k{n}": "v" for n in range(number)}


_MANY = [
    (lambda n: {"items": [{"product_id": "p"}] * n}, "items"),
    (lambda n: {"items": [{}, {"personalisation": entries(n)}]}, r"items\[1\]\.personalisation"),
    (lambda n: {"traits": entries(n)}, "traits"),
    (lambda n: {"geo": entries(n)}, "geo"),
    (lambda n: {"campaign": entries(n)}, "campaign"),
    (lambda n: {"consent": entries(n)}, "consent"),
    (lambda n: {"traits": {"inner": entries(n)}}, "traits"),
    (lambda n: {"traits": {"inner": [["v"] * n]}}, "traits"),
]


@pytest.mark.parametrize(("made", "field"), _MANY)
@pytest.mark.parametrize("time", [5, "2026-01-31T09:30:00Z"], ids=["fast", "tolerant"])
def test_what_has_more_entries_than_anybody_means_is_refused(
    made: Callable[[int], dict[str, Any]], field: str, time: object
) -> None:
    """A thousand items or fields are taken, one more is a bad field with its name and number."""
    assert decode_canonical(_record(time=time, **made(MOST_ENTRIES)))
    with pytest.raises(Rejected, match=rf"^bad_field: {field} has .*1,00[01] entries") as refused:
        decode_canonical(_record(time=time, **made(MOST_ENTRIES + 1)))
    assert refused.value.reason == "bad_field"


@given(
    st.sampled_from([made for made, _ in _MANY]),
    st.integers(MOST_ENTRIES - 2, MOST_ENTRIES + 2),
    st.sampled_from([5, "2026-01-31T09:30:00Z", -1, None]),
)
def test_however_many_entries_both_paths_agree(
    made: Callable[[int], dict[str, Any]], number: int, time: object
) -> None:
    """What the fast path takes the tolerant one takes too, and nothing but Rejected is raised."""
    value = _record(time=time, **made(number))
    fast = decode_fast(value)
    assert (fast is not None) <= (number <= MOST_ENTRIES)
    verdict = _verdict(value)
    assert isinstance(verdict, Touchpoint) or verdict in ("bad_field", "bad_time")
    if fast is not None:
        assert decode_tolerant(value) == fast


def test_detail_names_the_field() -> None:
    """The sentence of a bad field says which one it is, down to the item."""
    with pytest.raises(Rejected, match=r"items\[1\]\.price is 'free'; it must be a number"):
        decode_canonical(_record(items=[{}, {"price": "free"}]))


@pytest.mark.parametrize(
    ("given_id", "text"),
    [(7, "7"), (7.0, "7"), (7.5, "7.5"), (10**25, str(10**25)), (-0.5, "-0.5"), ("7.0", "7.0")],
)
def test_numbers_become_text(given_id: object, text: str) -> None:
    """A number where an id belongs is that number as text, whole ones without a point."""
    found = decode_canonical(_record(user_id=given_id, items=[{"product_id": given_id}]))
    assert (found.user_id, found.items[0].product_id) == (text, text)


@pytest.mark.parametrize(
    ("given_time", "ms"),
    [
        (0, 0),
        (LATEST, LATEST),
        (1.7e12, 1_700_000_000_000),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000),
        ("2024-02-29t12:00:00.5z", 1_709_208_000_500),
        ("2024-02-29T14:00:00+02:00", 1_709_208_000_000),
        ("2024-02-29T12:00:00.123456789Z", 1_709_208_000_123),
        (None, -1),
    ],
)
def test_times(given_time: object, ms: int) -> None:
    """Times are RFC 3339 or epoch milliseconds; none leaves the time to the caller."""
    assert decode_canonical(_record(time=given_time)).time == ms


@pytest.mark.parametrize("time", [1, "1970-01-01T00:00:00.001Z"])
def test_unknown_type_becomes_custom(time: object) -> None:
    """On both paths a type that is not in the list becomes `custom` with that name."""
    found = decode_canonical(_record(type="quiz_done", name="old", time=time))
    assert (found.type, found.name, found.time) == ("custom", "quiz_done", 1)


@pytest.mark.parametrize("time", [1, "1970-01-01T00:00:00.001Z"])
def test_empty_ids_are_absent(time: object) -> None:
    """On both paths an empty id, or an empty category, is none; other empty text stays."""
    item = {"product_id": "", "category": "", "name": ""}
    found = decode_canonical(_record(anonymous_id="", id="", query="", items=[item], time=time))
    assert (found.anonymous_id, found.id, found.query, found.items) == (None, None, "", [Item(name="")])


@pytest.mark.parametrize("field", sorted(key for key in KNOWN_KEYS if key.endswith("id")))
def test_the_fast_path_leaves_no_empty_id(field: str) -> None:
    """Whichever id is empty, it is absent."""
    found = decode_canonical(_record(**{"user_id": "u", "anonymous_id": "a", field: ""}))
    assert getattr(found, field) is None


@pytest.mark.parametrize("field", ["product_id", "variant_id", "category"])
def test_the_fast_path_leaves_no_empty_id_of_an_item(field: str) -> None:
    """Whichever id of an item is empty, it is absent."""
    assert decode_canonical(_record(items=[{"name": "n", field: ""}])).items == [Item(name="n")]


def test_null_and_unknown_keys_are_absent() -> None:
    """A null is the same as no field, and fields nobody knows are ignored."""
    found = decode_canonical(_record(items=None, value=None, type=None, colour="red", traits=None))
    assert found == Touchpoint(user_id="u", time=1)


@pytest.mark.parametrize("kind", ["heartbeat", "price_change", "stock_change"])
def test_impersonal_events_need_no_person(kind: str) -> None:
    """The types that tell the time or change the catalogue are accepted without a person."""
    assert decode_canonical(json.dumps({"type": kind, "time": 5}).encode()) == Touchpoint(type=kind, time=5)


def test_limit_is_inclusive() -> None:
    """A record of exactly the limit is read, one byte more is not."""
    value = _record()
    assert decode_canonical(value, len(value)).user_id == "u"
    with pytest.raises(Rejected, match="too_large"):
        decode_canonical(value, len(value) - 1)


@pytest.mark.parametrize("text", ["9" * 100_000, "1" + " " * 100_000, "1." * 50_000, "1d " * 40_000])
def test_a_long_text_is_no_duration_and_no_work(text: str) -> None:
    """The pattern would take the square of its length: minutes."""
    started = time.process_time()
    with pytest.raises(ValueError, match="is not a duration") as refused:
        parse_duration(text)
    assert time.process_time() - started < 0.5
    assert len(str(refused.value)) < 250


def test_a_duration_of_more_than_all_times_is_none() -> None:
    """What is stored are 64 bits."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration("9" * 60 + "d")
