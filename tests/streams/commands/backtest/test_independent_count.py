"""The shipped rules against a copy with 60 minutes instead of 30: the difference, counted in other ways."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from retarget.decode import encode_touchpoint
from retarget.times import DAY, HOUR, MINUTE
from retarget.touchpoints import Touchpoint
from streams.resources import default_rules_dir
from streams.shop import open_shop, simulate
from tests.oracle import Decision, decide
from tests.oracle.model import RULES, Event, person_of
from tests.streams.commands.conftest import Retarget

AWAKE: Final = ("--set", "quiet_hours.enabled=false")
UNCAPPED: Final = ("--set", "caps.total=off", "--set", "caps.direct_mail=off")
START: Final = 1_709_251_200_000
# So many events of one person; people have fewer.
MOST: Final = 200


@pytest.fixture
def an_hour(tmp_path: Path) -> Path:
    """A copy of the shipped rules in which forgotten carts are given an hour."""
    folder = tmp_path / "an-hour"
    folder.mkdir()
    for file in default_rules_dir().glob("*.yaml"):
        text = file.read_text()
        changed = text.replace("after: 30m", "after: 60m") if file.stem == "abandoned_cart" else text
        assert (changed != text) == (file.stem == "abandoned_cart")
        (folder / file.name).write_text(changed)
    return folder


def backtest(retarget: Retarget, an_hour: Path, *words: object) -> dict[str, Any]:
    """What the command finds: the copy on trial, against the rules as they ship."""
    rules = ("--rules", an_hour, "--against", default_rules_dir(), "--json", "-")
    answer = retarget("backtest", *words, "--assume-consent", *AWAKE, *rules)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def by_row(side: dict[str, Any]) -> Counter[tuple[str, str]]:
    """A side's sends by rule and channel."""
    found: Counter[tuple[str, str]] = Counter()
    for row in side["sends"]:
        found[row["rule"], row["channel"]] += row["count"]
    return found


def changed(found: dict[str, Any], rule: str) -> dict[tuple[str, str], Counter[str]]:
    """What changes for a rule, by rule and channel."""
    kinds = ("added", "removed", "moved", "same")
    return {
        (row["rule"], row["channel"]): +Counter({kind: row[kind] for kind in kinds})
        for row in found["changes"]
        if row["rule"] == rule
    }


# -- by a few lines that know nothing but carts --


class CartSend(NamedTuple):
    """A reminder: whose, by which opening event, which step."""

    person: str
    opened_by: int
    step: int


def cart_sends(rows: Iterable[tuple[int, str, str, int]], wait: int, end: int) -> dict[CartSend, int]:
    """When which reminder of a forgotten cart goes, if nothing but the rule's own `again` stops it."""
    found: dict[CartSend, int] = {}
    by_person: defaultdict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for line, person, kind, time in rows:
        by_person[person].append((time, kind, line))
    for person, events in by_person.items():
        opened, due, step, let_pass = 0, 0, 0, -DAY
        for time, kind, line in [*sorted(events, key=lambda one: (one[0], one[2])), (end + 1, "", 0)]:
            while step and due < time + (kind != ""):
                if step == 1 and due - let_pass < DAY:
                    step = 0
                    continue
                let_pass = due if step == 1 else let_pass
                found[CartSend(person, opened, step)] = due
                due = let_pass + {1: 24 * HOUR, 2: 72 * HOUR, 3: 0}[step]
                step = (step + 1) % 4
            if kind == "buy":
                step = 0
            elif kind == "cart" and step <= 1:
                opened, due, step = opened if step else line, time + wait, 1
    return found


def rows_of(file: Path) -> Iterator[tuple[int, str, str, int]]:
    """Line, person, kind and time in ms of each row of the Taobao data."""
    with gzip.open(file, "rt") as text:
        for line, (person, _, _, kind, seconds) in enumerate(csv.reader(text), start=1):
            yield line, person, kind, int(seconds) * 1000


def test_forgotten_carts_are_counted_alike(retarget: Retarget, data_dir: Path, an_hour: Path) -> None:
    """Added, removed and moved reminders are those of a count that knows nothing of the engine."""
    file = data_dir / "taobao-users" / "events.csv.gz"
    words = (file, "--dialect", "taobao", "--only", "abandoned_cart", *UNCAPPED)
    found = changed(backtest(retarget, an_hour, *words), "abandoned_cart")

    rows = list(rows_of(file))
    end = max(time for *_, time in rows)
    hour, half = (cart_sends(rows, wait, end) for wait in (60 * MINUTE, 30 * MINUTE))
    both = hour.keys() & half.keys()
    wanted = {
        "added": len(hour.keys() - half.keys()),
        "removed": len(half.keys() - hour.keys()),
        "moved": sum(hour[send] != half[send] for send in both),
        "same": sum(hour[send] == half[send] for send in both),
    }
    assert found["abandoned_cart", "push"] == +Counter(wanted)
    assert min(wanted["added"], wanted["removed"], wanted["moved"]) > 0


# -- by the oracle, with every rule and the caps --


def by_oracle(events: Iterable[Event], monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[Any], Counter[Any]]:
    """What the oracle sends with an hour and half an hour: (rule, channel, person, subject, step, due)."""
    people: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        people[person_of(event)].append(event)
    end = max(event["time"] for mine in people.values() for event in mine)
    people.pop("", None)
    tick = {"id": "end", "type": "heartbeat", "time": end}

    def sends() -> Counter[Any]:
        found: Counter[Any] = Counter()
        for mine in people.values():
            found.update(sent(decide([*sorted(mine, key=lambda e: int(e["time"])), tick], quiet_hours=False)))
        return found

    def sent(decisions: list[Decision]) -> Iterator[tuple[object, ...]]:
        for d in decisions:
            if d.outcome == "sent" and d.operation in ("send", "add"):
                yield d.rule, d.channel, d.person, d.subject_id, d.step, d.due

    half = sends()
    monkeypatch.setitem(RULES, "abandoned_cart", replace(RULES["abandoned_cart"], wait=60 * MINUTE))
    return sends(), half


def assert_as_the_oracle(found: dict[str, Any], hour: Counter[Any], half: Counter[Any]) -> None:
    """Both sides by rule and channel, and how many sends are the same in both."""
    rows = Counter(key[:2] for key in half.elements()), Counter(key[:2] for key in hour.elements())
    assert by_row(found["against"]) == rows[0]
    assert by_row(found["rules"]) == rows[1]
    same = Counter(key[:2] for key in (hour & half).elements())
    assert +Counter({(row["rule"], row["channel"]): row["same"] for row in found["changes"]}) == same
    cart = found["changes"][0]
    assert cart["rule"] == "abandoned_cart"
    assert cart["moved"] > 0


@pytest.mark.parametrize("people", [100, pytest.param(10**9, id="all", marks=pytest.mark.slow)])
def test_all_rules_on_taobao_are_counted_alike(
    retarget: Retarget,
    data_dir: Path,
    an_hour: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    people: int,
) -> None:
    """Sends of every rule under both, and what stays as it is, are those of the second implementation."""
    file = some_of(data_dir / "taobao-users" / "events.csv.gz", people, tmp_path / "some.csv.gz")
    found = backtest(retarget, an_hour, file, "--dialect", "taobao")
    assert_as_the_oracle(found, *by_oracle(canonical(file), monkeypatch))


def some_of(file: Path, people: int, target: Path) -> Path:
    """The rows of the first people in the file."""
    with gzip.open(file, "rt") as text:
        rows = [row.split(",", 1) for row in text]
    wanted = set(list(dict.fromkeys(person for person, _ in rows))[:people])
    with gzip.open(target, "wt") as text:
        text.writelines(f"{person},{rest}" for person, rest in rows if person in wanted)
    return target


def canonical(file: Path) -> list[Event]:
    """The rows as the oracle reads them."""
    kinds = {"pv": "view", "cart": "add", "fav": "wishlist", "buy": "purchase"}
    with gzip.open(file, "rt") as text:
        return [
            {
                "id": f"{file.name}:{line}", "type": kinds[kind], "time": int(seconds) * 1000,
                "user_id": person, "items": [{"product_id": product, "category": category}],
            }
            for line, (person, product, category, kind, seconds) in enumerate(csv.reader(text), start=1)
        ]  # fmt: skip


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_all_rules_in_the_shop_are_counted_alike(
    retarget: Retarget, an_hour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The same for some days of the simulated shop."""
    lines = shop_lines(seed, days=6)
    file = tmp_path / "shop.jsonl"
    file.write_bytes(b"\n".join(lines))
    found = backtest(retarget, an_hour, file)
    events = [msgspec.json.decode(line) for line in lines]
    assert_as_the_oracle(found, *by_oracle(events, monkeypatch))


def known_alone(event: Touchpoint) -> Touchpoint:
    """The event without the second id of somebody who is known."""
    return msgspec.structs.replace(event, anonymous_id=None) if event.user_id else event


def shop_lines(seed: int, *, days: int) -> list[bytes]:
    """What happens in the shop, as canonical records; of a bot only the beginning.

    The oracle knows no catalogue, joins nobody, so that nobody has two ids here, and takes the square of a
    person's events in time.
    """
    until: Callable[[Any], bool] = lambda event: event.time < START + days * DAY  # noqa: E731
    known: Counter[str] = Counter()
    lines = []
    for event in takewhile(until, simulate(open_shop(seed), seed=seed, people=40, start_ms=START)):
        known[event.person] += 1
        if event.type not in ("price_change", "stock_change") and known[event.person] <= MOST:
            lines.append(encode_touchpoint(known_alone(event)))
    return lines
