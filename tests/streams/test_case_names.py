"""Names in cases that nothing answers to: switches and caps that would do nothing, silently."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from streams.cases.trying import try_rules

_RULES: Final = """\
rule: left_cart
subject: cart
quiet: {after: 30m, opens: [add]}
tags: [cart]
steps: [{channels: [push], template: cart-1}]
---
rule: looked
subject: person
event: view
tags: [browse]
steps: [{channels: [email], template: looked}]
"""
_NAMES: Final = "direct_mail, email, "
_SWITCHES: Final = (
    f"known: ads, all, chat, {_NAMES}left_cart, looked, onsite, push, service, sms, whatsapp; nearest: "
)
_CAPS: Final = (
    f"known: ads, browse, cart, chat, {_NAMES}marketing, onsite, push, service, sms, total, transactional, "
    "whatsapp; nearest: "
)


def tried(folder: Path, more: str, of_file: str = "", rules: str = _RULES) -> list[str]:
    """What is wrong with a case that comes as expected, but for `more` in it and `of_file` around it."""
    (folder / "r.yaml").write_text(rules)
    case = f"{{case: A., {more}events: [{{at: 10:00, type: page}}], expect: []}}"
    (folder / "r.cases.yaml").write_text(f"rule: left_cart\n{of_file}cases:\n  - {case}\n")
    return [problem.replace(f"{folder}/", "") for problem in try_rules([folder]).problems]


@pytest.mark.parametrize(
    ("more", "place", "said"),
    [
        ("paused: [puhs], ", "paused[0]", f"unknown rule or channel 'puhs'; {_SWITCHES}push"),
        ("paused: [sms, loked], ", "paused[1]", f"unknown rule or channel 'loked'; {_SWITCHES}looked"),
        ("settings: {caps.totl: 0/1d}, ", "settings.caps.totl", f"unknown cap 'totl'; {_CAPS}total"),
        ("settings: {caps.carts: 1/1d}, ", "settings.caps.carts", f"unknown cap 'carts'; {_CAPS}cart"),
    ],
)
def test_a_switch_or_cap_of_nothing_is_a_problem(tmp_path: Path, more: str, place: str, said: str) -> None:
    """With its place, what is known, and the nearest name."""
    assert tried(tmp_path, more) == [f"r.cases.yaml:3: $.cases[0].{place}: {said}"]


def test_a_cap_of_nothing_for_all_cases_is_told_once(tmp_path: Path) -> None:
    """Where it stands, at the top of the file."""
    said = tried(tmp_path, "", "settings:\n  caps.emial: 1/1d\n")

    assert said == [f"r.cases.yaml:3: $.settings.caps.emial: unknown cap 'emial'; {_CAPS}email"]


def test_rules_channels_purposes_and_tags_are_known(tmp_path: Path) -> None:
    """Those of the rule, of its neighbours, and `all`."""
    paused = "paused: [left_cart, looked, push, ads, all], "
    caps = "settings: {caps.total: 1/1d, caps.service: 1/1d, caps.cart: 1/1d, caps.browse: 2/1d}, "

    assert tried(tmp_path, paused + caps) == []


def test_a_neighbour_that_is_wrong_is_known_all_the_same(tmp_path: Path) -> None:
    """Its own mistake is the only one."""
    said = tried(
        tmp_path, "paused: [looked], settings: {caps.browse: 1/1d}, ", rules=_RULES.replace("view", "vew")
    )

    assert len(said) == 1
    assert said[0].startswith("r.yaml:9: $.event: unknown touchpoint type 'vew'")
