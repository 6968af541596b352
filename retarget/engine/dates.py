"""Dates: what is due at a known or an expected time waits as an episode, and moves when the date does."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from retarget.engine import about, endings, episodes, yearly
from retarget.engine.moment import Moment
from retarget.journeys import prices, traits
from retarget.journeys.model import Episode, Journey
from retarget.rules import tallies
from retarget.rules.matcher import Compiled
from retarget.rules.model import Date
from retarget.rules.scene import Scene
from retarget.touchpoints import Touchpoint

# Two intervals lie between three events.
LEAST: Final = 3


def note(journey: Journey, event: Touchpoint, compiled: Compiled, scene: Scene, moment: Moment) -> None:
    """Open, move or close what waits for a date, after an event that may have told or changed it."""
    date = compiled.date
    assert date is not None  # only such rules are indexed under dates
    if compiled.yearly:
        yearly.note(journey, event, compiled, moment)
        return
    if date.trait is not None and date.trait not in (event.traits or {}):
        return
    for subject in compiled.subjects_of(event):
        at = _date(journey, compiled, date, subject)
        if at is None and not compiled.former and date.trait is not None and traits.told(journey, date.trait):
            moment.counts["misfit", compiled.name] += 1
        due = at + date.shift if at is not None else event.time
        episode = journey.episodes.get(compiled.name, {}).get(subject)
        if episode is not None and (episode.step > 1 or not compiled.governs(episode.version)):
            continue
        if episode is None and (compiled.former or endings.keeps_shut(compiled, subject, scene)):
            continue
        if due > event.time:
            _wait(journey, event, compiled, subject, due)
            moment.arm(journey, due)
        elif episode is not None:
            journey.close(compiled.name, subject)


def renew(journey: Journey, compiled: Compiled, subject: str, moment: Moment) -> None:
    """Wait for what is expected by the intervals of two people's events together, after they turned out one.

    One person's wait would have been opened or moved by the last of these events. Nothing waits where they
    have been sent for since it, where something has ended it, or where the date is over.
    """
    date, episode = compiled.date, journey.episodes.get(compiled.name, {}).get(subject)
    at = _date(journey, compiled, date, subject) if date is not None and date.interval else None
    if date is None or at is None or at + date.shift <= moment.clock:
        return
    if episode is not None and (episode.step > 1 or not compiled.governs(episode.version)):
        return
    *_, event_id, touched = journey.tallies[compiled.tally][subject]
    last = Episode(
        event_id, touched, touched, at + date.shift, version=compiled.opens_as, evidence=[event_id]
    )
    if episode is not None:
        last = replace(episode, opened_by=event_id, opened=touched, touched=touched, due=last.due)
    if not _is_over(journey, compiled, subject, last):
        journey.episodes.setdefault(compiled.name, {})[subject] = last


def _is_over(journey: Journey, compiled: Compiled, subject: str, episode: Episode) -> bool:
    about_it = (compiled.name, subject)
    return (
        endings.last_ending(journey, compiled, subject, episode.about) > episode.touched
        or any((one.rule, one.subject) == about_it and one.at >= episode.touched for one in journey.sends)
        or any((one.rule, one.subject) == about_it and one.due >= episode.touched for one in journey.deferred)
    )


def _wait(journey: Journey, event: Touchpoint, compiled: Compiled, subject: str, due: int) -> None:
    by_subject = journey.episodes.setdefault(compiled.name, {})
    episode = by_subject.get(subject)
    if episode is None:
        episode = by_subject[subject] = Episode(
            event.id or "", event.time, event.time, due, version=compiled.opens_as
        )
    episode.due, episode.touched = due, max(episode.touched, event.time)
    episode.trace = event.trace or episode.trace
    episode.about = about.touched(journey, compiled, subject, event, episode.about)
    episodes.remember(episode, event)


def _date(journey: Journey, compiled: Compiled, date: Date, subject: str) -> int | None:
    if date.trait is not None:
        return traits.moment(journey, date.trait)
    times = tallies.beginnings(journey, compiled.tally, subject)
    interval = _interval(times)
    if interval is None and date.otherwise:
        interval = date.otherwise.get(_category(journey, compiled, subject))
    return times[-1] + interval if times and interval is not None else None


def _interval(times: list[int]) -> int | None:
    """The median interval, ms."""
    if len(times) < LEAST:
        return None
    return int(prices.median(later - earlier for earlier, later in pairwise(times)))


def _category(journey: Journey, compiled: Compiled, subject: str) -> str:
    if compiled.rule.subject == "category":
        return subject
    product = journey.products.get(subject)
    return (product.category if product is not None else None) or ""
