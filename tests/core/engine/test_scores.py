"""Third parties' scores and segments: with source, expiry and consent, usable in rules."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.journeys import scores
from retarget.journeys.facts import Change, apply
from retarget.journeys.model import Journey
from retarget.touchpoints import Touchpoint
from tests.core.shop import Shop, a_rule
from tests.factories import an_event

NOON = 1_772_362_800_000
HOUR = 3_600_000
GRANTED = {"state": "granted", "purpose": "profiling", "basis": "contract"}


def told(*events: dict[str, Any]) -> tuple[Journey, int]:
    """What is kept of these `score` events, an hour apart, and how much was ignored."""
    journey, ignored = Journey(person="u"), 0
    for hour, fields in enumerate(events):
        change = Change()
        event = Touchpoint(**{"type": "score", "user_id": "u", "time": NOON + hour * HOUR, **fields})
        apply(journey, event, change)
        ignored += change.ignored
    return journey, ignored


def said(**traits: object) -> dict[str, Any]:
    """What Acme says, with consent."""
    return {"source": "acme", "consent": GRANTED, "traits": traits}


def test_numbers_and_segments() -> None:
    """The latest word counts, each source for itself."""
    journey, ignored = told(
        said(churn=0.7, fan=True, life="family"), said(churn=0.9), said(churn=0.1) | {"source": "other"},
        said(churn=0.2) | {"time": NOON - HOUR},
    )  # fmt: skip
    assert ignored == 0
    at = NOON + 9 * HOUR
    assert scores.number(journey, "acme", "churn", at) == 0.9
    assert scores.number(journey, "other", "churn", at) == 0.1
    assert scores.text(journey, "acme", "fan", at) == "true"
    assert scores.text(journey, "acme", "life", at) == "family"
    assert scores.number(journey, "acme", "life", at) is None
    assert scores.number(journey, "acme", "fan", at) is None
    assert scores.text(journey, "acme", "unknown", at) is None


@pytest.mark.parametrize("expires", ["2026-03-01T13:00:00Z", NOON + 2 * HOUR])
def test_they_expire(expires: object) -> None:
    """At that moment they are gone."""
    journey, _ = told(said(churn=0.7, expires=expires))
    assert scores.number(journey, "acme", "churn", NOON + 2 * HOUR - 1) == 0.7
    assert scores.number(journey, "acme", "churn", NOON + 2 * HOUR) is None


@pytest.mark.parametrize(
    "fields",
    [
        said(churn=0.7) | {"source": None},
        said(churn=0.7) | {"consent": None},
        said(churn=0.7) | {"consent": {"state": "perhaps"}},
        said(churn=0.7, expires="soon"),
        said(churn=0.7, expires=True),
        said(churn=[0.7]),
    ],
)
def test_what_cannot_be_used_is_ignored_and_counted(fields: dict[str, Any]) -> None:
    """Without source, consent or a readable expiry nothing is kept."""
    journey, ignored = told(fields)
    assert ignored == 1
    assert scores.number(journey, "acme", "churn", NOON + HOUR) is None


@pytest.mark.parametrize("state", ["denied", "revoked"])
def test_a_consent_taken_back(state: str) -> None:
    """All of that source is gone, others stay."""
    journey, _ = told(said(a=1), said(a=2) | {"source": "other"}, said() | {"consent": {"state": state}})
    assert scores.number(journey, "acme", "a", NOON) is None
    assert scores.number(journey, "other", "a", NOON) == 2


def test_no_profile_writes_there() -> None:
    """A page may send `identify`; it may not score anybody."""
    forged = {"type": "identify", "traits": {"scores": {"acme": {"churn": [1.0, 0, 0]}}, "city": "Graz"}}
    journey, ignored = told(said(churn=0.2), forged)
    assert scores.number(journey, "acme", "churn", NOON) == 0.2
    assert journey.traits["city"] == "Graz"
    assert ignored == 1


def test_their_number_is_bounded() -> None:
    """The oldest go."""
    journey, _ = told(*({**said(**{f"n{n}": n}), "source": f"s{n % 30}"} for n in range(60)))
    assert len(journey.traits["scores"]) == 20
    journey, _ = told(said(**{f"n{n}": n for n in range(60)}))
    assert len(journey.traits["scores"]["acme"]) == 50


def test_in_a_rule() -> None:
    """At the score that makes the condition true; never a page, whoever it names."""
    rule = a_rule(
        rule="at_risk", subject="person", event="score", again="never", purpose="service",
        steps=[{"channels": ["service"], "template": "stay"}],
        **{"if": 'score("acme", "churn") > 0.8 and segment("acme", "life") == "family"'},
    )  # fmt: skip
    events = [
        an_event(
            "score",
            at=NOON + hour * HOUR,
            source="acme",
            consent=GRANTED,
            traits={"churn": churn, "life": "family"},
        )
        for hour, churn in enumerate((0.5, 0.9, 0.95))
    ]
    shop = Shop([rule]).read(*events).end()
    assert [one["due"] for one in shop.final("at_risk")][:1] == ["2026-03-01T12:00:00.000Z"]
    assert len(shop.sent("at_risk")) == 1
