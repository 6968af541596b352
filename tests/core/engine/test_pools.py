"""Codes from files: each given once, whatever happens; when there are no more the message goes without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.engine.policy import Policy
from retarget.engine.pools import CLOSED, Drawn, Pool, left, take
from retarget.errors import BadInput
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR
from streams.lanes.bundle import bundle_of
from streams.lanes.pools import as_shelved, deciding, read
from streams.lanes.positions import Positions
from streams.lanes.publication import bundle_from, encode, id_of, own_of, publication_of
from streams.ports import LaneImage
from streams.repartitioning import OldLane, common_positions
from streams.rulebook import load_documents
from streams.settings import Settings, load_settings
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_view, an_add

FROM_POOL: Final = {"percent": 10, "expires": "72h", "codes": "spring"}
SERIES: Final = """
rule: left
description: x
subject: cart
quiet: {after: 30m, opens: [add]}
unless: [purchase]
steps:
  - {channels: [email], template: t, offer: {percent: 10, expires: 72h, codes: spring}}
  - {after: 24h, channels: [email], template: t, offer: same}
"""


def a_pool(count: int) -> Pool:
    """So many codes."""
    return Pool("spring:1", tuple(f"SPRING-{n}" for n in range(count)))


def a_series() -> Rule:
    """A cart that was left, and a reminder of the same offer."""
    steps = [
        {"channels": ["email"], "template": "t", "offer": FROM_POOL},
        {"after": "24h", "channels": ["email"], "template": "t", "offer": "same"},
    ]
    return a_rule(rule="left", subject="cart", quiet={"after": "30m", "opens": ["add"]}, description="x",
                  unless=["purchase"], steps=steps)  # fmt: skip


def pooled(count: int, **changes: Any) -> Policy:  # noqa: ANN401
    """A policy with a pool of so many codes."""
    return a_policy(pools={"spring": a_pool(count)}, caps_total=(), **changes)


def codes(messages: Sequence[dict[str, Any]]) -> list[str | None]:
    """The code of each message."""
    return [message["offer"] and message["offer"]["code"] for message in messages]


def test_each_person_gets_the_next_code_and_the_reminder_says_it_again() -> None:
    """In the order of the file."""
    people = [f"u{n}" for n in range(3)]
    shop = Shop([a_series()], pooled(9)).read(*(an_add(at=NOON, person=who) for who in people))
    shop.until(NOON + 2 * DAY)
    first = {m["person"]: m["offer"]["code"] for m in shop.sent() if m["step"] == 1}
    assert first == {"u0": "SPRING-0", "u1": "SPRING-1", "u2": "SPRING-2"}
    assert {m["person"]: m["offer"]["code"] for m in shop.sent() if m["step"] == 2} == first


def test_an_empty_pool_costs_the_code_and_not_the_message() -> None:
    """The message leaves without an offer, and the decision says why."""
    shop = Shop([a_series()], pooled(1)).read(*(an_add(at=NOON, person=who) for who in ("u1", "u2")))
    shop.until(NOON + HOUR)
    assert codes(shop.sent()) == ["SPRING-0", None]
    assert [d["offer"]["withheld"] for d in shop.final()] == [None, "no_code"]
    assert [d["offer"]["given"] for d in shop.final()] == [True, False]
    assert [d["lacks"] for d in shop.final()] == [[], ["no_code"]]
    assert shop.counts["lacking", "left", "no_code"] == 1
    assert codes(Shop([a_series()]).read(an_add(at=NOON)).until(NOON + HOUR).sent()) == [None]


def test_a_reminder_has_a_code_when_the_pool_has_grown() -> None:
    """Who went without gets it as soon as there is one; what was given stays given."""
    shop = Shop([a_series()], pooled(1)).read(*(an_add(at=NOON, person=who) for who in ("u1", "u2")))
    shop.until(NOON + HOUR)
    shop.policy = pooled(2)
    more = shop.under([a_series()])
    more.lane.drawn = dict(shop.lane.drawn)
    assert codes(more.until(NOON + 2 * DAY).sent()) == ["SPRING-0", "SPRING-1"]


def test_what_a_failing_rule_took_is_put_back() -> None:
    """The next one gets that code."""
    shop = Shop([a_series()], pooled(9, seal=lambda _: 1 / 0)).read(an_add(at=NOON)).until(NOON + HOUR)
    assert shop.sent() == []
    assert shop.lane.drawn == {}
    assert shop.lane.journeys["u1"].offers == []


@given(st.integers(0, 40), st.lists(st.integers(0, 6), max_size=60), st.integers(1, 7))
def test_no_code_is_given_twice_and_none_is_left_out(count: int, asks: list[int], lanes: int) -> None:
    """Over any number of lanes that ask in any order; the shares are all there is."""
    pool, drawn = a_pool(count), [Drawn() for _ in range(lanes)]
    found = [take(drawn[lane % lanes], pool, lane % lanes, lanes) for lane in asks]
    given = [code for code in found if code is not None]
    assert len(given) == len(set(given))
    assert set(given) <= set(pool.codes)
    rest = sum(left(one, pool, lane, lanes) for lane, one in enumerate(drawn))
    assert len(given) + rest == count
    for lane, one in enumerate(drawn):
        while (code := take(one, pool, lane, lanes)) is not None:
            given.append(code)
    assert sorted(given) == sorted(pool.codes)


def test_other_lanes_begin_no_old_pool() -> None:
    """After a repartition nobody knows which of its codes are left: none is given. A new file is another."""
    old = [OldLane(n, LaneImage(1, b""), Positions(drawn={"spring:1": n} if n else {})) for n in range(2)]
    drawn = common_positions(old, 1).drawn
    assert drawn == {"spring:1": CLOSED}
    assert take(drawn, a_pool(9), 0, 4) is None
    assert left(drawn, a_pool(9), 0, 4) == 0
    assert take(drawn, Pool("spring:2", ("NEW",)), 0, 4) == "NEW"


def written(folder: Path, *lines: str) -> Settings:
    """Settings with a file of these lines."""
    path = folder / "spring.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load_settings(overrides=[f"offers.codes=spring={path}"])


def test_a_bundle_knows_its_codes_again(tmp_path: Path) -> None:
    """By count and fingerprint, never by the codes; of a file that has grown it takes what it had then."""
    rules = tmp_path / "left.yaml"
    rules.write_text(SERIES)
    documents, _ = load_documents([rules], VOCABULARY)
    settings = written(tmp_path, "ONE", "", " TWO ", "THREE")
    shelved = publication_of(settings, documents)
    assert b"TWO" not in encode(shelved)
    path = settings.offers.codes["spring"]
    assert path not in encode(shelved).decode()

    def again() -> Pool:
        made = bundle_from(id_of(shelved), shelved, ["t"], 2, own_of(settings))
        return made.policy.pools["spring"]

    assert again().codes == ("ONE", "TWO", "THREE")
    grown = written(tmp_path, "ONE", "TWO", "THREE", "FOUR")
    assert deciding(grown) != shelved.settings
    assert again().codes == ("ONE", "TWO", "THREE")
    assert again().id == read(grown.offers.codes)["spring"].id
    written(tmp_path, "ONE", "2", "THREE")
    with pytest.raises(BadInput, match=r"spring.txt does not begin with the 3 that it was shelved with"):
        again()
    with pytest.raises(BadInput, match=r"takes codes from spring, which offers.codes does not have"):
        as_shelved("b", shelved.settings["offers.codes"], {})


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("A", "B", "A"), "line 3: the code stands there twice, first in line 1"),
        (("A", "B C"), "line 2: that is no code"),
        (("A" * 65,), "line 1: that is no code"),
        (("A\u202eB",), "line 1: that is no code"),
    ],
)
def test_wrong_files_are_refused(lines: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    """With file, line and remedy; the code itself is not told."""
    with pytest.raises(BadInput, match=rf"offers.codes: .*spring.txt, {problem}"):
        deciding(written(tmp_path, *lines))


def test_a_rule_needs_its_pool(tmp_path: Path) -> None:
    """No bundle without it; nor with a file that is not there."""
    with pytest.raises(BadInput, match=r"rule left: its offer takes codes from spring, .* add spring=PATH"):
        bundle_of(load_settings(), [a_series()], ["t"])
    gone = load_settings(overrides=[f"offers.codes=spring={tmp_path / 'gone.txt'}"])
    with pytest.raises(BadInput, match=r"gone.txt: cannot be read: No such file"):
        bundle_of(gone, [a_series()], ["t"])
    empty = bundle_of(written(tmp_path, ""), [a_series()], ["t"])
    assert empty.policy.pools["spring"].codes == ()


def test_other_offers_take_none() -> None:
    """Their codes are worked out, as before."""
    rule = a_rule(rule="r", subject="person", event="view", description="x",
                  steps=[{"channels": ["email"], "template": "t",
                          "offer": {"percent": 5, "expires": "48h"}}])  # fmt: skip
    shop = Shop([rule], pooled(3)).read(a_view())
    assert codes(shop.sent())[0] not in (None, "SPRING-0")
    assert shop.lane.drawn == {}
