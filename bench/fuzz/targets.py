"""Where bytes come in, each with what is right there and what must come of anything else."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench.fuzz import seeds
from bench.fuzz.lanes import run_lane
from retarget import catalogue
from retarget.decode import decode_canonical, encode_touchpoint
from retarget.dialects import DIALECTS, decoder_for
from retarget.dialects.binary import attributes_of, structured
from retarget.errors import BadInput, LaneRefused, Rejected, Unsendable
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.lane import crossing
from retarget.personal.links import Link, encode
from retarget.rules.parse import parse_rules, read_rules
from retarget.rules.vocabulary import VOCABULARY
from streams.backtest.budget_file import read_budget
from streams.cases.reading import Known, read_cases
from streams.channels import state
from streams.channels.queue import Parcel
from streams.channels.state import Entry, State, Tries
from streams.collect import calls, cloudevents
from streams.collect.bodies import parsed, unpacked
from streams.collect.refusals import Refusal
from streams.commands.printing import as_json, as_line
from streams.feeds import read_feeds
from streams.files import read_files
from streams.kafka import journal
from streams.kafka.headers import decode_headers
from streams.kafka.looking import Seen
from streams.kafka.shelf import pointer_of
from streams.kept import find_kept
from streams.lanes import positions, publication
from streams.links import answer as links
from streams.links.tokens import Seal
from streams.ports import Record
from streams.privacy.scanning import inside
from streams.resources import default_rules_dir
from streams.rulebook import load_rules, read_documents
from streams.sealing import records as sealing
from streams.sealing.keys import PersonKey, Wrapping
from streams.settings import load_settings
from streams.topics import DEAD, DECISIONS
from tests.core.formats.cases import FORMATTERS, LOOKED_UP, TERMS

REFUSALS: Final = (Rejected, BadInput, LaneRefused, Refusal)
_MOST: Final = 100_000


class Target(NamedTuple):
    """One way in. `use` must return or raise one of REFUSALS; `share` says how often it is tried."""

    seeds: Callable[[], Sequence[bytes]]
    use: Callable[[bytes], object]
    share: float


def tried(target: Target, value: bytes) -> bool:
    """Whether these bytes are used; False: refused, in a sentence. Raises what must not be raised."""
    try:
        target.use(value)
    except REFUSALS as refusal:
        reason = str(refusal).strip()
    else:
        return True
    assert reason, "refused without a reason"
    return False


def _dialect(name: str) -> Callable[[bytes], object]:
    decode = decoder_for(name, max_bytes=_MOST)

    def use(value: bytes) -> None:
        event = decode(value)
        again = encode_touchpoint(event)
        assert encode_touchpoint(decode_canonical(again)) == again, "it does not stay what it is"

    return use


def _records(dialect: str) -> list[bytes]:
    """What is right in that dialect, and a little of what is right in another one."""
    of_both = [*seeds.canonical(), *seeds.segment() * 20]
    if golden := seeds.golden(dialect):
        return [*golden, *seeds.once_wrong(dialect), *of_both[:3]]
    return {
        "canonical": of_both[:320],
        "auto": [
            *of_both,
            *seeds.once_wrong(dialect),
            *(one for name in DIALECTS for one in seeds.golden(name)),
        ],
    }.get(dialect, of_both)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="retarget-fuzz-")


def _file(name: str, value: bytes) -> Path:
    path = Path(_folder().name) / name
    path.write_bytes(value)
    return path


def _rows(dialect: str) -> Callable[[bytes], object]:
    def use(value: bytes) -> None:
        mapping = _file("mapping.toml", seeds.MAPPING[0]) if dialect == "csv" else None
        list(read_files([_file(f"rows.{dialect}", value)], dialect, mapping))

    return use


def _mapping(value: bytes) -> None:
    rows = _file("rows.csv", seeds.ROWS["csv"])
    list(read_files([rows], "csv", _file("mapping.toml", value)))


def _listed_file(value: bytes) -> None:
    list(read_feeds([_file("listed.jsonl", value)], _MOST))


def _feed(ending: str) -> Callable[[bytes], object]:
    return lambda value: list(read_feeds([_file(f"feed.{ending}", value)], _MOST))


def _call(value: bytes) -> None:
    encode_touchpoint(calls.call_of_body("track", parsed(value), 1_772_359_200_000))


def _calls(value: bytes) -> None:
    list(calls.calls_of_batch(parsed(value), 1_772_359_200_000))


def _query(value: bytes) -> None:
    calls.call_in_query({"data": value.decode(errors="replace")})


def _cloudevents(value: bytes) -> None:
    cloudevents.events_of_batch(value)


def _binary(value: bytes) -> None:
    name = value[:20].decode(errors="replace")
    said = {"ce-specversion": "1.0", "ce-id": name, "ce-source": "s", "ce-type": name}
    cloudevents.event_of(said | {"Content-Type": "application/json"}, value)


def _headed(value: bytes) -> None:
    said = {"specversion": b"1.0", "id": value[:20], "source": b"s", "type": b"view", "subject": value[-9:]}
    named = [(f"ce_{name}", one) for name, one in said.items()] + [("content-type", b"application/json")]
    decoder_for("cloudevents", max_bytes=_MOST)(structured(attributes_of(named), value))


def _token(value: bytes) -> None:
    assert links.read(value.decode(errors="replace"), [_KEY]) is None, "nobody has sealed it"
    if links.read(Seal(_KEY)(value), [_KEY]) is None:
        raise BadInput(["it leads nowhere"])


def _gzip(value: bytes) -> None:
    list(read_files([_file("rows.jsonl.gz", value)]))


def _rules(value: bytes) -> None:
    documents, problems = read_documents([_file("rule.yaml", value)])
    _, wrong = read_rules(documents, VOCABULARY)
    if problems or wrong:
        raise BadInput([*problems, *wrong])


@cache
def _known() -> Known:
    return Known({rule.name: rule for rule in load_rules([default_rules_dir()], VOCABULARY)})


def _cases(value: bytes) -> None:
    documents, problems = read_documents([_file("rule.cases.yaml", value)])
    _, wrong = read_cases(documents, _known())
    if problems or wrong:
        raise BadInput([*problems, *wrong])


def _budget(value: bytes) -> None:
    read_budget(_file("budget.yaml", value))


def _config(value: bytes) -> None:
    load_settings(_file("config.toml", value)).describe()


def _environment(value: bytes) -> None:
    names = [name for name in value.decode(errors="surrogateescape").split("\n") if "=" in name]
    load_settings(environ=dict(name.partition("=")[::2] for name in names)).describe()


def _flags(value: bytes) -> None:
    load_settings(overrides=value.decode(errors="surrogateescape").split("\n")).describe()


def _publication(value: bytes) -> None:
    parse_rules([], VOCABULARY)
    found = publication.decode("0" * 16, value)
    publication.rules_of("0" * 16, found)
    publication.bundle_from(publication.id_of(found), found, ["t"], 1)


def _headers(value: bytes) -> None:
    names = ("retarget-lane", "retarget-incarnation", "retarget-sequence", "retarget-index")
    decode_headers([(name, value) for name in names])


def _at_its_channel(value: bytes) -> None:
    parcel = Parcel(0, b"u1", value, Tries())
    for name, form in FORMATTERS.items():
        timed = {key: parcel.since for key in ("now", "print_by") if key in TERMS[name]}
        with suppress(Unsendable):
            msgspec.json.encode(msgspec.to_builtins(form(parcel.message, {**TERMS[name], **timed})))


def _shown(value: bytes) -> None:
    for topic in (DECISIONS, DEAD, "retarget.push"):
        seen = Seen(topic, 0, 0, 0, b"u1", value, ())
        json.loads(as_json(seen))
        assert as_line(seen)
    inside(value)


def _sealed(value: bytes) -> None:
    found = sealing.read(value)
    if found is None:
        raise BadInput(["it is not sealed"])
    if sealing.opened(found, _person_key()) is None:
        raise BadInput(["it is sealed by another key"])


def _key_of_a_person(value: bytes) -> None:
    if _wrapping().opened("u1", value) is None:
        raise BadInput(["nobody has wrapped it for them"])


@cache
def _wrapping() -> Wrapping:
    return Wrapping([_KEY], lambda size: b"k" * size)


@cache
def _person_key() -> PersonKey:
    found = _wrapping().opened("u1", _wrapping().new("u1"))
    assert found is not None
    return found


@cache
def _sent() -> list[bytes]:
    return asyncio.run(seeds.sent())


@cache
def _messages() -> list[bytes]:
    """The messages, with what their channels find out of where each person is to be found."""
    written = [
        msgspec.json.decode(one) for one in _sent() if b'"operation"' in one and b'"outcome"' not in one
    ]
    return [msgspec.json.encode(one | {"to": one["to"] | LOOKED_UP}) for one in written]


@cache
def _sent_sealed() -> list[bytes]:
    kinds = {one: "decision" if b'"outcome"' in one else "message" for one in _sent() if b'"rule"' in one}
    return [sealing.seal(one, kind, "u1", _person_key(), 7) for one, kind in kinds.items()]


@cache
def _stored() -> tuple[list[bytes], list[bytes]]:
    return asyncio.run(seeds.stored())


def _kept(value: bytes) -> None:
    find_kept([("kept:1", value)], "u1")


def _kept_lines() -> list[bytes]:
    return [
        b'{"person":"u1","wait":"2024-03-01T12:00:00Z","journey":"'
        + base64.b64encode(wire.encode(Journey(person="u1")))
        + b'"}',
        b'{"person":"u1","wait":null,"journey":""}',
    ]


_KEY: Final = "a secret of thirty-two letters or more"
_LINK: Final = Link(b"m" * 16, "u1", known=True, channel="email", products=("p1",), made=1, lasts=60)
_ENVIRONMENT: Final = (b"RETARGET_CLOCK_LATENESS=3s\nRETARGET_CAPS_TOTAL=3/24h\nRETARGET_KAFKA_PARTITIONS=3",)
_FLAGS: Final = (b"clock.lateness=3s\ncaps.total=3/24h, 2/1h\nrates.email=5/1m", b"kafka.input_topics=a,b")

TARGETS: Final[dict[str, Target]] = {
    **{
        f"topic: {name}": Target(partial(_records, name), _dialect(name), 12)
        for name, dialect in DIALECTS.items()
        if dialect.kind == "record"
    },
    "topic: catalogue": Target(seeds.listed, lambda value: catalogue.read_record(value, b"p", _MOST), 8),
    "topic: lane, all dialects": Target(seeds.of_a_lane, run_lane, 0.5),
    "topic: message at its channel": Target(_messages, _at_its_channel, 2),
    "topic: what is sealed": Target(_sent_sealed, _sealed, 1),
    "topic: keys of people": Target(lambda: [_wrapping().new("u1")] * 3, _key_of_a_person, 1),
    "topic: whatever is shown": Target(_sent, _shown, 1),
    "stored: ledger of a channel": Target(
        lambda: [state.encode(Entry("a", State(read=7, waiting={5: Tries(1, 2, 3, "p")}, foreign=["x"])))],
        lambda value: state.decode(value, "the ledger"),
        1,
    ),
    "stored: catalogue on its way": Target(seeds.fanned, catalogue.unpack, 4),
    "stored: journal": Target(
        seeds.journals, lambda value: journal.decode(Record("journal", 1, 1, None, value)), 4
    ),
    "stored: positions": Target(lambda: _stored()[1], positions.decode, 4),
    "stored: journey": Target(lambda: _stored()[0], wire.decode, 4),
    "stored: listing": Target(seeds.listings, catalogue.decode, 3),
    "stored: bundle": Target(seeds.publications, _publication, 0.3),
    "stored: pointer to a bundle": Target(lambda: seeds.POINTERS, pointer_of, 2),
    "stored: what lanes tell each other": Target(seeds.crossings, crossing.unpack, 3),
    "stored: headers": Target(lambda: [b"0", b"12345"], _headers, 1),
    "file: kept journeys": Target(_kept_lines, _kept, 2),
    **{f"file: {name}": Target(partial(list, [row]), _rows(name), 1.5) for name, row in seeds.ROWS.items()},
    "file: gzip": Target(lambda: [gzip.compress(seeds.ROWS["canonical"])], _gzip, 1),
    "file: mapping": Target(lambda: seeds.MAPPING, _mapping, 1),
    "file: catalogue": Target(seeds.listed, _listed_file, 1.5),
    "file: feed, csv": Target(lambda: seeds.FEEDS["csv"], _feed("csv"), 1),
    "file: feed, xml": Target(lambda: seeds.FEEDS["xml"], _feed("xml"), 1),
    "http: call": Target(lambda: seeds.segment() * 3, _call, 2),
    "http: batch": Target(lambda: seeds.BATCHES, _calls, 1),
    "http: pixel": Target(lambda: seeds.PIXELS, _query, 1),
    "http: cloudevents": Target(
        lambda: [b"[" + one + b"]" for one in seeds.golden("cloudevents")], _cloudevents, 1
    ),
    "http: cloudevent, binary": Target(lambda: seeds.canonical()[:20], _binary, 1),
    "http: compression": Target(
        lambda: [gzip.compress(seeds.ROWS["canonical"])], lambda value: unpacked(value, "gzip", _MOST), 1
    ),
    "http: token of a link": Target(lambda: [encode(_LINK)], _token, 1),
    "topic: cloudevents, in headers": Target(lambda: seeds.canonical()[:20], _headed, 2),
    "file: rule": Target(seeds.rules, _rules, 0.5),
    "file: cases": Target(seeds.cases, _cases, 0.3),
    "file: budget": Target(lambda: seeds.BUDGET, _budget, 1),
    "file: settings": Target(lambda: seeds.CONFIG, _config, 2),
    "settings: environment": Target(lambda: _ENVIRONMENT, _environment, 1),
    "settings: flags": Target(lambda: _FLAGS, _flags, 1),
}
