"""What follows on what is published: the versions that have episodes to finish, and canaries."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from retarget.errors import BadInput
from streams.lanes.publication import Canary, Publication, bundle_from, decode, encode, id_of
from streams.lanes.succession import VERSIONS_KEPT, as_canary, following, promoted, withdrawn
from streams.settings import load_settings


def a_rule(number: int, on_change: str = "finish", name: str = "looks") -> dict[str, Any]:
    """A version of a rule, as its author writes it."""
    return {
        "rule": name, "subject": "product", "count": {"of": "view", "at_least": number, "within": "24h"},
        "on_change": on_change, "steps": [{"channels": ["push"], "template": "t"}],
    }  # fmt: skip


def a_publication(*rules: dict[str, Any], **settings: str) -> Publication:
    """Content to be published."""
    deciding = load_settings(None, {}, [f"{name.replace('__', '.')}={v}" for name, v in settings.items()])
    return Publication(build=["1", "2"], settings=deciding.deciding(), rules=list(rules))


FIRST: Final = a_publication(a_rule(2))
SECOND: Final = a_publication(a_rule(3))


def former(publication: Publication) -> list[int]:
    """Which versions are carried, by what they count up to."""
    return [data["count"]["at_least"] for data in publication.former]


def test_what_is_replaced_is_carried_where_it_finishes() -> None:
    """Not where it is in force, nor where its rule is gone, nor where its author did not ask for it."""
    assert former(following(FIRST, SECOND)) == [2]
    assert former(following(FIRST, FIRST)) == []
    assert former(following(None, SECOND)) == []
    assert former(following(FIRST, a_publication(a_rule(3, name="other")))) == []
    assert former(following(a_publication(a_rule(2, "anew")), SECOND)) == []
    assert former(following(FIRST, a_publication(a_rule(3, "anew")))) == [2], "the one that opened promises"
    assert former(following(FIRST, SECOND, anew=True)) == []


def test_so_many_versions_are_carried() -> None:
    """The latest; one that comes back is in force and not carried."""
    now = FIRST
    for number in range(3, 9):
        now = following(now, a_publication(a_rule(number)))
    assert former(now) == [7 - VERSIONS_KEPT + 1, 6, 7]
    assert former(following(now, a_publication(a_rule(6)))) == [5, 7, 8]


def test_a_bundle_that_carries_is_another_one_and_reads_alike() -> None:
    """Its id says what it carries, and whoever reads it finds it; without anything nothing has changed."""
    carrying = following(FIRST, SECOND)
    assert id_of(carrying) != id_of(SECOND)
    assert id_of(following(None, SECOND)) == id_of(SECOND)
    bundle = id_of(carrying)
    made = bundle_from(bundle, decode(bundle, encode(carrying)), ["t"], 1)
    versions = {name: one.rule.version for name, one in made.matcher.rules.items()}
    (old,) = bundle_from(id_of(FIRST), FIRST, ["t"], 1).matcher.rules.values()
    assert made.matcher.of("looks", old.rule.version).rule == old.rule
    assert versions["looks"] != old.rule.version
    with pytest.raises(BadInput, match="understands it otherwise"):
        bundle_from(bundle, replace(carrying, former=[]), ["t"], 1)


def test_a_canary_is_promoted_or_withdrawn() -> None:
    """Both sides' versions are carried on; a greater share is another bundle."""
    canary = following(FIRST, as_canary(FIRST, SECOND, 0.1))
    assert (canary.rules, canary.canary and canary.canary.rules) == (FIRST.rules, SECOND.rules)
    assert former(canary) == []
    half = following(canary, as_canary(canary, SECOND, 0.5))
    assert half == replace(canary, canary=Canary(share=0.5, rules=SECOND.rules))
    assert id_of(half) != id_of(canary)
    everybody = following(half, promoted(half))
    assert (everybody.rules, everybody.canary, former(everybody)) == (SECOND.rules, None, [2])
    nobody = following(half, withdrawn(half))
    assert (nobody.rules, nobody.canary, former(nobody)) == (FIRST.rules, None, [3])
    bundle = id_of(half)
    made = bundle_from(bundle, half, ["t"], 1)
    assert made.canary is not None
    assert (made.canary[1].name, made.canary[1].share) == ("canary looks", 0.5)
    shadows = [one for one in made.matcher.rules.values() if one.shadow]
    assert [one.rule.version for one in shadows] == [
        one.rule.version for one in made.canary[0].rules.values()
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, SECOND, "no rules are published"),
        (FIRST, FIRST, "would change nothing"),
        (
            FIRST,
            a_publication(a_rule(3), quiet_hours__end="09:00"),
            "quiet_hours.end: 09:00 instead of 08:00",
        ),
    ],
)
def test_no_canary_without_a_difference_of_rules_alone(
    before: Publication | None, after: Publication, said: str
) -> None:
    """One line says why."""
    with pytest.raises(BadInput, match=said):
        as_canary(before, after, 0.1)


def test_nothing_to_end() -> None:
    """Promoting or withdrawing without a canary is a mistake."""
    for end in (promoted, withdrawn):
        with pytest.raises(BadInput, match="no canary is under way"):
            end(FIRST)
