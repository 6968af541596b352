"""The link in a message: one for each, always the same, leading to what the message shows."""

from __future__ import annotations

from typing import Any, Final

from retarget.engine.policy import Policy, QuietHours
from retarget.personal.links import Link, decode
from retarget.times import DAY, HOUR
from streams.links import Seal, opened
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_profile, a_view, an_add

KEY: Final = "a secret of this test"
BASE: Final = "https://go.shop.example/p/"
CART: Final = a_rule(
    rule="left", subject="cart", quiet={"after": "30m", "opens": ["add"]}, description="x",
    steps=[{"channels": {"all": ["email", "push"]}, "template": "t", "audience": {"add": "carts"}}],
)  # fmt: skip


def links_policy(**changes: Any) -> Policy:  # noqa: ANN401
    """A policy with links."""
    return a_policy(**{"purl_base": BASE, "seal": Seal(KEY), "caps_total": ()} | changes)


def link(message: dict[str, Any]) -> Link:
    """What its link holds."""
    assert message["purl"].startswith(BASE)
    return decode(opened(message["purl"].removeprefix(BASE), [KEY]) or b"")


def a_shop(**changes: Any) -> Shop:  # noqa: ANN401
    """One in which somebody left a cart."""
    told = a_profile(at=NOON - 1, email="a@b.example", push_tokens=["t"])
    shop = Shop([CART], links_policy(**changes))
    return shop.read(told, an_add("p1", "p2", id="e1"), an_add("p3", person="a7", id="e2"))


def test_each_message_has_one_that_leads_to_its_products() -> None:
    """With its own id, its person and channel; no audience has one, and none without a key."""
    shop = a_shop().until(NOON + HOUR)
    sent = shop.sent()
    assert len(sent) == len({m["purl"] for m in sent}) == 2
    for message in sent:
        found = link(message)
        assert (found.message_id, found.person) == (message["message_id"], message["person"])
        assert (found.channel, found.known) == (message["channel"], True)
        assert list(found.products) == [block["product_id"] for block in message["products"]] == ["p1", "p2"]
        assert found.made_at <= NOON + HOUR // 2
        assert found.expires_at >= NOON + HOUR // 2 + 30 * DAY
        assert "u1" not in message["purl"]
    assert [m["purl"] for m in shop.sent(operation="add")] == [None]
    assert {m["purl"] for m in a_shop(seal=None).until(NOON + HOUR).sent()} == {None}


def test_it_is_the_same_in_every_run() -> None:
    """However the input is cut, and whatever passes through the store."""
    shop = Shop([CART], links_policy())
    shop.between = shop.through_the_store
    told = a_profile(at=NOON - 1, email="a@b.example", push_tokens=["t"])
    shop.read(told, an_add("p1", "p2", id="e1"), an_add("p3", person="a7", id="e2"), cuts=[1, 2])
    found = [m["purl"] for m in shop.until(NOON + HOUR).sent()]
    assert found == [m["purl"] for m in a_shop().until(NOON + HOUR).sent()]


def test_it_lasts_from_when_the_message_leaves() -> None:
    """A message of the night has a link of the morning."""
    rule = a_rule(rule="r", subject="person", event="view", description="x",
                  steps=[{"channels": ["email"], "template": "t"}])  # fmt: skip
    shop = Shop([rule], links_policy(quiet_hours=QuietHours(spread=0), purl_lasts=DAY))
    [message] = shop.read(a_view(at=NOON + 10 * HOUR)).until(NOON + DAY).sent()
    assert link(message).made_at == NOON + 20 * HOUR


def test_an_anonymous_person_stays_one() -> None:
    """The click will be told of whoever was written to, under the id by which they were known."""
    rule = a_rule(rule="r", subject="person", event="view", description="x",
                  steps=[{"channels": ["onsite"], "template": "t"}])  # fmt: skip
    [message] = Shop([rule], links_policy()).read(a_view(person="a1")).sent()
    assert (link(message).person, link(message).known) == ("a1", False)
