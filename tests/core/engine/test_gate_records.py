"""What each gate writes down: the value it saw and the limit it held it against, passed and stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_consent, a_purchase, a_view, an_event

A_NIGHT = QuietHours(spread=0)
TOTAL = [
    {"scope": "total", "count": 3, "within_ms": DAY},
    {"scope": "total", "count": 8, "within_ms": 7 * DAY},
]
ONE_IN_AN_HOUR = {"scope": "email", "count": 1, "within_ms": HOUR}


def at_every(kind: str = "view", **keys: object) -> Rule:
    """A rule that writes an e-mail at every event of a kind."""
    steps = [{"channels": ["email"], "template": "x"}]
    return a_rule(**{"rule": f"at_{kind}", "subject": "person", "event": kind, "steps": steps} | keys)


def records(decision: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Each gate of a decision with its value and limit."""
    return [(gate["gate"], gate.get("value"), gate.get("limit")) for gate in decision["gates"]]


def test_gates_are_written_in_their_order_with_what_they_saw() -> None:
    """The record of a message shows every gate it passed, each with value and limit."""
    rule = at_every(again="1h", hold_out=0.000001, ceiling="4/1d")
    caps = {"email": (Cap(2, HOUR),)}
    shop = Shop([rule], a_policy(quiet_hours=A_NIGHT, caps=caps)).read(
        a_view(at=NOON), a_view(at=NOON + 2 * HOUR)
    )
    of_email = {"scope": "email", "count": 2, "within_ms": HOUR}
    for sent, decision in enumerate(shop.final()):
        assert records(decision) == [
            ("closed", False, False),
            ("again", None, HOUR),
            ("control", [], {"at_view": 0.000001, "global": 0.0}),
            ("paused", [], []),
            ("no_consent", ["email"], "marketing"),
            ("unreachable", ["email"], None),
            ("stale", 0, HOUR),
            ("quiet_hours", NOON + sent * 2 * HOUR, None),
            ("cap", [sent, sent, 0], [*TOTAL, of_email]),
            ("ceiling", sent, 4),
        ]


AT_NIGHT = NOON + 11 * HOUR


def stopped(rule: Rule, *events: Event, now: int | None = None, **policy: object) -> tuple[str, Any, Any]:
    """The gate that stopped the last view or page, with what it saw."""
    pauses = policy.pop("pauses", {})
    shop = Shop([rule], a_policy(**policy), now=now)
    shop.pauses = pauses  # type: ignore[assignment]
    shop.read(*events)
    last = shop.decisions[-1]
    found = records(last)[-1]
    assert last["reason"] == found[0]
    return found


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (
            lambda: stopped(at_every(again="2h"), a_view(at=NOON), a_view(at=NOON + HOUR)),
            ("again", NOON, 2 * HOUR),
        ),
        (
            lambda: stopped(at_every(again="never"), a_view(at=NOON), a_view(at=NOON + HOUR)),
            ("again", NOON, -1),
        ),
        (
            lambda: stopped(at_every(hold_out=1), a_view(at=NOON)),
            ("control", ["at_view"], {"at_view": 1.0, "global": 0.0}),
        ),
        (lambda: stopped(at_every(), a_view(at=NOON), pauses={"at_view": 0}), ("paused", ["at_view"], [])),
        (
            lambda: stopped(at_every(), a_consent("denied", at=NOON - 1), a_view(at=NOON)),
            ("no_consent", [], "marketing"),
        ),
        (lambda: stopped(at_every(), a_view(at=NOON, person="a1")), ("unreachable", [], None)),
        (
            lambda: stopped(at_every(), a_view(at=NOON), now=NOON + HOUR + 7),
            ("stale", HOUR + 7, HOUR),
        ),
        (
            lambda: stopped(at_every(), a_view(at=NOON), now=NOON + 9, max_delay=8),
            ("stale", 9, 8),
        ),
        (
            lambda: stopped(
                at_every(expires="10m"), a_view(at=NOON, person="u2"), a_view(at=NOON - 10 * MINUTE)
            ),
            ("stale", 10 * MINUTE, {"expires_ms": 10 * MINUTE}),
        ),
        (
            lambda: stopped(at_every(), a_view(at=AT_NIGHT), quiet_hours=A_NIGHT),
            ("quiet_hours", AT_NIGHT, NOON + 20 * HOUR),
        ),
        (
            lambda: stopped(
                at_every(), a_view(at=NOON), a_view(at=NOON + 1), caps={"email": (Cap(1, HOUR),)}
            ),
            ("cap", 1, ONE_IN_AN_HOUR),
        ),
        (
            lambda: stopped(at_every(), *(a_view(at=NOON + n) for n in range(4))),
            ("cap", 3, TOTAL[0]),
        ),
        (
            lambda: stopped(at_every(ceiling="1/1h"), a_view(at=NOON), a_view(at=NOON + 1)),
            ("ceiling", 1, 1),
        ),
    ],
)  # fmt: skip
def test_a_gate_that_stops_says_what_it_saw_and_its_limit(
    found: Callable[[], object], wanted: object
) -> None:
    """Whoever asks why nothing came reads by how much."""
    assert found() == wanted


def test_what_is_closed_says_so() -> None:
    """An ending event that is known before the clock has come to it."""
    rule = a_rule(
        rule="waits",
        subject="person",
        quiet={"after": "1h", "opens": ["view"]},
        unless=["purchase"],
        steps=[{"channels": ["email"], "template": "x"}],
    )
    shop = Shop([rule], lateness=2 * MINUTE)
    shop.read(a_view(at=NOON), a_purchase("p1", at=NOON + HOUR + MINUTE, order_id="o")).until(NOON + 2 * HOUR)
    (decision,) = shop.final()
    assert (decision["reason"], records(decision)) == ("closed", [("closed", True, False)])


def test_who_is_outbid_is_not_asked_for_the_ceiling() -> None:
    """Both would stop it: `outbid` comes first, and is the reason; what wins has both in their order."""
    rules = [at_every("chat", value=2, ceiling="1/1h"), at_every("view", value=7, ceiling="9/1h")]
    shop = Shop(rules, a_policy(arbitration=30 * MINUTE))
    shop.read(
        an_event("chat", at=NOON, person="u2"),  # takes all that the ceiling has
        an_event("chat", at=NOON + MINUTE),
        a_view(at=NOON + 2 * MINUTE),
    ).until(NOON + 50 * MINUTE)
    (lost,) = (d for d in shop.final("at_chat") if d["person"] != "u2")
    (won,) = shop.final("at_view")
    assert (lost["reason"], records(lost)[-1]) == (
        "outbid",
        (
            "outbid",
            {"rule": "at_view", "step": 1, "value": 7.0, "priority": 50},
            {"value": 2.0, "priority": 50, "due": NOON + MINUTE, "within_ms": 30 * MINUTE},
        ),
    )
    own = {"value": 7.0, "priority": 50, "due": NOON + 2 * MINUTE, "within_ms": 30 * MINUTE}
    assert (won["outcome"], records(won)[-2:]) == ("sent", [("outbid", None, own), ("ceiling", 0, 9)])
