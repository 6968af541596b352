"""Senders: one for each person, on every channel, whatever becomes of the list and of the person's ids."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pytest

from retarget.errors import BadInput
from retarget.personal.senders import Sender, sender_of
from streams.settings import load_settings
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_profile, a_view, an_event

MARIA: Final = Sender(id="maria", name="Maria Muster", role="Advice", address="maria@shop.example")
JOHN: Final = Sender(id="john", name="John", weight=3)
ZOE: Final = Sender(id="zoe", name="Zoe")
PEOPLE: Final = [f"u{n}" for n in range(2000)]
EVERYWHERE: Final = a_rule(
    rule="r", subject="person", event="view", description="x", purpose="service",
    steps=[{"channels": {"all": ["email", "service", "push"]}, "template": "t"}],
)  # fmt: skip


def drawn(*senders: Sender) -> dict[str, str]:
    """Who writes to each of the people."""
    found = {person: sender_of(person, "", senders, "seed") for person in PEOPLE}
    return {person: sender.id for person, sender in found.items() if sender is not None}


def senders_in(shop: Shop) -> list[str]:
    """Who wrote each message."""
    return [m["context"]["sender"]["id"] for m in shop.sent()]


def test_weights_count() -> None:
    """Who weighs three times as much writes to three times as many."""
    found = Counter(drawn(MARIA, JOHN).values())
    assert found["john"] / found["maria"] == pytest.approx(3, rel=0.15)


def test_who_comes_draws_from_all_and_who_goes_leaves_to_all() -> None:
    """Nobody changes from one of those who stay to another one of them."""
    before, after = drawn(MARIA, JOHN), drawn(MARIA, JOHN, ZOE)
    changed = [person for person in PEOPLE if before[person] != after[person]]
    assert {after[person] for person in changed} == {"zoe"}
    assert {before[person] for person in changed} == {"maria", "john"}
    assert len(changed) / len(PEOPLE) == pytest.approx(1 / 5, rel=0.25)


def test_the_seed_chooses() -> None:
    """Another seed, other pairs; the order of the list does not matter."""
    people = PEOPLE[:200]
    one = [sender_of(person, "", [MARIA, ZOE], "a") for person in people]
    assert one != [sender_of(person, "", [MARIA, ZOE], "b") for person in people]
    assert one == [sender_of(person, "", [ZOE, MARIA], "a") for person in people]


def test_a_person_has_one_on_every_channel_and_keeps_them() -> None:
    """Also when somebody joins the shop; not when theirs has left it."""
    told = a_profile(at=NOON - 1, email="a@b.example", push_tokens=["t"])
    shop = Shop([EVERYWHERE], a_policy(senders=(JOHN, MARIA), caps_total=())).read(told, a_view())
    first = senders_in(shop)
    assert len(first) == 3
    assert len(set(first)) == 1
    shop.policy = a_policy(senders=(MARIA, JOHN, *(Sender(id=f"n{n}", name="N") for n in range(50))))
    assert senders_in(shop.under([EVERYWHERE]).read(a_view(at=NOON + 1))) == first
    shop.policy = a_policy(senders=(ZOE,))
    assert set(senders_in(shop.under([EVERYWHERE]).read(a_view(at=NOON + 2)))) == {"zoe"}


def test_a_merge_keeps_who_has_written() -> None:
    """Whoever wrote to the anonymous person goes on; where both have one, the known person's own does."""
    policy = a_policy(senders=tuple(Sender(id=f"s{n}", name="S") for n in range(9)), caps_total=())
    rule = a_rule(rule="r", subject="person", event="view", description="x", purpose="service",
                  steps=[{"channels": ["service"], "template": "t"}])  # fmt: skip
    for n in range(20):
        known, device = f"u{n}", f"a{n}"
        word = an_event("identify", at=NOON + 1, person=known, anonymous_id=device)
        shop = Shop([rule], policy).read(a_view(person=device), word, a_view(at=NOON + 2, person=known))
        assert len(set(senders_in(shop))) == 1
        both = Shop([rule], policy).read(a_view(person=known), a_view(person=device), word)
        own = senders_in(both)[0]
        assert senders_in(both.read(a_view(at=NOON + 2, person=known)))[-1] == own


def test_a_message_shows_them() -> None:
    """What is not told of a sender is left out; the person's own persona stands beside them."""
    shop = Shop([EVERYWHERE], a_policy(senders=(MARIA,)))
    [message, *_] = shop.read(a_profile(at=NOON - 1, persona="bargain hunter"), a_view()).sent()
    shown: dict[str, Any] = message["context"]
    assert shown["sender"] == {
        "id": "maria", "name": "Maria Muster", "role": "Advice", "address": "maria@shop.example",
    }  # fmt: skip
    assert shown["persona"] == "bargain hunter"
    [nobody, *_] = Shop([EVERYWHERE]).read(a_view()).sent()
    assert {"sender", "persona"}.isdisjoint(nobody["context"])


def test_settings_list_them() -> None:
    """As JSON in the environment, as a table in a file; what is published reads back."""
    given = '{"name": "Maria Muster", "signature": "Your\\nMaria", "weight": 2}'
    settings = load_settings(None, {"RETARGET_SENDERS_MARIA": given})
    [said] = [text for key, text in settings.deciding().items() if key == "senders.maria"]
    again = load_settings(None, {}, [f"senders.maria={said}"])
    assert again.senders == settings.senders
    assert again.senders.by_id["maria"].weight == 2


@pytest.mark.parametrize(
    "given",
    ["Maria", "{", "{}", '{"name": ""}', '{"name": "M", "weight": 0}', '{"name": "M", "weight": 101}',
     '{"name": "M", "adress": "m@x.de"}', '{"name": "M", "address": "nobody"}', '{"name": "M\\nBcc: x"}'],
)  # fmt: skip
def test_wrong_ones_are_refused(given: str) -> None:
    """With the setting and what may stand there."""
    with pytest.raises(BadInput, match=r"senders.maria: .*expected a table or JSON: a name"):
        load_settings(None, {}, [f"senders.maria={given}"])
