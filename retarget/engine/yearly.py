"""Yearly dates: the day and month that a trait tells, once a year, on the clocks where the person lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from retarget.engine.moment import Moment
from retarget.engine.quiet_hours import zone_of
from retarget.journeys import traits
from retarget.journeys.model import Episode, Journey
from retarget.rules.matcher import Compiled
from retarget.rules.model import Date
from retarget.touchpoints import Touchpoint

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# Calendars end with 9999, and dates are moved by up to a year.
_LAST_YEAR: Final = 9998
_TELLING: Final = "timezone"


def note(journey: Journey, event: Touchpoint, compiled: Compiled, moment: Moment) -> None:
    """Wait for the day that an event tells, or for the same one on the clocks of another zone.

    A former version moves the turn that it waits for, and opens none.
    """
    said = event.traits or {}
    assert compiled.date is not None  # only such rules are yearly
    if compiled.date.trait not in said and _TELLING not in said:
        return
    waiting = journey.episodes.get(compiled.name, {}).get(journey.person)
    opens = waiting is None and not compiled.former
    if opens or (waiting is not None and waiting.step == 1 and compiled.governs(waiting.version)):
        _wait(journey, compiled, event.time, moment, [event.id or ""])


def go_on(journey: Journey, compiled: Compiled, over: Episode, after: int, moment: Moment) -> None:
    """Wait for the next year's turn once this year's is over, under the version in force."""
    if compiled.in_force.yearly:
        _wait(journey, compiled.in_force, after, moment, over.evidence)
    else:
        journey.close(compiled.name, journey.person)


def ended(journey: Journey, compiled: Compiled, at: int, moment: Moment) -> None:
    """End this year's later steps; a turn that has not come yet has nothing to end."""
    over = journey.episodes.get(compiled.name, {}).get(journey.person)
    if over is not None and over.step > 1:
        go_on(journey, compiled, over, at, moment)


def begins(journey: Journey, compiled: Compiled, episode: Episode, moment: Moment) -> bool:
    """Whether the turn has come, and is taken; whoever has moved west since waits on for their own day."""
    assert compiled.date is not None  # only such rules are yearly
    if not episode.year:  # this began under another form of the rule
        go_on(journey, compiled, episode, episode.due - 1, moment)
        return False
    zone = zone_of(journey, moment.policy)
    day = traits.day(journey, compiled.date.trait or "")
    moved = _due(day, episode.year, compiled.date, zone) if day is not None else 0
    if moved > episode.due:
        episode.due = moved
        moment.arm(journey, moved)
        return False
    journey.states[compiled.name] = str(episode.year)
    return True


def _wait(journey: Journey, compiled: Compiled, after: int, moment: Moment, evidence: list[str]) -> None:
    """Put the wait for the next turn in place of what waits now; nothing where no day is known."""
    turn = _next(journey, compiled, after, zone_of(journey, moment.policy))
    waiting = journey.episodes.get(compiled.name, {}).get(journey.person)
    if compiled.former and waiting is not None and (turn is None or turn[0] != waiting.year):
        go_on(journey, compiled, waiting, after, moment)
        return
    if turn is None:
        journey.close(compiled.name, journey.person)
        return
    year, due = turn
    # The year names the episode, so that a year has one decision however often the day is told.
    journey.episodes.setdefault(compiled.name, {})[journey.person] = Episode(
        str(year), after, after, due, evidence=evidence, year=year, version=compiled.opens_as
    )
    moment.arm(journey, due)


def _next(journey: Journey, compiled: Compiled, after: int, zone: tzinfo) -> tuple[int, int] | None:
    """The first year with a due later than `after`: not one that had its turn, nor before the day itself."""
    date = compiled.date
    assert date is not None  # only such rules are yearly
    day = traits.day(journey, date.trait or "")
    if day is None:
        return None
    done = journey.states.get(compiled.name, "")
    year = max((_EPOCH + (after - date.shift) * _MILLISECOND).year - 1, day[0])
    year = max(year, int(done) + 1) if done.isdecimal() else year
    while year <= _LAST_YEAR:
        due = _due(day, year, date, zone)
        if due > after:
            return year, due
        year += 1
    return None


def _due(day: tuple[int, int, int], year: int, date: Date, zone: tzinfo) -> int:
    """The day's midnight in that year, moved as clocks on the wall show it; 29 February is the last of it."""
    _, month, number = day
    if (month, number) == (2, 29) and not _is_leap(year):
        number = 28
    local = datetime(year, month, number) + date.shift * _MILLISECOND  # noqa: DTZ001 - the zone comes behind
    return (local.replace(tzinfo=zone) - _EPOCH) // _MILLISECOND


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
