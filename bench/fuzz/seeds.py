"""What is right, of every kind: where the broken ones begin."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from retarget import catalogue
from retarget.catalogue import Fanned, Listing, pack
from retarget.decode import encode_touchpoint
from retarget.dialects import DIALECTS
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.lane import crossing
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Touchpoint
from streams.files import FileEvent
from streams.kafka import journal
from streams.lanes import positions, publication
from streams.lanes.bundle import bundle_of
from streams.lanes.positions import Positions
from streams.ports import JournalRecord, Output
from streams.replaying import LANE, TOPIC, replay
from streams.resources import default_rules_dir
from streams.rulebook import documents_of, load_documents, rule_files
from streams.settings import load_settings
from streams.shop import open_shop, simulate
from streams.stores.memory import MemoryStore

_START: Final = 1_700_000_000_000
NOON: Final = 1_709_294_400_000
SETTINGS: Final = (
    "consent.assume=granted",
    "clock.now=event",
    "quiet_hours.enabled=false",
    "kafka.partitions=1",
)

_PRODUCTS: Final = [{"product_id": "p1", "quantity": 2, "price": 9.5, "category": "c", "name": "n"}]
_CALLS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "track", "event": "Order Completed", "userId": "u", "messageId": "m1",
     "timestamp": "2024-03-01T12:00:00Z",
     "properties": {"order_id": "o", "total": "19.5", "currency": "EUR", "products": _PRODUCTS}},
    {"type": "track", "event": "Product Viewed", "anonymousId": "a", "messageId": "m2",
     "sentAt": "2024-03-01T12:00:01Z", "originalTimestamp": "2024-03-01T12:00:00Z",
     "properties": {"product_id": "p1", "price": 3}, "context": {"locale": "de-DE", "timezone": "Europe/Berlin",
     "campaign": {"source": "s", "medium": "m"}, "page": {"path": "/", "url": "https://x"}, "device": {"token": "t"}}},
    {"type": "identify", "userId": "u", "traits": {"email": "a@b.c", "age": 30, "address": {"country": "DE"}}},
    {"type": "page", "userId": "u", "name": "Home", "properties": {"path": "/"}},
    {"type": "track", "event": "Segment Consent Preference Updated", "userId": "u",
     "context": {"consent": {"categoryPreferences": {"Advertising": True, "marketing_email": False}}}},
)  # fmt: skip
_FURTHER: Final[tuple[dict[str, Any], ...]] = (
    {"id": "c", "type": "consent", "user_id": "u1", "time": NOON,
     "consent": {"state": "granted", "purpose": "marketing", "channel": "email", "basis": "law"}},
    {"id": "i", "type": "identify", "user_id": "u1", "anonymous_id": "a1", "time": NOON,
     "traits": {"email": "a@b.c", "timezone": "Europe/Berlin", "birthday": "1990-02-29",
                "preferences": {"channels": ["email"], "frequency": {"per_day": 1}}}},
    {"id": "r", "type": "refund", "user_id": "u1", "order_id": "o1", "time": NOON, "value": 3.5},
    {"id": "e", "type": "erase", "user_id": "u1", "time": NOON},
    {"id": "h", "type": "heartbeat", "time": NOON},
    {"id": "pc", "type": "price_change", "time": NOON, "items": [{"product_id": "p1", "price": 1.5}]},
    {"id": "sc", "type": "stock_change", "time": NOON, "items": [{"product_id": "p1", "quantity": 0}]},
    {"id": "g", "type": "view", "user_id": "u1", "time": "2024-03-01T12:00:00+01:00", "geo": {"country": "DE"},
     "campaign": {"source": "ad"}, "items": [{"product_id": "p1", "price": 2, "category": "c1"}], "sentiment": -0.5},
)  # fmt: skip
_ONCE_WRONG: Final[dict[str, tuple[bytes, ...]]] = {
    "meta": (
        b'{"event_name": "Purchase", "event_time": 1e306, "user_data": {"fbp": "f"}}',
        b'{"event_name": "Purchase", "event_time": "1e306", "user_data": {"fbp": "f"}}',
        b'{"event_name": "Purchase", "event_time": 1%b, "user_data": {"fbp": "f"}}' % (b"0" * 306),
    )
}
_LISTED: Final[tuple[dict[str, Any], ...]] = (
    {
        "product_id": "p1",
        "price": 9.5,
        "stock": 3,
        "margin": 0.3,
        "name": "n",
        "category": "c1",
        "time": NOON,
    },
    {"id": "l", "product_id": "p1", "stock": 0, "expires": "2024-03-02T00:00:00Z", "url": "https://x"},
)


def _lines(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


@cache
def canonical() -> list[bytes]:
    """Events of the simulated shop, and those that it does not have."""
    shop = simulate(open_shop(1), seed=1, people=20, start_ms=_START)
    return [*(encode_touchpoint(event) for event in islice(shop, 300)), *_lines(*_FURTHER)]


@cache
def segment() -> list[bytes]:
    """Calls of Segment."""
    return _lines(*_CALLS)


def crossings() -> list[bytes]:
    """What lanes tell each other."""
    event = Touchpoint(id="e", type="view", time=NOON, user_id="u1")
    tokens, journey = ["t1"], wire.encode(Journey(person="a1"))
    told = (
        crossing.Joins(0, 1, "a1", "u1", NOON, "e", tokens),
        crossing.Parts(0, 2, "a1", "u1", NOON),
        crossing.History(0, 3, "u1", journey, 1, NOON),
        crossing.Strayed(0, 4, "u1", event, 1, "a1"),
        crossing.Leaves(0, 5, "u1", "a1", NOON, tokens),
    )
    return [crossing.pack(one) for one in told]


def of_a_lane() -> list[bytes]:
    """What may stand in the topics that a lane reads."""
    goldens = [one for name in DIALECTS for one in golden(name)]
    return [*canonical(), *segment(), *goldens, *listed(), *fanned(), *crossings()]


@cache
def golden(dialect: str) -> list[bytes]:
    """What its producers send; none of a dialect without golden files."""
    file = GOLDEN / f"{dialect}.json"
    if not file.is_file():
        return []
    return _lines(*(case["given"] for case in json.loads(file.read_text(encoding="utf-8"))))


def once_wrong(dialect: str) -> list[bytes]:
    """What once ended a lane, in that dialect or in any."""
    return [one for name, some in _ONCE_WRONG.items() if dialect in (name, "auto") for one in some]


def listed() -> list[bytes]:
    """Records of the catalogue."""
    return _lines(*_LISTED)


def fanned() -> list[bytes]:
    """The same on their way to the lanes."""
    return [pack(Fanned(0, at, b"p1", value, f"x:{at}", NOON)) for at, value in enumerate(listed())]


GOLDEN: Final = Path(__file__).resolve().parents[2] / "tests" / "core" / "dialects" / "golden"
FEEDS: Final = {
    "csv": [b'sku;title;price;stock\ntent;"Tent\n2";12.50 EUR;3\nmug;Mug;4;\n'],
    "xml": [
        b'<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>tent</g:id>'
        b"<g:price>12.50 EUR</g:price><g:availability>in stock</g:availability><title>A &amp; B</title></item>"
        b"</channel></rss>",
        b'<feed><entry><id>mug</id><link href="https://shop.example/mug"/><price>4 EUR</price></entry></feed>',
    ],
}
BATCHES: Final = [
    b'{"batch": ['
    + b", ".join(json.dumps(call).encode() for call in _CALLS)
    + b'], "sentAt": "2024-03-01T12:00:01Z"}'
]
PIXELS: Final = [base64.b64encode(json.dumps(call).encode()) for call in _CALLS]

ROWS: Final = {
    "taobao": b"1,2268318,2520377,pv,1511544070\n100,3,4,buy,1511544071\n",
    "rees46": b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    b"2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,a.b,shiseido,35.79,541312140,72d76fde\n",
    "retailrocket": b"timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
    b"1433221332118,257597,transaction,355908,7\n",
    "jd": b"pair_id,time,type,cate,br\n287842_75018,1459439941000,6,9,545\n1_2,1459439941001,4,9,\n",
    "otto": b'{"session":12,"events":[{"aid":5,"ts":1661724000278,"type":"clicks"},'
    b'{"aid":6,"ts":1661724000279,"type":"orders"}]}\n',
    "csv": b"who,when,what,amount\nu1,2024-03-01T12:00:00Z,view,3.5\nu2,,buy,\n",
    "canonical": b'{"type":"view","user_id":"u","time":5}\n{"type":"add","user_id":"u"}\n',
}  # fmt: skip
MAPPING: Final = (
    b'time = "rfc3339"\ndelimiter = ","\n[columns]\nwho = "user_id"\nwhen = "time"\nwhat = "type"\namount = "value"\n'
    b'[constants]\n"traits.source" = "file"\n[types]\nbuy = "purchase"\n',
    b'names = ["who", "amount"]\nheader = false\n[columns]\nwho = "user_id"\namount = "items.price"\n',
)
BUDGET: Final = (b"prices:\n  email: 0.01\n  sms: 0.08\nlimits:\n  cost: 100\n  messages: 5\n",)
CONFIG: Final = (
    b'[kafka]\nbootstrap = "a:1,b:2"\npartitions = 8\ninput_topics = ["x", "y"]\nemit = "idempotent"\n[clock]\n'
    b'lateness = "2s"\nidle = "wall"\n[caps]\ntotal = "3/24h, 8/7d"\nemail = "off"\n[rates]\nemail = "100/1s"\n'
    b'[quiet_hours]\nstart = "21:00"\nzone = "Europe/Berlin"\n[store]\nurl = "redis://u:p@h:1/0"\n[hold_out]\n'
    b'global = 0.1\n[input]\ndialect_by_topic = "x=segment"\n[web]\nport = 0\nhost = "127.0.0.1"\n'
    b'[shops]\nmitte = "52.5, 13.4; Mitte; Berlin; Mo-Fr 10-20; Sa 10-18"\n',
)


@cache
def rules() -> list[bytes]:
    """The rules that ship, as they are written and as JSON, which is YAML too."""
    files = rule_files(default_rules_dir())
    plain = [json.dumps(document.data).encode() for file in files for document in documents_of(file)]
    return [*(file.read_bytes() for file in files), *plain, *plain]


@cache
def cases() -> list[bytes]:
    """Their cases, likewise."""
    files = sorted(default_rules_dir().glob("*.cases.yaml"))
    plain = [
        json.dumps(document.data, default=str).encode() for file in files for document in documents_of(file)
    ]
    return [*(file.read_bytes() for file in files), *plain, *plain]


@cache
def publications() -> list[bytes]:
    """The rules that ship with the settings that decide, as they are shelved."""
    documents, _ = load_documents([default_rules_dir()], VOCABULARY)
    return [
        publication.encode(publication.publication_of(load_settings(), documents[first : first + 1]))
        for first in range(0, len(documents), 4)
    ]


async def stored() -> tuple[list[bytes], list[bytes]]:
    """Journeys, and positions, of the simulated shop's people after two days."""
    _, shipped = load_documents([default_rules_dir()], VOCABULARY)
    bundle = bundle_of(load_settings(overrides=SETTINGS), shipped, [TOPIC])
    store = MemoryStore()
    shop = islice(simulate(open_shop(1), seed=1, people=30, start_ms=_START), 2500)
    await replay(_events(shop), bundle, lambda _: None, store=store)
    image = await store.image(LANE)
    journeys = sorted((journey for _, journey, _ in store.everyone(LANE)), key=len)
    return journeys[-20:], [
        image.meta,
        positions.encode(Positions(clock=5, frontier={"t": 3}, held={"t": [(1, 2)]})),
    ]


async def sent() -> list[bytes]:
    """Messages and decisions about the simulated shop's people in two days."""
    _, shipped = load_documents([default_rules_dir()], VOCABULARY)
    found: list[Output] = []
    shop = islice(simulate(open_shop(1), seed=1, people=30, start_ms=_START), 2500)
    await replay(_events(shop), bundle_of(load_settings(overrides=SETTINGS), shipped, [TOPIC]), found.append)
    return [one.value for one in found]


def _events(shop: Any) -> Iterator[FileEvent]:  # noqa: ANN401 - touchpoints
    for line, event in enumerate(shop, start=1):
        yield FileEvent("shop", line, event, encode_touchpoint(event))


def journals() -> list[bytes]:
    """Records of the journal of either mode."""
    return [
        journal.encode(
            JournalRecord(sequence=7, frontier={"t": 9}, worked=3, clock=NOON, pauses={"email": 1})
        ),
        journal.encode(
            JournalRecord(sequence=8, writer="3-a", acknowledged=7, digest="d", bundle="b", tick=5)
        ),
        journal.encode(JournalRecord(sequence=0, claim="4-b")),
    ]


def listings() -> list[bytes]:
    """Listings as they are stored."""
    return [catalogue.encode(Listing(price=3.5, stock=2, name="n", said={"price": NOON}))]


POINTERS: Final = (msgspec.json.encode({"bundle": "0" * 16, "at": "2024-03-01T12:00:00.000Z", "schema": 1}),)
