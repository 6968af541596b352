"""Marketing by SMS does not reach a French number on Sundays and public holidays; all else does."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import pytest

from retarget.engine import free_days
from retarget.engine.policy import QuietHours
from retarget.journeys.model import Journey
from retarget.times import parse_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import a_profile, a_view

FRENCH, GERMAN = "+33 6 12 34 56 78", "+49 151 23456789"
# Public holidays of France, as its calendars print them.
HOLIDAYS: Final = {
    2024: "01-01 04-01 05-01 05-08 05-09 05-20 07-14 08-15 11-01 11-11 12-25",
    2025: "01-01 04-21 05-01 05-08 05-29 06-09 07-14 08-15 11-01 11-11 12-25",
    2026: "01-01 04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11 12-25",
    2038: "01-01 04-26 05-01 05-08 06-03 06-14 07-14 08-15 11-01 11-11 12-25",
}


@pytest.mark.parametrize("year", HOLIDAYS)
def test_the_days_of_a_year(year: int) -> None:
    """Sundays and what the calendar prints, and no other day."""
    is_free = free_days.of(Journey(person="u1", traits={"phone": FRENCH}), "sms", "marketing")
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    wanted = {f"{year}-{day}" for day in HOLIDAYS[year].split()}
    assert {str(day) for day in days if is_free(day) and day.weekday() != 6} == {
        day for day in wanted if date.fromisoformat(day).weekday() != 6
    }
    assert all(is_free(day) for day in days if day.weekday() == 6)


def leaves(at: str, channel: str, phone: str, purpose: str = "marketing") -> str | None:
    """When a message of that moment in Paris is released; None: it leaves at once."""
    rule = a_rule(
        rule="looked", subject="person", event="view", description="x", purpose=purpose,
        steps=[{"channels": [channel], "template": "x"}],
    )  # fmt: skip
    seen = parse_time(at)
    policy = a_policy(quiet_hours=QuietHours(zone="Europe/Paris", spread=0))
    reached = a_profile(phone=phone, email="u@example.org", at=seen - 1)
    [decided] = Shop([rule], policy).read(reached, a_view(at=seen)).decisions
    found: str | None = decided["release"]
    return found


@pytest.mark.parametrize(
    ("at", "released"),
    [
        ("2024-03-02T19:59:00Z", None),  # Saturday, 20:59
        ("2024-03-02T20:00:00Z", "2024-03-04T07:00:00.000Z"),  # Saturday night: Monday at 8
        ("2024-03-03T11:00:00Z", "2024-03-04T07:00:00.000Z"),  # Sunday noon
        ("2024-03-31T11:00:00Z", "2024-04-02T06:00:00.000Z"),  # Easter Sunday: Tuesday
        ("2024-05-08T08:00:00Z", "2024-05-10T06:00:00.000Z"),  # two holidays in a row
    ],
)
def test_it_waits_for_the_morning_of_a_working_day(at: str, released: str | None) -> None:
    """By the clocks in Paris, however many free days follow each other."""
    assert leaves(at, "sms", FRENCH) == released


@pytest.mark.parametrize(
    ("channel", "phone", "purpose"),
    [("sms", GERMAN, "marketing"), ("email", FRENCH, "marketing"), ("sms", FRENCH, "service")],
)
def test_others_leave_on_a_sunday(channel: str, phone: str, purpose: str) -> None:
    """The law is about marketing by short messages to French numbers."""
    assert leaves("2024-03-03T11:00:00Z", channel, phone, purpose) is None
