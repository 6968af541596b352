"""Rules by the person's state: what is left, ended and begun when it becomes another one."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.engine import audiences as joining
from retarget.engine.policy import QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, parse_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_purchase, a_view, an_add

STATES: Final = {"buyer": "person.purchases >= 1", "carter": "carts.size > 0", "looker": "session.events > 0"}
BY_STATE: Final = {"audience": {"by_state": {"buyer": "aa", "carter": "bb", "looker": "cc"}}}
MAIL: Final = {"channels": ["email"], "template": "t"}


def by_state(*steps: dict[str, Any], **keys: Any) -> Rule:  # noqa: ANN401 - as its author would write them
    """A rule of three states with these steps."""
    return a_rule(**{"rule": "states", "subject": "person", "becomes": STATES, "steps": [*steps], **keys})


def audiences(shop: Shop) -> list[str]:
    """Where the person is now."""
    return [one.audience for one in shop.lane.journeys["u1"].audiences]


def mails(shop: Shop) -> list[tuple[int, int]]:
    """Each mail's step and due, from noon on."""
    return [(d["step"], parse_time(d["due"]) - NOON) for d in shop.final() if d["channel"] == "email"]


def test_the_next_state_comes_while_a_step_of_the_former_waits() -> None:
    """The person is in exactly one, at any time; the steps of the former state are over."""
    shop = Shop([by_state(BY_STATE, {"after": "1d", **MAIL})]).read(a_view(at=NOON))
    assert audiences(shop) == ["cc"]
    shop.read(an_add(at=NOON + HOUR))
    assert audiences(shop) == ["bb"]
    shop.read(a_purchase("p1", at=NOON + 2 * HOUR)).until(NOON + 9 * DAY)
    assert (audiences(shop), mails(shop)) == (["aa"], [(2, DAY + 2 * HOUR)])
    assert [d["operation"] for d in shop.decisions if d["channel"] == "ads"] == [
        "add", "remove", "add", "remove", "add",
    ]  # fmt: skip


def test_what_waits_for_the_morning_by_the_former_state_is_closed() -> None:
    """The mail of the state before does not come in the morning; that of the new one does."""
    night = a_policy(quiet_hours=QuietHours(spread=1))
    shop = Shop([by_state(BY_STATE | MAIL)], night).read(a_view(at=NOON + 10 * HOUR))
    shop.read(an_add(at=NOON + 11 * HOUR)).until(NOON + DAY)
    assert [(d["outcome"], d["reason"]) for d in shop.final() if d["channel"] == "email"] == [
        ("suppressed", "closed"), ("sent", None),
    ]  # fmt: skip


def test_a_decision_that_fails_leaves_the_former_state_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its audience, its steps and what waits for the morning go on."""

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("half done")

    night = a_policy(quiet_hours=QuietHours(spread=1))
    shop = Shop([by_state(BY_STATE | MAIL, {"after": "2d", **MAIL})], night)
    shop.read(a_view(at=NOON + 10 * HOUR))
    with monkeypatch.context() as patched:
        patched.setattr(joining, "changes", failing)
        shop.read(an_add(at=NOON + 11 * HOUR))
    assert (audiences(shop), shop.lane.journeys["u1"].states) == (["cc"], {"states": "looker"})
    shop.until(NOON + 9 * DAY)
    assert [d["outcome"] for d in shop.final() if d["channel"] == "email"] == ["sent", "sent"]


def test_a_series_that_every_state_shares_goes_on() -> None:
    """Without an audience for each state nothing new opens while later steps wait, as in any rule."""
    shop = Shop([by_state(MAIL, {"after": "1d", **MAIL})]).read(a_view(at=NOON), an_add(at=NOON + HOUR))
    shop.until(NOON + 9 * DAY)
    assert mails(shop) == [(1, 0), (2, DAY)]
    shop.read(a_purchase("p1", at=NOON + 9 * DAY)).until(NOON + 20 * DAY)
    assert mails(shop) == [(1, 0), (2, DAY), (1, 9 * DAY), (2, 10 * DAY)]


@pytest.mark.parametrize("later", [[], [{"after": "1d", **MAIL}]])
def test_an_audience_of_all_states_is_kept_by_the_next(later: list[dict[str, Any]]) -> None:
    """Nobody leaves it only to join it again, nor without joining it again."""
    rule = by_state({"audience": {"add": "known"}}, *later, again="7d")
    shop = Shop([rule]).read(a_view(at=NOON), an_add(at=NOON + HOUR)).until(NOON + 2 * HOUR)
    assert (audiences(shop), shop.sent(operation="remove")) == (["known"], [])


def test_nobody_leaves_an_audience_for_a_step_that_is_left_out() -> None:
    """They stay where they are until a state is decided; later steps come all the same."""
    rule = by_state(BY_STATE | {"if": "carts.size == 0"}, {"after": "1d", **MAIL})
    shop = Shop([rule]).read(a_view(at=NOON), an_add(at=NOON + HOUR)).until(NOON + 2 * DAY)
    assert (audiences(shop), mails(shop)) == (["cc"], [(2, DAY + HOUR)])
    shop.read(a_purchase("p1", at=NOON + 2 * DAY))
    assert audiences(shop) == ["aa"]
