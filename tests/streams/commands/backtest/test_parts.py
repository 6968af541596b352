"""However a backtest cuts its input, it decides what a lane decides that has it in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.decode import decode_canonical
from retarget.errors import BadInput
from retarget.times import HOUR, MINUTE, SECOND
from streams import topics
from streams.backtest import charts
from streams.backtest.pool import Plan, backtest
from streams.backtest.reading import of_files
from streams.backtest.report import Report
from streams.backtest.sends import Sends
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import NEVER, Part, Splitting, Together
from streams.backtest.trial import Bar, Files, run_trial
from streams.commands.screen import bar
from streams.files import FileEvent, sorted_by_time, with_catalogue
from streams.ports import Output, Record
from streams.replaying import TOPIC, replay
from streams.resources import default_rules_dir
from streams.settings import load_settings
from tests.oracle.histories import histories, random_history
from tests.streams.catalogues import catalogues, in_a_catalogue, with_catalogue_records, with_changes
from tests.streams.commands.backtest.whole import a_bundle, by_person, in_one, in_parts, told_to_lane

Event = dict[str, Any]

ORDERS: Final = st.sampled_from([
    (0, 0), (0, 2 * SECOND), (60 * SECOND, 60 * SECOND), (60 * SECOND, 2 * SECOND), (3 * HOUR, 0),
    (HOUR, MINUTE),
])  # fmt: skip
NOBODY: Final = ("null", " Guest", "00000000-0000-0000-0000-000000000000")
RULE: Final = """
rule: views
subject: product
count: {of: view, at_least: 2, within: %s}
steps: [{channels: [push], template: t}]
"""


@st.composite
def inputs(draw: st.DrawFn) -> tuple[list[Event], int]:
    """A history and the lateness it is read with."""
    displaced, lateness = draw(ORDERS)
    return draw(histories(max_events=40, displaced_ms=displaced)), lateness


def in_a_file(events: list[Event]) -> list[FileEvent]:
    """The events as the lines of a file."""
    lines = [msgspec.json.encode(event) for event in events]
    return [FileEvent("made-up", n, decode_canonical(raw), raw) for n, raw in enumerate(lines, start=1)]


def of_nobody(event: Event, chance: Random) -> Event:
    """The event, which now and then has an id that stands for nobody in place of one of its own."""
    ids = [name for name in ("user_id", "anonymous_id") if name in event]
    return event | {name: chance.choice(NOBODY) for name in ids if chance.random() < 0.2}


def with_devices(events: list[Event], chance: Random) -> list[Event]:
    """The same people, who come under the ids of devices too, and now and then say who they are."""
    return [_with_device(event, chance) if event.get("user_id") else event for event in events]


def _with_device(event: Event, chance: Random) -> Event:
    person = event["user_id"]
    device = {"anonymous_id": f"device {chance.choice((person, person, person, 'of all'))}"}
    how = chance.choice(("as a device", "as both", "saying so", "", ""))
    if how == "as a device":
        return {name: value for name, value in event.items() if name != "user_id"} | device
    return event | (device if how else {}) | ({"type": "identify"} if how == "saying so" else {})


@given(inputs(), st.integers(2, 7), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_people_who_turn_out_to_be_one_are_in_one_part(
    given_: tuple[list[Event], int],
    parts: int,
    as_is: bool,  # noqa: FBT001
    chance: Random,
) -> None:
    """Whoever joins whom, and whoever uses whose device, or says `null`: as in `replay`, to the byte."""
    events, lateness = given_
    bundle = a_bundle(f"clock.lateness={lateness}ms")
    file = in_a_file([of_nobody(event, chance) for event in with_devices(events, chance)])
    whole: list[Output] = []
    asyncio.run(replay(file if as_is else sorted_by_time(file), bundle, whole.append))
    split = in_parts(list(of_files(iter(file))), bundle, parts, by_time=not as_is, ahead=lateness)
    # Dead letters name a place, which is another one in a part.
    told = [[one for one in found if one.topic != topics.DEAD] for found in (split, whole)]
    assert by_person(told[0]) == by_person(told[1])


@given(inputs(), st.integers(1, 7), st.booleans(), st.booleans(), st.data())
@settings(max_examples=150)
def test_parts_decide_what_a_replay_decides(
    given_: tuple[list[Event], int],
    parts: int,
    as_is: bool,  # noqa: FBT001
    sleepless: bool,  # noqa: FBT001
    data: st.DataObject,
) -> None:
    """Any history in any number of parts, sorted or not, held or not: byte for byte what `replay` writes.

    So it is in one piece, with the journeys on disk. Where it is sorted there is a catalogue beside it.
    """
    events, lateness = given_
    listed = in_a_catalogue([] if as_is else data.draw(catalogues(events)))
    events = data.draw(with_changes(events))
    bundle = a_bundle(f"clock.lateness={lateness}ms", f"quiet_hours.enabled={str(not sleepless).lower()}")
    file = in_a_file(events)
    whole: list[Output] = []
    asyncio.run(replay(file if as_is else with_catalogue(file, listed), bundle, whole.append))
    sharing = data.draw(st.sampled_from(Sharing))
    cut = in_parts(
        list(of_files([*listed, *file])), bundle, parts, by_time=not as_is, ahead=lateness, sharing=sharing
    )
    assert by_person(cut) == by_person(whole)


def with_ticks(records: list[Record], idle_after: int) -> Iterator[Record | int]:
    """The records, and before each that comes after a pause the time of it: there the wall clock had led."""
    latest = -1
    for record in records:
        if 0 <= latest <= record.timestamp - idle_after:
            yield record.timestamp
        yield record
        latest = max(latest, record.timestamp)


def heartbeat(time: int) -> Record:
    """What moves the clock to a time, less the lateness."""
    return Record(TOPIC, time, -1, None, msgspec.json.encode({"type": "heartbeat", "time": time}))


@given(inputs(), st.integers(1, 7), st.data())
@settings(max_examples=150)
def test_parts_of_a_topic_decide_what_its_lane_decides(
    given_: tuple[list[Event], int], parts: int, data: st.DataObject
) -> None:
    """With record timestamps, which bound what an event tells and show where the lane was idle."""
    events, lateness = given_
    bundle = a_bundle(f"clock.lateness={lateness}ms")
    delays = data.draw(st.lists(st.sampled_from([0, 0, 1, MINUTE, -MINUTE, -10 * MINUTE]), min_size=1))
    events = data.draw(with_changes(events))
    records = [
        Record(TOPIC, n, event["time"] + delays[n % len(delays)], None, msgspec.json.encode(event))
        for n, event in enumerate(events)
    ]
    records = data.draw(with_catalogue_records(records, events))
    at_least = data.draw(st.sampled_from([-1, max((r.timestamp for r in records), default=0) + HOUR]))
    told = told_to_lane(records, bundle)
    idle_after = data.draw(st.sampled_from([NEVER, 1, 10 * MINUTE]))
    ticked = list(with_ticks(records, idle_after))
    end = max([at_least, *(one.tells for one in told), *(t for t in ticked if isinstance(t, int))])
    whole = in_one([heartbeat(t) if isinstance(t, int) else t for t in ticked], bundle, end)
    cut = in_parts(
        told, bundle, parts, by_time=False, ahead=0, at_least=at_least, idle_after=idle_after,
        sharing=data.draw(st.sampled_from(Sharing)),
    )  # fmt: skip
    assert by_person(cut) == by_person(whole)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_any_number_of_processes_adds_up_to_a_replay(jobs: int, tmp_path: Path) -> None:
    """The figures are those of all outputs of one replay."""
    file = in_a_file(random_history(11, 800))
    given_ = load_settings(None, {}, ["consent.assume=granted", "clock.lateness=0s"])
    plan = Plan(given_, default_rules_dir(), default_rules_dir())
    sends, on_trial = Sends(None), plan.bundles()
    counts = asyncio.run(replay(sorted_by_time(file), on_trial.rules, sends))
    splitting = Splitting(tmp_path, lanes=1, parts=9, by_time=True, is_nobody=on_trial.rules.policy.is_nobody)
    for told in of_files(file):
        splitting.add(told)
    parts = splitting.close(ahead=0)
    outcome = backtest(on_trial, parts, tmp_path, jobs=jobs, progress=lambda _: None)

    assert outcome.rules == sends.figures(counts)
    assert outcome.against == outcome.rules
    assert outcome.comparison is not None
    assert {row: change.same for row, change in outcome.comparison.changes.items()} == outcome.rules.by_row()
    assert outcome.comparison.total().same == sum(outcome.rules.sends.values()) > 100


class Changing(Files):
    """Files during whose reading somebody changes the rules."""

    def __init__(self, rules: Path, text: str) -> None:
        super().__init__("made-up", iter(in_a_file(random_history(11, 200))), 0, as_is=False)
        self._rules, self._text = rules, text

    def split(
        self, folder: Path, parts: int, is_nobody: Callable[[str], bool], bar: Bar, sharing: Sharing
    ) -> tuple[list[Part | Together], Splitting]:
        """See Source."""
        self._rules.write_text(self._text)
        return super().split(folder, parts, is_nobody, bar, sharing)


@pytest.mark.parametrize("text", ["rule: [broken\n", RULE % "5m"])
def test_rules_that_change_meanwhile(text: str, tmp_path: Path) -> None:
    """One process goes by the rules as they were; several, which load them anew, refuse others."""
    rules = tmp_path / "rules.yaml"
    given_ = load_settings(None, {}, ["consent.assume=granted", "clock.lateness=0s"])

    def tried(jobs: int, text: str) -> Report:
        rules.write_text(RULE % "30m")
        on_trial = Plan(given_, rules).bundles()
        return run_trial(on_trial, Changing(rules, text), jobs=jobs, bar=bar)

    assert tried(1, text).outcome == tried(1, RULE % "30m").outcome
    with pytest.raises(BadInput, match="the rules have changed since the backtest began"):
        tried(2, text)


def test_a_change_that_concerns_nobody_of_a_part_has_told_the_time() -> None:
    """A late price is heard of at the lane's clock, to which another product's price had moved it."""
    start = 1_709_251_200_000
    seen = {"product_id": "p2", "price": 20}
    events = [
        {"type": "view", "id": "v", "time": start, "user_id": "u1", "items": [seen]},
        {"type": "price_change", "id": "a", "time": start + 2 * HOUR, "items": [seen | {"product_id": "p1"}]},
        {"type": "price_change", "id": "b", "time": start + HOUR, "items": [seen | {"price": 10}]},
    ]
    bundle, file, whole = a_bundle("clock.lateness=0ms"), in_a_file(events), list[Output]()
    asyncio.run(replay(file, bundle, whole.append))
    cut = in_parts(list(of_files(file)), bundle, 3, by_time=False, ahead=0)
    assert by_person(cut) == by_person(whole)
    assert any(b"price_drop" in output.value for output in whole)


def test_what_is_listed_behind_the_end_comes_at_the_end_of_the_lane() -> None:
    """The last event was about a product that nobody of the part looks at, and told the time all the same."""
    start = 1_709_251_200_000
    seen = {"product_id": "p2", "price": 20}
    events = [
        {"type": "view", "id": "v", "time": start, "user_id": "u1", "items": [seen]},
        {"type": "price_change", "id": "a", "time": start + MINUTE, "items": [seen | {"product_id": "p1"}]},
    ]
    listed = in_a_catalogue([{"product_id": "p2", "time": start + HOUR, "price": 10}])
    bundle, file, whole = a_bundle("clock.lateness=0ms"), in_a_file(events), list[Output]()
    asyncio.run(replay(with_catalogue(file, listed), bundle, whole.append))
    cut = in_parts(list(of_files([*listed, *file])), bundle, 3, by_time=True, ahead=0)
    assert by_person(cut) == by_person(whole)
    assert any(b"price_drop" in output.value for output in whole)


def test_whoever_is_moved_to_another_part_has_told_the_time_to_those_who_stay() -> None:
    """Two were in one part; one of them turns out to be one with a device of another part, and goes there."""
    start = 1_709_251_200_000
    events = [
        {"type": "view", "id": "a", "time": start, "user_id": "u1", "anonymous_id": "device u1"},
        {"type": "view", "id": "b", "time": start + SECOND, "user_id": "u1"},
        {"type": "purchase", "id": "c", "time": start, "user_id": "u2"},
    ]
    bundle, file, whole = a_bundle("clock.lateness=0ms"), in_a_file(events), list[Output]()
    asyncio.run(replay(file, bundle, whole.append))
    cut = in_parts(list(of_files(iter(file))), bundle, 2, by_time=False, ahead=0)
    assert by_person(cut) == by_person(whole)
    assert any(b"first_purchase" in output.value for output in whole)


def test_nobody_brings_no_people_together(tmp_path: Path) -> None:
    """Where a producer writes `null` for users it does not know, their devices stay in parts of their own."""
    is_nobody = a_bundle().policy.is_nobody
    splitting = Splitting(tmp_path, lanes=1, parts=16, by_time=True, is_nobody=is_nobody)
    for number in range(200):
        event = {"type": "view", "time": number, "user_id": "null", "anonymous_id": f"a{number}"}
        guest = {"type": "view", "time": number, "user_id": f"u{number}", "anonymous_id": "guest"}
        for told in of_files(in_a_file([event, guest])):
            splitting.add(told)
    sizes = [part.entries for part in splitting.close(ahead=0)]
    assert sum(sizes) == 400
    assert max(sizes) < 60


def test_the_bar_ends_where_it_was_said_to() -> None:
    """What all parts are told, such as prices, is read by each of them and counted for none."""
    events = with_devices(random_history(11, 300), Random(1))
    start = events[0]["time"]
    prices = [
        {
            "type": "price_change",
            "id": f"r{n}",
            "time": start + n * HOUR,
            "items": [{"product_id": "p1", "price": n}],
        }
        for n in range(1, 60)
    ]
    given_ = load_settings(None, {}, ["consent.assume=granted", "clock.lateness=0s"])
    told: dict[str, list[int]] = {}

    @contextmanager
    def noted(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        told[title] = [-(total or 0)]
        yield told[title].append

    on_trial = Plan(given_, default_rules_dir(), default_rules_dir()).bundles()
    source = Files("made-up", iter(in_a_file([*events, *prices])), 0, as_is=False)
    run_trial(on_trial, source, jobs=1, bar=noted)
    assert sum(told["records worked off"]) == 0 > told["records worked off"][0]


def test_the_last_date_of_a_chart_is_not_cut_off() -> None:
    """It ends under the last point."""
    days = [f"2024-03-0{day}" for day in range(1, 4)]
    chart = charts.lines(days, [charts.Series("after", "sends", [1, 2, 3])], "by day")
    assert 'text-anchor="end">2024-03-03</text>' in chart
    assert 'text-anchor="middle">2024-03-01</text>' in chart
