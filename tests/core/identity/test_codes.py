"""Codes that an anonymous person was given, when they turn out to be a known one."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.engine.merging import merge
from retarget.engine.policy import Policy
from retarget.journeys.codes import USED_KEPT, redeem
from retarget.journeys.model import Given, Journey
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.lanes import Lanes
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_purchase, a_view, an_add, an_event

TEN: Final = {"percent": 10, "expires": "96h"}
ONE: Final = a_policy(open_codes=1, caps_total=())
MANY: Final = a_policy(open_codes=0, caps_total=())
# The first message of the series has left, the second is a day away.
MET: Final = NOON + HOUR


def a_series(subject: str = "cart") -> Rule:
    """A cart that was left: a code after half an hour, and the same one a day later."""
    steps = [
        {"channels": ["push"], "template": "x", "offer": TEN},
        {"after": "24h", "channels": ["push"], "template": "x", "offer": "same"},
    ]
    return a_rule(
        rule="left", subject=subject, quiet={"after": "30m", "opens": ["add"]}, unless=["review"],
        description="x", steps=steps,
    )  # fmt: skip


def at_every_view() -> Rule:
    """A rule that writes at every view, with a code."""
    steps = [{"channels": ["push"], "template": "x", "offer": TEN}]
    return a_rule(rule="every_view", subject="product", event="view", description="x", steps=steps)


def reachable(person: str) -> Event:
    """They have a device."""
    return an_event("profile", at=NOON, person=person, traits={"push_token": person})


def an_identify(at: int = MET, **fields: object) -> Event:
    """The anonymous person says who they are."""
    return an_event("identify", at=at, person="u1", anonymous_id="a1", **fields)


def given_a_code(policy: Policy, rule: Rule | None = None) -> Lanes:
    """The anonymous person has got a code, and says who they are; all that crosses is stored once."""
    rules = [rule or a_series(), at_every_view()]
    lanes = Lanes(rules, policy).read(reachable("a1"), reachable("u1"), an_add("p1", at=NOON, person="a1"))
    lanes.until(NOON + 50 * MINUTE)
    assert [(m["person"], m["offer"] is not None) for m in lanes.sent()] == [("a1", True)]
    return lanes.read(an_identify()).cross().stored()


def offers(lanes: Lanes | Shop, rule: str | None = None) -> list[Any]:
    """What the messages promise, in the order in which they left."""
    return [m["offer"] for m in lanes.sent(rule)]


@pytest.mark.parametrize("subject", ["cart", "person"])
def test_the_reminder_after_the_merge_says_the_code_from_before_it(subject: str) -> None:
    """The known person is told the code that the anonymous one was given, with its end: no second one."""
    lanes = given_a_code(ONE, a_series(subject)).until(NOON + 10 * DAY)
    assert [(m["person"], m["step"]) for m in lanes.sent()] == [("a1", 1), ("u1", 2)]
    first, again = offers(lanes)
    assert first == again is not None
    assert len(lanes.lanes[1].journeys["u1"].offers) <= 1


def test_a_code_from_before_the_merge_is_one_of_the_open_ones() -> None:
    """Whoever may have one code has it already; one that may have many gets another."""
    for policy, codes in ((ONE, 1), (MANY, 2)):
        lanes = given_a_code(policy).read(a_view("p2", at=MET + MINUTE)).until(MET + HOUR)
        assert [m["person"] for m in lanes.sent("every_view")] == ["u1"]
        assert len({offer["code"] for offer in offers(lanes) if offer}) == codes


def test_there_is_room_again_when_it_has_ended() -> None:
    """It counts for as long as it is good, and no longer."""
    lanes = given_a_code(ONE).read(a_view("p2", at=NOON + 6 * DAY))
    assert offers(lanes, "every_view") != [None]


def test_an_order_of_the_known_person_uses_it_up() -> None:
    """The reminder does not say a code that was given to the anonymous person and is used."""
    lanes = given_a_code(ONE)
    code = offers(lanes)[0]["code"]
    lanes.read(a_purchase("p9", at=MET + MINUTE, coupon=code)).until(NOON + 10 * DAY)
    assert offers(lanes)[1:] == [None]


def test_codes_of_both_sides_count() -> None:
    """Each side has one: both are open, and neither is given once more."""
    two = a_policy(open_codes=2, caps_total=())
    lanes = Lanes([at_every_view()], two).read(reachable("a1"), reachable("u1"))
    lanes.read(a_view("p1", person="a1", at=NOON + 1), a_view("p2", at=NOON + 2)).read(an_identify()).cross()
    lanes.stored().read(a_view("p3", at=MET + MINUTE))
    assert [offer is not None for offer in offers(lanes)] == [True, True, False]
    assert len(lanes.lanes[1].journeys["u1"].offers) == 2


def test_one_lane_by_itself_keeps_them_too() -> None:
    """A replay, where histories are put together on the spot, says the same code."""
    shop = Shop([a_series()], ONE).read(reachable("a1"), an_add("p1", at=NOON, person="a1"))
    shop.until(NOON + 50 * MINUTE).read(an_identify()).until(NOON + 10 * DAY)
    first, again = offers(shop)
    assert first == again is not None


@pytest.mark.parametrize("when", [MET - MINUTE, MET + MINUTE // 2], ids=["before", "on its way"])
def test_a_code_that_was_used_before_the_merge_is_not_open(when: int) -> None:
    """The known person's order has used what the anonymous one was given: nobody is reminded of it."""
    lanes = Lanes([a_series(), at_every_view()], ONE).read(reachable("a1"), reachable("u1"))
    lanes.read(an_add("p1", at=NOON, person="a1")).until(NOON + 50 * MINUTE)
    (code,) = offers(lanes)
    order = a_purchase("p9", at=when, person="u1", coupon=code["code"].lower().replace("-", ""))
    lanes.read(*((order, an_identify()) if when < MET else (an_identify(), order))).cross().stored()
    lanes.read(a_view("p2", at=MET + MINUTE)).until(NOON + 10 * DAY)
    assert offers(lanes, "left")[1:] == [None], "the reminder says it no more"
    assert [offer is not None for offer in offers(lanes, "every_view")] == [True], "there is room for another"


def test_a_code_that_the_anonymous_person_used_is_not_open() -> None:
    """The other way round: an order without a login uses what the known person was given."""
    lanes = Lanes([a_series(), at_every_view()], ONE).read(reachable("a1"), reachable("u1"))
    lanes.read(an_add("p1", at=NOON, person="u1")).until(NOON + 50 * MINUTE)
    (code,) = offers(lanes)
    lanes.read(a_purchase("p9", at=MET - MINUTE, person="a1", coupon=code["code"]))
    lanes.read(an_identify()).cross().stored().until(NOON + 10 * DAY)
    assert offers(lanes, "left")[1:] in ([], [None])


_MOMENTS: Final = st.integers(1, 400)
_CODES: Final = st.sampled_from(["AB-12", "CD-34", "EF-56"])
_USES: Final = st.lists(st.tuples(_CODES, _MOMENTS), max_size=4)
_GIVEN: Final = st.dictionaries(_CODES, _MOMENTS, max_size=3)


def _somebody(person: str, offered: dict[str, int], uses: list[tuple[str, int]]) -> Journey:
    offered_them = [Given(code, "r", code, "e", 1, at, at + 200) for code, at in offered.items()]
    somebody = Journey(person=person, offers=offered_them)
    for code, at in uses:
        redeem(somebody, code, at)
    return somebody


@given(_GIVEN, _USES, _GIVEN, _USES, _USES)
def test_whichever_comes_first_the_same_codes_are_good(
    mine: dict[str, int],
    my_uses: list[tuple[str, int]],
    theirs: dict[str, int],
    their_uses: list[tuple[str, int]],
    later: list[tuple[str, int]],
) -> None:
    """Orders before the merge or behind it, on this side or that: the end of every code is the same."""

    def ends(one: Journey) -> list[tuple[str, int, int]]:
        return sorted({(given.code, given.at, given.expires) for given in one.offers})

    found = []
    for first, second, after in (
        (_somebody("u", mine, [*my_uses, *later]), _somebody("a", theirs, their_uses), []),
        (_somebody("u", mine, my_uses), _somebody("a", theirs, [*later, *their_uses]), []),
        (_somebody("u", mine, my_uses), _somebody("a", theirs, their_uses), later),
        (_somebody("a", theirs, their_uses), _somebody("u", mine, my_uses), later),
    ):
        merge(first, second, DAY)
        for code, at in after:
            redeem(first, code, at)
        found.append((ends(first), first.used_codes))
    assert found == found[:1] * 4


def test_many_used_codes_are_forgotten() -> None:
    """The latest are known, alike for one person and for two; what is too long for a code is none."""
    one, two = (_somebody(name, {}, [(f"C{n}", n) for n in numbers]) for name, numbers in
                (("u", range(1, 200, 2)), ("a", range(0, 200, 2))))  # fmt: skip
    merge(one, two, DAY)
    redeem(one, "x" * 65, 999)
    redeem(one, "--", 999)
    assert sorted(one.used_codes.values()) == list(range(200 - USED_KEPT, 200))
