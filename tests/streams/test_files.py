import gzip
import io
import sys
from collections import Counter
from pathlib import Path

import pytest

from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Touchpoint
from streams.files import FileEvent, read_files, sorted_by_time

_HEADER = "timestamp,visitorid,event,itemid,transactionid\n"


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def _found(event: FileEvent) -> Touchpoint:
    assert isinstance(event.found, Touchpoint)
    return event.found


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    """Lines keep their physical numbers; a bad one is handed on with its bytes, and the rest is read."""
    text = '\ufeff{"user_id":"u","id":"e"}\r\n\n{"user_id":"u","time":5}\nnonsense\n{"type":"view"}'
    events = list(read_files([_file(tmp_path, name, text)]))
    assert [(event.file, event.line) for event in events] == [(name, 1), (name, 3), (name, 4), (name, 5)]
    assert [_found(event).id for event in events[:2]] == ["e", f"{name}:3"]
    assert [event.found.reason for event in events if isinstance(event.found, Rejected)] == [
        "not_json",
        "no_person",
    ]
    assert [event.raw for event in events[1:3]] == [b'{"user_id":"u","time":5}', b"nonsense"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input, and the file name in ids."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"user_id":"u"}\n')))
    assert [_found(event).id for event in read_files(["-"])] == ["-:1"]


def test_rows_with_header(tmp_path: Path) -> None:
    """The header counts as line 1, and columns are found by their names."""
    path = _file(tmp_path, "events.csv.gz", "event,itemid,timestamp,visitorid,transactionid\nview,p,5,v,\n")
    (event,) = read_files([path], "retailrocket")
    assert (event.line, event.raw) == (2, b"view,p,5,v,")
    assert (_found(event).id, _found(event).user_id, _found(event).time) == ("events.csv.gz:2", "v", 5)


def test_row_of_several_lines(tmp_path: Path) -> None:
    """A quoted cell may hold line ends; the row is named by its first physical line."""
    mapping = _file(tmp_path, "m.toml", '[columns]\nwho = "user_id"\nsaid = "query"')
    path = _file(tmp_path, "shop.csv", 'who,said\nu,"one\ntwo"\n\nv,three\n')
    events = list(read_files([path], "csv", mapping))
    assert [(event.line, _found(event).query, event.raw) for event in events] == [
        (2, "one\ntwo", b'u,"one\ntwo"'),
        (5, "three", b"v,three"),
    ]


def test_bad_cell_is_a_dead_letter(tmp_path: Path) -> None:
    """A value that cannot be read costs one record, not the file."""
    path = _file(tmp_path, "events.csv", _HEADER + "soon,v,view,p,\n5,v,view,p,\n")
    first, second = read_files([path], "retailrocket")
    assert isinstance(first.found, Rejected)
    assert (first.found.reason, first.line, _found(second).time) == ("bad_time", 2, 5)


def test_sessions_of_several_events(tmp_path: Path) -> None:
    """A line of OTTO is a session: its events share the line and have numbers of their own."""
    line = '{"session":3,"events":[{"aid":1,"ts":10,"type":"clicks"},{"aid":1,"ts":11,"type":"orders"}]}'
    events = list(read_files([_file(tmp_path, "o.jsonl", f"{line}\n{{}}\n")], "otto"))
    found = [_found(event) for event in events[:2]]
    assert [(one.id, one.type, one.person) for one in found] == [
        ("o.jsonl:1:1", "view", "3"),
        ("o.jsonl:1:2", "purchase", "3"),
    ]
    assert isinstance(events[2].found, Rejected)


@pytest.mark.parametrize(
    ("name", "dialect", "content", "problem"),
    [
        ("a.csv", "retailrocket", _HEADER + "5,v,view\n", "a.csv, line 2: 3 columns where 5 are expected"),
        ("a.csv", "retailrocket", "1,2,pv\n", "a.csv, line 1: the header has no column timestamp"),
        ("a.csv", "taobao", b"1,2,3,pv,5\n1,2,\xff,pv,5\n", "a.csv, line 2: not UTF-8"),
        ("a.csv", "taobao", '1,2,3,"pv,5\n', "a.csv, line 1: unexpected end of data"),
        ("a.jsonl", "auto", "{}".encode("utf-16"), "a.jsonl, line 1: UTF-16, not UTF-8"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, dialect: str, content: str | bytes, problem: str) -> None:
    """A file of the wrong shape stops the reading with its name, the line and the remedy."""
    path = _file(tmp_path, name, content)
    with pytest.raises(BadInput, match=problem):
        list(read_files([path], dialect))


def test_broken_gzip(tmp_path: Path) -> None:
    """A compressed file that is cut off, damaged or none at all is said to be so."""
    whole = gzip.compress(b'{"user_id":"u"}\n' * 1000)
    cut, damaged, plain = (tmp_path / name for name in ("cut.gz", "damaged.gz", "plain.gz"))
    cut.write_bytes(whole[:-20])
    damaged.write_bytes(whole[:20] + b"\xff\xff\xff\xff" + whole[24:])
    plain.write_text("{}")
    for path, problem in ((cut, "cut off"), (damaged, "not sound gzip"), (plain, "not sound gzip")):
        with pytest.raises(BadInput, match=f"{path.name}: .*{problem}"):
            list(read_files([path]))


def test_all_names_are_judged_at_once(tmp_path: Path) -> None:
    """Before anything is read, every name that cannot be right is listed."""
    with pytest.raises(BadInput) as caught:
        read_files(["-", "-", tmp_path / "absent.jsonl", tmp_path], "csv")
    words = ("read only once", "no such file", "is a folder", "needs a mapping file")
    assert all(word in problem for word, problem in zip(words, caught.value.problems, strict=True))
    with pytest.raises(BadInput, match="no file is given"):
        read_files([])
    with pytest.raises(BadInput, match="for the dialects csv and json, not for auto"):
        read_files(["-"], mapping="m.toml")


def test_ids_must_differ(tmp_path: Path) -> None:
    """Two files of one name would give equal ids: refused, unless the events bring their own."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    own = [_file(folder, "e.jsonl", '{"user_id":"u","id":"x"}') for folder in folders]
    assert len(list(read_files(own))) == 2
    without = [_file(folder, "e.jsonl", '{"user_id":"u"}') for folder in folders]
    with pytest.raises(BadInput, match="as those of another file; rename one"):
        list(read_files(without))


def test_sorted_by_time(tmp_path: Path) -> None:
    """Sorting keeps ties in input order and what has no time behind the record before it."""
    times = [5, 3, None, 5, 3]
    lines = [f'{{"user_id":"u{n}","time":{"null" if at is None else at}}}' for n, at in enumerate(times)]
    path = _file(tmp_path, "a.jsonl", "\n".join([*lines, "nonsense"]))
    events = sorted_by_time(read_files([path]))
    assert [event.line for event in events] == [2, 3, 5, 6, 1, 4]


@pytest.mark.parametrize(
    ("dialect", "file", "counts", "people"),
    [
        (
            "taobao", "taobao-users/events.csv.gz",
            {"view": 75_693, "add": 4_494, "wishlist": 2_351, "purchase": 1_749}, 814,
        ),
        ("rees46", "rees46-oct2019/events.csv.gz", {"view": 17_055, "add": 165, "purchase": 214}, 4_504),
        ("retailrocket", "retailrocket-5k/events.csv.gz", {"view": 9_076, "add": 263, "purchase": 46}, 5_000),
        (
            "jd", "jd-pairs/actions.csv.gz",
            {"custom": 50_381, "view": 19_124, "add": 1_124, "remove": 475, "wishlist": 196, "purchase": 81},
            6_797,
        ),
    ],
)  # fmt: skip
def test_public_data_sets(
    data_dir: Path, dialect: str, file: str, counts: dict[str, int], people: int
) -> None:
    """Every event of the public data sets is read, in the numbers that their descriptions give."""
    found = [_found(event) for event in read_files([data_dir / file], dialect)]
    assert Counter(one.type for one in found) == counts
    assert len({one.person for one in found}) == people
    assert len({one.id for one in found}) == len(found)


def test_public_segment_calls(data_dir: Path, tmp_path: Path) -> None:
    """The examples of Segment's own specification are read, but for those without a person."""
    import json

    with gzip.open(data_dir / "payload-samples/segment_spec_payloads.jsonl.gz") as lines:
        calls = "\n".join(json.dumps(json.loads(line)["payload"]) for line in lines)
    reasons = Counter(
        event.found.reason if isinstance(event.found, Rejected) else "read"
        for event in read_files([_file(tmp_path, "calls.jsonl", calls)], "segment")
    )
    assert reasons == {"read": 9, "no_person": 4}


def test_a_shops_own_json(tmp_path: Path) -> None:
    """Objects by a mapping file, each with its file and line; what cannot be used is one dead letter."""
    mapping = _file(tmp_path, "m.toml", '[columns]\n"who.id" = "user_id"\n"lines[].sku" = "items.product_id"')
    lines = ['{"who": {"id": 7}, "lines": [{"sku": "p"}]}', "", '{"who": {}}', "x"]
    path = _file(tmp_path, "shop.jsonl", "\n".join(lines))
    first, *bad = list(read_files([path], "json", mapping))
    assert isinstance(first.found, Touchpoint)
    assert (first.found.id, first.found.user_id, first.found.items[0].product_id) == (
        "shop.jsonl:1",
        "7",
        "p",
    )
    assert [(one.line, one.found.reason) for one in bad if isinstance(one.found, Rejected)] == [
        (3, "no_person"), (4, "not_json"),
    ]  # fmt: skip
    with pytest.raises(BadInput, match="dialect json: needs a mapping file"):
        read_files([path], "json")
