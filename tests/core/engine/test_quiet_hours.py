"""Nobody is disturbed at night, wherever they live and whatever their clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retarget.engine.policy import QuietHours
from retarget.engine.quiet_hours import release_after
from retarget.journeys.model import Journey
from retarget.times import DAY, HOUR, MINUTE, parse_time
from tests.core.shop import a_policy

ZONES: Final = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo",
    "America/Sao_Paulo", "Pacific/Apia", "Asia/Tehran", "America/St_Johns", "Africa/Casablanca",
)  # fmt: skip
KEY: Final = "00000000" * 4


def release(at: str, zone: str, quiet: QuietHours | None = None, key: str = KEY) -> str | None:
    """When a message of that moment leaves, in the zone's own time; None at once."""
    policy = a_policy(quiet_hours=quiet or QuietHours())
    moment = release_after(Journey(person="u1", traits={"timezone": zone}), policy, parse_time(at), key)
    return moment if moment is None else local(moment, zone).isoformat()


def local(at: int, zone: str) -> datetime:
    """A moment as the clocks of the zone show it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone))


def is_night(quiet: QuietHours, moment: datetime) -> bool:
    """Whether clocks show a minute of the quiet hours, spelled out minute by minute."""
    minute, quiet_minutes = quiet.start, set()
    while minute != quiet.end:
        quiet_minutes.add(minute)
        minute = (minute + 1) % 1440
    return moment.hour * 60 + moment.minute in quiet_minutes


@pytest.mark.parametrize(
    ("at", "released"),
    [
        ("2024-06-10T18:59:59.999Z", None),
        ("2024-06-10T19:00:00Z", "2024-06-11T08:00:00+02:00"),
        ("2024-06-11T05:59:59.999Z", "2024-06-11T08:00:00+02:00"),
        ("2024-06-11T06:00:00Z", None),
        ("2024-03-30T23:00:00Z", "2024-03-31T08:00:00+02:00"),  # the night that is an hour shorter
        ("2024-10-26T20:00:00Z", "2024-10-27T08:00:00+01:00"),  # the night that is an hour longer
    ],
)
def test_night_lasts_from_21_to_8_by_the_persons_own_clock(at: str, released: str | None) -> None:
    """Both ends are exact to the millisecond, also in the nights in which the clocks are changed."""
    assert release(at, "Europe/Berlin") == released


@pytest.mark.parametrize(
    ("at", "zone", "end", "released"),
    [
        # 02:30 does not exist: 02:00 to 03:00 is left out.
        ("2024-03-31T00:50:00Z", "Europe/Berlin", "02:30", "2024-03-31T03:30:00+02:00"),
        ("2024-03-10T06:50:00Z", "America/New_York", "02:30", "2024-03-10T03:30:00-04:00"),
        # 02:15 does not exist: only half an hour is left out.
        ("2024-10-05T15:20:00Z", "Australia/Lord_Howe", "02:15", "2024-10-06T02:45:00+11:00"),
        # 02:30 comes twice: the night ends with the second, as the clocks show 02:29 once more in between.
        ("2024-10-27T00:10:00Z", "Europe/Berlin", "02:30", "2024-10-27T02:30:00+01:00"),
        ("2024-11-03T05:10:00Z", "America/New_York", "01:30", "2024-11-03T01:30:00-05:00"),
        ("2024-04-06T14:35:00Z", "Australia/Lord_Howe", "01:45", "2024-04-07T01:45:00+10:30"),
    ],
)
def test_an_end_in_a_gap_or_a_fold_is_never_in_the_night(at: str, zone: str, end: str, released: str) -> None:
    """Where the end does not exist the night ends after the gap, and where it comes twice with the second."""
    hour, minute = map(int, end.split(":"))
    assert release(at, zone, QuietHours(end=hour * 60 + minute)) == released


def test_releases_are_spread() -> None:
    """What was deferred in a night leaves over half an hour, each message at its own moment."""
    at = "2024-06-10T23:00:00Z"
    released = {release(at, "UTC", key=f"{n * 7919 * 104729:08x}"[-8:]) for n in range(200)}
    assert len(released) > 150
    assert min(released, key=str) >= "2024-06-11T08:00:00"  # type: ignore[operator]
    assert max(released, key=str) < "2024-06-11T08:30:00"  # type: ignore[operator]


def test_the_zone_is_the_profiles_else_where_the_person_was_seen_else_the_settings() -> None:
    """The first of profile, geo and setting that is known, and an unknown zone counts as none."""
    policy = a_policy(quiet_hours=QuietHours(zone="America/New_York"))
    at = parse_time("2024-06-10T22:00:00Z")  # midnight in Berlin, 18:00 in New York, 07:00 in Tokyo
    berlin, tokyo = {"timezone": "Europe/Berlin"}, {"timezone": "Asia/Tokyo"}
    people = {
        "profile": Journey(person="u1", traits=berlin, geo=tokyo),
        "geo": Journey(person="u1", geo=tokyo),
        "setting": Journey(person="u1"),
        "unknown": Journey(person="u1", traits={"timezone": "Mars/Olympus"}),
        "passed over": Journey(person="u1", traits={"timezone": "Mars/Olympus"}, geo=tokyo),
    }
    found = {name: release_after(person, policy, at, KEY) for name, person in people.items()}
    assert found == {
        "profile": parse_time("2024-06-11T06:00:00Z"),
        "geo": parse_time("2024-06-10T23:00:00Z"),
        "setting": None,
        "unknown": None,
        "passed over": parse_time("2024-06-10T23:00:00Z"),
    }


@given(
    at=st.integers(parse_time("2000-01-01T00:00:00Z") // 1000, parse_time("2037-12-31T00:00:00Z") // 1000),
    zone=st.sampled_from(ZONES),
    start=st.integers(0, 1439),
    end=st.integers(0, 1439),
    spread=st.sampled_from([1, 30 * MINUTE, 3 * HOUR]),
    key=st.integers(0, 2**32 - 1),
)
@settings(max_examples=1000)
@example(at=1711846200, zone="Europe/Berlin", start=1260, end=150, spread=30 * MINUTE, key=0)
@example(at=1718060400, zone="UTC", start=485, end=480, spread=30 * MINUTE, key=2**32 - 1)
def test_what_is_released_is_never_released_into_the_night(
    *, at: int, zone: str, start: int, end: int, spread: int, key: int
) -> None:
    """Over zones, years and settings: at once outside of quiet hours, else soon and outside of them."""
    quiet = QuietHours(start=start, end=end, spread=spread)
    policy, person = a_policy(quiet_hours=quiet), Journey(person="u1", traits={"timezone": zone})
    released = release_after(person, policy, at * 1000, f"{key:08x}")
    if not is_night(quiet, local(at * 1000, zone)):
        assert released is None
        return
    assert released is not None
    assert at * 1000 < released <= at * 1000 + 2 * DAY + spread
    assert not is_night(quiet, local(released, zone))


# (zone, the first minute of the local day in UTC, its hours): each day on which the clocks are changed, in a
# zone of each kind: by an hour at night in the north, in the Americas, and by half an hour in the south.
CHANGED_DAYS: Final = (
    ("Europe/Berlin", "2024-03-30T23:00:00Z", 23),
    ("Europe/Berlin", "2024-10-26T22:00:00Z", 25),
    ("America/New_York", "2024-03-10T05:00:00Z", 23),
    ("America/New_York", "2024-11-03T04:00:00Z", 25),
    ("Australia/Lord_Howe", "2024-04-06T13:00:00Z", 24.5),
    ("Australia/Lord_Howe", "2024-10-05T13:30:00Z", 23.5),
)
# Nights as shops have them, and nights that begin or end in the gap and in the fold themselves.
NIGHTS: Final = (
    ("21:00", "08:00"),
    ("22:30", "02:30"),
    ("02:00", "03:00"),
    ("01:45", "09:00"),
    ("01:30", "02:00"),
)


@pytest.mark.parametrize(("start", "end"), NIGHTS)
@pytest.mark.parametrize(("zone", "midnight", "hours"), CHANGED_DAYS)
def test_every_minute_of_a_day_on_which_the_clocks_change(
    zone: str, midnight: str, hours: float, start: str, end: str
) -> None:
    """Each minute is judged by what the clocks show, and released at the first later minute out of the night.

    The first by an end, that is: the clocks may show the end twice, or leap over it.
    """
    quiet = QuietHours(start=_minutes(start), end=_minutes(end), spread=0)
    policy, person = a_policy(quiet_hours=quiet), Journey(person="u1", traits={"timezone": zone})
    first, minutes = parse_time(midnight), int(hours * 60)
    assert (
        local(first, zone).strftime("%H:%M")
        == local(first + minutes * MINUTE, zone).strftime("%H:%M")
        == "00:00"
    )
    asleep = [is_night(quiet, local(first + n * MINUTE, zone)) for n in range(minutes + 2 * 1440)]
    for n in range(minutes):
        at = first + n * MINUTE
        released = release_after(person, policy, at, KEY)
        assert (released is None) == (not asleep[n]), local(at, zone)
        if released is None:
            continue
        place, rest = divmod(released - first, MINUTE)
        assert rest == 0
        assert not asleep[place], (local(at, zone), local(released, zone))
        # Nobody waits for a second night: between here and the release lies one night, in at most two pieces,
        # when the fold shows its last minutes once more.
        pieces = sum(asleep[m] and not asleep[m + 1] for m in range(n, place))
        assert pieces <= 2, (local(at, zone), local(released, zone))
        assert released - at <= _length(quiet) + HOUR


def test_the_last_and_first_milliseconds_of_a_changed_night() -> None:
    """One ms before nine and before eight, in the night that is shorter, in three zones round the world."""
    for zone, nine, eight in (
        ("Europe/Berlin", "2024-03-30T20:00:00Z", "2024-03-31T06:00:00Z"),
        ("America/New_York", "2024-03-10T02:00:00Z", "2024-03-10T12:00:00Z"),
        ("Australia/Lord_Howe", "2024-10-05T10:30:00Z", "2024-10-05T21:00:00Z"),
    ):
        policy = a_policy(quiet_hours=QuietHours(spread=0))
        person = Journey(person="u1", traits={"timezone": zone})
        start, end = parse_time(nine), parse_time(eight)
        found = [release_after(person, policy, at, KEY) for at in (start - 1, start, end - 1, end)]
        assert found == [None, end, end, None], zone


def _minutes(clock: str) -> int:
    hour, minute = map(int, clock.split(":"))
    return hour * 60 + minute


def _length(quiet: QuietHours) -> int:
    return (quiet.end - quiet.start) % 1440 * MINUTE
