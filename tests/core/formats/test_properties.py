"""Whatever a message says: no limit is exceeded, nothing personal leaves unhashed, nothing else is raised."""

from __future__ import annotations

import json
import re
from typing import Any, Final, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.errors import Unsendable
from retarget.formats.segments import segments_of, septets, units
from retarget.messages import Message
from retarget.rules.model import SubjectKind
from retarget.times import DAY
from tests.core.formats.cases import AUTH, FORMATTERS, P256DH, TERMS, a_message
from tests.factories import NOON

TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ["", "€" * 400, "🛒" * 900]
)
NUMBER: Final = st.integers() | st.floats() | st.sampled_from([10**400, -1, 0])
ANY: Final = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TIME: Final = TEXT | st.none() | st.sampled_from([
    "2024-03-01T12:00:01.000Z", "2024-03-09T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
])  # fmt: skip
TOKEN: Final = st.sampled_from([
    "t1", {"platform": "ios", "token": "ab" * 32}, {"platform": "android", "token": "x:1"},
    {"endpoint": "https://push.example/1", "keys": {"p256dh": P256DH, "auth": AUTH}},
])  # fmt: skip


def some(words: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of these keys."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(words.split(), value))


ADDRESS: Final = some("street postal_code city region country house_number name undeliverable", TEXT | ANY)
TO: Final = st.fixed_dictionaries({}, optional={
    "email": ANY | st.just(" Ann@Example.com"), "phone": ANY | st.just("+49 170 1234567"),
    "push_tokens": ANY | st.lists(TOKEN | ANY, max_size=4), "push_token": ANY | TOKEN,
    "address": ANY | ADDRESS, "postal_address": ANY, "first_name": ANY, "last_name": ANY,
})  # fmt: skip
PRODUCT: Final = some("product_id name price currency price_as_of quantity url image_url", ANY)
CONTEXT: Final = some(
    "salutation purchases sender store location transcript journey", ANY | some("viewed in_carts", ANY)
)
OFFER: Final = st.none() | st.fixed_dictionaries(
    {"kind": st.sampled_from(["percent", "amount"]), "code": TEXT, "expires_at": TEXT | TIME.filter(bool)},
    optional={"percent": st.none() | st.floats(), "amount": st.none() | st.floats()},
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message that JSON can hold."""
    kinds = st.sampled_from(get_args(SubjectKind)) | TEXT
    return a_message(
        to=draw(TO), products=draw(st.lists(PRODUCT, max_size=5)), context=draw(CONTEXT), offer=draw(OFFER),
        operation=draw(st.sampled_from(["send", "recall", "add", "remove"])), purl=draw(st.none() | TEXT),
        recall_of=draw(st.none() | TEXT), locale=draw(st.none() | TEXT), expires_at=draw(TIME),
        subject={"kind": draw(kinds), "id": draw(TEXT)}, template=draw(st.none() | TEXT),
        purpose=draw(st.sampled_from(["marketing", "service", "transactional"]) | TEXT),
        message_id=draw(TEXT), legal_basis=draw(st.none() | TEXT), rule=draw(TEXT), why=draw(TEXT),
    )  # fmt: skip


def made(provider: str, message: Message, **terms: object) -> Any:  # noqa: ANN401 - what the provider takes
    """What the formatter makes; None when it refuses."""
    try:
        return FORMATTERS[provider](message, {**TERMS[provider], **terms})
    except Unsendable:
        return None


@given(message=messages(), provider=st.sampled_from(sorted(FORMATTERS)))
@settings(max_examples=250, deadline=None)
def test_whatever_it_says_a_message_is_formatted_or_refused(message: Message, provider: str) -> None:
    """For one reason, by no other exception; the same message twice alike."""
    assert made(provider, message) == made(provider, message)


LONG: Final = st.builds(str.__mul__, st.sampled_from(["x", "€", "🛒", '"', "\\"]), st.integers(0, 4_200))
DEVICES: Final = [
    "t1", {"platform": "ios", "token": "ab" * 32},
    {"endpoint": "https://push.example/1", "keys": {"p256dh": P256DH, "auth": AUTH}},
]  # fmt: skip


@st.composite
def pushes(draw: st.DrawFn) -> Message:
    """Messages of any length to all kinds of devices."""
    products = draw(
        st.lists(st.fixed_dictionaries({"product_id": LONG, "url": st.just("https://x.example")}))
    )
    operation = draw(st.sampled_from(["send", "send", "recall"]))
    return a_message(
        to={"push_tokens": DEVICES}, products=products, operation=operation, recall_of="0f" * 16,
        why=draw(LONG), rule=draw(LONG), subject={"kind": draw(TEXT), "id": draw(LONG)},
        template=draw(st.none() | TEXT),
        expires_at=draw(st.sampled_from([None, "2024-03-01T12:00:00.001Z", "2034-03-01T12:00:00Z"])),
    )  # fmt: skip


@given(message=pushes(), title=LONG, body=LONG, now=st.sampled_from([NOON, NOON + 1, NOON - DAY, 0]))
@settings(max_examples=150, deadline=None)
def test_no_limit_of_a_push_is_exceeded(message: Message, title: str, body: str, now: int) -> None:
    """FCM: 4,096 bytes, 28 days; APNs: 4,096 bytes, 64 of the key; browsers: 3,993 and 32 characters."""
    terms = {"now": now, "notice": [title, body]}
    for request in made("fcm", message, **terms) or []:
        told = request.body["message"]
        android, shown = told["android"], told.get("notification", {})
        assert all(isinstance(value, str) for value in told["data"].values())
        texts = [*told["data"].items(), *shown.items()]
        assert sum(len((key + value).encode()) for key, value in texts) <= 4_096
        assert 0 <= int(android["ttl"][:-1]) <= 28 * 86_400
    for request in made("apns", message, **terms) or []:
        assert len(request.encoded()) <= 4_096
        assert len(request.headers["apns-collapse-id"].encode()) <= 64
        assert all(value.isascii() for value in request.headers.values())
    for request in made("webpush", message, **terms) or []:
        assert len(request.encoded()) <= 4_096 - 103
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", request.headers["Topic"])
        assert 0 <= int(request.headers["TTL"]) <= 28 * 86_400


NAME: Final = st.text("abcdefghijklmnopqrstuvwxyzéöß", min_size=3, max_size=12)


@given(
    mail=NAME, first=NAME, last=NAME, city=NAME, number=st.integers(10**9, 10**10 - 1),
    operation=st.sampled_from(["add", "remove"]), provider=st.sampled_from(["meta", "google"]),
)  # fmt: skip
@settings(deadline=None)
def test_nothing_personal_leaves_unhashed_in_an_audience(
    mail: str, first: str, last: str, city: str, number: int, operation: str, provider: str
) -> None:
    """But country and postal code at Google, which asks for them so."""
    to = {"email": f"{mail}@example.com", "phone": f"+49{number}", "first_name": first, "last_name": last}
    place = {"city": city, "region": city, "postal_code": "10115", "country": "DE"}
    message = a_message(
        "ads",
        operation=operation,
        to=to | {"address": place},
        recall_of="0f" * 16,
        person="u-77",
        user_id="u-77",
    )
    (request,) = made(provider, message)
    values = texts_in(json.loads(request.encoded()))
    allowed = {"DE", "10115"} if provider == "google" else set()
    told = TERMS[provider].get("list_id", "") or json.dumps(TERMS[provider]["destination"])

    for value in values - allowed:
        is_hash = re.fullmatch(r"[0-9a-f]{64}", value)
        assert is_hash or value.isupper() or value in told
    assert not any("example.com" in value or str(number) in value or "u-77" in value for value in values)


def texts_in(found: object) -> set[str]:
    """All texts of a JSON value but the keys."""
    if isinstance(found, dict):
        return set().union(*map(texts_in, found.values()))
    if isinstance(found, list):
        return set().union(*map(texts_in, found))
    return {found} if isinstance(found, str) else set()


@given(text=st.text(st.sampled_from("aZ9@€[~ж🛒é\n"), max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_short_message_is_too_long(text: str) -> None:
    """By counting what stands in each; none but the last could take the next character."""
    found = segments_of(text)
    cost, alone, in_a_row = (septets, 160, 153) if found.encoding == "GSM-7" else (units, 70, 67)
    sizes = [sum(map(cost, part)) for part in found.parts]

    assert "".join(found.parts) == text
    assert sizes[0] <= alone if len(sizes) == 1 else max(sizes) <= in_a_row
    for size, following in zip(sizes, found.parts[1:], strict=False):
        assert size + cost(following[0]) > in_a_row
