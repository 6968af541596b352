"""Yearly dates: the day that a trait tells, once a year, on the clocks where the person lives."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.door import Engine
from retarget.engine.moment import Moment
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.rules.conditions import Condition
from retarget.rules.matcher import Matcher
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, parse_time
from retarget.touchpoints import Touchpoint
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import Event, an_event

STEPS = [{"channels": ["onsite"], "template": "a"}]
BERLIN = "Europe/Berlin"


def birthday(**keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """A rule for the trait `birthday`, each year."""
    yearly = {"trait": "birthday", "every": "year", **keys.pop("date", {})}
    return a_rule(**{"rule": "birthday", "subject": "person", "date": yearly, "steps": STEPS} | keys)


def told(at: str, **traits: object) -> Event:
    """A profile with these traits."""
    return an_event("profile", at=parse_time(at), traits=traits)


def visit(at: str) -> Event:
    """A sign of life, without which nobody is kept for longer than 400 days."""
    return an_event("page", at=parse_time(at))


def shop_of(rule: Rule, *events: Event, until: str) -> Shop:
    """The shop after these events, whose journeys were written and read between any two."""
    shop = Shop([rule])
    shop.between = shop.through_the_store
    return shop.read(*events).until(parse_time(until))


def dues(rule: Rule, *events: Event, until: str = "2028-01-01", outcome: str = "sent") -> list[str]:
    """When it was decided, in UTC to the minute."""
    final = shop_of(rule, *events, until=until).final()
    return [d["due"][:16] for d in final if d["operation"] == "send" and d["outcome"] == outcome]


def years(*numbers: int) -> list[Event]:
    """A sign of life in January and in August of these years."""
    return [visit(f"{year}-{month}-11T12:00") for year in numbers for month in ("01", "08")]


def test_once_each_year_at_midnight() -> None:
    """The year in the trait does not matter once it is over; without a zone the clocks are the setting's."""
    events = [told("2024-03-01", birthday="1990-05-31"), *years(2025, 2026)]
    assert dues(birthday(), *events, until="2026-12-31") == [
        "2024-05-31T00:00", "2025-05-31T00:00", "2026-05-31T00:00"
    ]  # fmt: skip


def test_before_and_after_are_on_the_clocks_of_the_person() -> None:
    """Midnight a week earlier and ten in the morning, though clocks go forward on 31 March 2024."""
    events = [told("2024-03-01", birthday="1990-04-03", timezone=BERLIN)]
    until = "2025-01-01"
    assert dues(birthday(), *events, until=until) == ["2024-04-02T22:00"]
    assert dues(birthday(date={"before": "7d"}), *events, until=until) == ["2024-03-26T23:00"]
    assert dues(birthday(date={"after": "10h"}), *events, until=until) == ["2024-04-03T08:00"]


def test_a_midnight_that_does_not_exist_and_one_that_comes_twice() -> None:
    """Beirut's clocks jump over midnight in spring; Azores' come back to it in autumn: one decision each."""
    spring = told("2024-03-01", birthday="2000-03-31", timezone="Asia/Beirut")
    assert dues(birthday(), spring, until="2024-12-31") == ["2024-03-30T22:00"]
    autumn = told("2024-03-01", birthday="2000-10-27", timezone="Atlantic/Azores")
    assert dues(birthday(), autumn, until="2024-12-31") == ["2024-10-27T00:00"]


def test_the_29th_of_february_is_the_28th_in_other_years() -> None:
    """Nobody waits four years for a birthday."""
    events = [told("2023-06-01", birthday="2000-02-29"), *years(2024, 2025, 2026, 2027)]
    assert dues(birthday(), *events, until="2028-03-01") == [
        "2024-02-29T00:00", "2025-02-28T00:00", "2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00",
    ]  # fmt: skip


def test_forms_of_a_day() -> None:
    """With and without a year; a time is the day that is written; anything else is none."""
    for form in ("1990-05-31", "05-31", "--05-31", "1990-05-31T00:00:00Z", "1990-05-31T23:00:00-05:00"):
        assert dues(birthday(), told("2024-03-01", birthday=form), until="2025-01-01") == ["2024-05-31T00:00"]
    for none in ("31.5.", "05-32", 531, None, "", "02-30"):
        assert dues(birthday(), told("2024-03-01", birthday=none), until="2025-01-01") == []


def test_a_day_in_the_future_begins_with_itself() -> None:
    """A contract that begins in 2025 has no anniversary in 2024."""
    event = told("2024-03-01", birthday="2025-05-31")
    assert dues(birthday(), event, visit("2024-12-01"), until="2025-12-31") == ["2025-05-31T00:00"]


def test_who_moves_or_corrects_the_day_has_one_decision_a_year() -> None:
    """West on the day itself, the day told again, another day later in the year: it has had its turn."""
    first = told("2024-03-01", birthday="1990-05-31", timezone=BERLIN)
    west = told("2024-05-31T01:00", timezone="America/New_York")
    again = told("2024-07-01", birthday="1990-05-31")
    later = told("2024-08-01", birthday="1990-09-30")
    found = dues(birthday(), first, west, again, later, visit("2025-04-01"), until="2025-12-31")
    assert found == ["2024-05-30T22:00", "2025-09-30T04:00"]


def test_a_zone_that_only_events_tell() -> None:
    """Whoever is seen further west meanwhile waits for their own midnight."""
    seen = an_event("page", at=parse_time("2024-05-01"), geo={"timezone": "America/New_York"})
    events = [told("2024-03-01", birthday="1990-05-31"), seen]
    assert dues(birthday(), *events, until="2024-12-31") == ["2024-05-31T04:00"]


def test_again_and_conditions_skip_a_year() -> None:
    """What a year's turn comes to does not touch the next one."""
    events = [told("2024-03-01", birthday="1990-05-31"), *years(2025, 2026)]
    until = "2026-12-31"
    assert dues(birthday(again="400d"), *events, until=until) == ["2024-05-31T00:00", "2026-05-31T00:00"]
    assert dues(birthday(again="400d"), *events, until=until, outcome="suppressed") == ["2025-05-31T00:00"]
    only = birthday(**{"if": 'count("page", within=days(200)) > 0'})
    assert dues(only, *events, until=until) == ["2025-05-31T00:00", "2026-05-31T00:00"]


def test_an_ending_ends_this_years_steps_only() -> None:
    """A purchase in the year before has nothing to end; one on the day stops the second step."""
    steps = [*STEPS, {"after": "2d", "channels": ["onsite"], "template": "b"}]
    rule = birthday(steps=steps, unless=["purchase"])
    events = [told("2024-03-01", birthday="1990-05-31"), an_event("purchase", at=parse_time("2024-04-01")),
              an_event("purchase", at=parse_time("2024-06-01")), *years(2025)]  # fmt: skip
    assert dues(rule, *events, until="2025-12-31") == [
        "2024-05-31T00:00", "2025-05-31T00:00", "2025-06-02T00:00"
    ]  # fmt: skip


def test_who_takes_the_day_back_hears_nothing_more() -> None:
    """Nothing waits then, nor after an erasure."""
    first = told("2024-03-01", birthday="1990-05-31")
    assert dues(birthday(), first, told("2024-04-01", birthday=None), until="2025-12-31") == []
    assert dues(birthday(), first, an_event("erase", at=parse_time("2024-04-01")), until="2025-12-31") == []


def test_a_yearly_date_keeps_nobody() -> None:
    """A person silent for 400 days is forgotten, though they would have another birthday."""
    shop = shop_of(birthday(), told("2024-03-01", birthday="1990-02-28"), until="2040-01-01")
    assert [d["due"][:10] for d in shop.final()] == ["2025-02-28"]
    assert shop.lane.journeys == {}


def test_the_wait_is_small() -> None:
    """However many years go by, one wait is kept."""
    events = [told("2020-03-01", birthday="1990-05-31"), *years(*range(2021, 2031))]
    shop = shop_of(birthday(), *events, until="2030-12-31")
    journey = next(iter(shop.lane.journeys.values()))
    assert len(journey.episodes["birthday"]) == 1
    assert len(wire.encode(journey)) < 4_000


def test_another_form_of_the_rule_goes_on_with_the_next_year() -> None:
    """Step 2 is cut off while it waits, and a single date becomes one of each year: nobody has it twice."""
    steps = [*STEPS, {"after": "2d", "channels": ["onsite"], "template": "b"}]
    short = birthday()
    two = shop_of(birthday(steps=steps), told("2024-03-01", birthday="1990-05-31"), until="2024-06-01")
    after = two.under([short]).read(*years(2025)).until(parse_time("2025-12-31"))
    assert [d["due"][:10] for d in after.final()] == ["2025-05-31"]

    once = a_rule(rule="birthday", subject="person", date={"trait": "birthday"}, steps=STEPS)
    single = shop_of(once, told("2024-03-01", birthday="2024-05-31"), until="2024-03-02")
    after = single.under([short]).read(*years(2025)).until(parse_time("2025-12-31"))
    assert [d["due"][:10] for d in after.final()] == ["2024-05-31", "2025-05-31"]


def test_a_year_that_failed_does_not_end_the_others() -> None:
    """What is given up is this year's turn."""
    engine, journey = Engine(Matcher([birthday()])), Journey(person="u1")
    moment = Moment(a_policy())
    event = told("2024-03-01", birthday="1990-05-31")
    engine.apply(journey, Touchpoint(**event), moment)
    engine.abandon(journey, parse_time("2024-05-31"), moment)
    assert journey.episodes["birthday"]["u1"].year == 2025
    assert journey.alarm <= parse_time("2025-05-31")


def test_a_rule_that_fails_on_the_day_has_its_turn_in_the_next_year() -> None:
    """The rule may be mended by then; this year's turn is over."""

    def fails_once(_scene: object) -> bool:
        if failures:
            raise failures.pop()
        return True

    failures = [RuntimeError("not this year")]
    rule = replace(birthday(), condition=Condition("once", fails_once))
    shop = Shop([rule]).read(told("2024-03-01", birthday="1990-05-31"), *years(2025))
    final = shop.until(parse_time("2025-12-31")).final()
    assert [d["reason"] for d in shop.dead] == ["rule_failed"]
    assert [d["due"][:10] for d in final] == ["2025-05-31"]


@given(
    day=st.dates(date(1930, 1, 1), date(2023, 12, 31)),
    zone=st.sampled_from([BERLIN, "America/New_York", "Asia/Tokyo", "Pacific/Apia", "Australia/Lord_Howe"]),
    shift=st.sampled_from([{}, {"before": "7d"}, {"after": "10h"}, {"after": "30d"}, {"before": "364d"}]),
    tellings=st.lists(st.integers(1, 1_000), max_size=4),
)
def test_each_year_has_its_turn_once(
    day: date, zone: str, shift: dict[str, str], tellings: list[int]
) -> None:
    """However often the day is told, decisions are a year apart, at midnight there or at ten o'clock."""
    begin, said = parse_time("2024-01-01"), {"birthday": str(day), "timezone": zone}
    told_at = [begin + number * DAY + 7 * HOUR for number in [0, *tellings]]
    alive = [visit(f"{year}-{month}-20") for year in (2024, 2025, 2026) for month in ("01", "06", "12")]
    profiles = [an_event("profile", at=at, traits=said) for at in told_at]
    events = sorted([*profiles, *alive], key=lambda event: int(event["time"]))
    final = shop_of(birthday(date=shift), *events, until="2026-12-31").final()
    found = [datetime.fromtimestamp(parse_time(d["due"]) / 1000, ZoneInfo(zone)) for d in final]

    assert {local.hour for local in found} == ({10} if shift.get("after") == "10h" else {0})
    assert all(
        364 <= round((later - earlier) / timedelta(days=1)) <= 366 for earlier, later in pairwise(found)
    )
    assert found[0] <= datetime(2025, 1, 3, tzinfo=ZoneInfo(zone))
    assert found[-1] >= datetime(2025, 12, 25, tzinfo=ZoneInfo(zone))
