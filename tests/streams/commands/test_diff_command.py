"""`retarget diff` on folders of rules: the words, the JSON and the exit codes."""

import json
import re
from pathlib import Path
from typing import Final

from streams.resources import default_rules_dir
from tests.streams.commands.conftest import Retarget

BEFORE: Final = {
    "cart.yaml": """
rule: cart
subject: cart
quiet: {after: 30m, opens: [add, remove, cart], when: cart.size > 0}
unless: [purchase, {event: checkout, same: subject}]
again: 24h
why: You left something.
steps:
  - {channels: [push, email], template: first}
  - {after: 24h, channels: [push, email], template: second}
""",
    "looks.yaml": """
rule: looks
subject: product
count: {of: view, at_least: 3, within: 24h}
if: not product.in_cart
again: 7d
steps: [{channels: [push], template: looked}]
""",
    "old.yaml": """
rule: old
subject: person
event: chat
steps: [{channels: [email], template: chat}]
""",
    "same.yaml": """
rule: same
subject: order
event: purchase
steps: [{channels: [email], template: thanks}]
""",
}
AFTER: Final = {
    "cart.yaml": """
rule: cart
subject: cart
quiet: {after: 60m, opens: [add, cart], touches: [add, remove, cart], when: cart.size > 1}
unless: [purchase]
again: never
priority: 70
expires: 4d
hold_out: 0.1
why: You left something.
steps:
  - {channels: [email], template: first, audience: {add: left, expires: 7d}}
  - {after: 36h, channels: [email, push], template: later, if: cart.size > 2}
  - {after: 72h, channels: [email], template: third}
""",
    "looks.yaml": """
rule: looks
subject: product
count: {of: [view, wishlist], at_least: 4, within: 2d}
again: 7d
steps: [{channels: [push], template: looked}]
""",
    "new.yaml": """
rule: young
subject: category
count: {of: view, at_least: 4, within: 48h, distinct: product}
if: count("add", within=hours(48)) == 0
steps: [{channels: [onsite, chat], template: help}]
""",
    "same.yaml": """
# laid out in another way
steps: [{template: thanks, channels: [email]}]
event: [purchase]
rule: same
subject: order
""",
}
GOLDEN: Final = """\
cart: changed
  waits 60 min instead of 30 min
  no longer opened by remove
  events count only when cart.size > 1, instead of cart.size > 0
  no longer ended by checkout of the same cart
  again for the same: never instead of after 24 h
  step 1: no longer on push
  step 1: into the audience left for 7 days instead of no audience
  step 2: comes 36 h after step 1 instead of 24 h
  step 2: tried in the order email and push
  step 2: template “later” instead of “second”
  step 2: only if cart.size > 2
  step 3 is new: 3 days after step 1, on email
  priority 70 instead of 50
  messages expire after 4 days instead of never
  10 % of the people are held out instead of 0 %
looks: changed
  also counts wishlist
  from 4 on instead of 3
  within 2 days instead of 24 h
  no longer only if not product.in_cart
old: gone
young: new
  decided for each category at 4 different values of product in view within 2 days
  only if count("add", within=hours(48)) == 0
  step 1: on onsite, else chat
  again for the same: every time
  priority 50, purpose marketing
  capped messages are dropped
rules: 1 new, 1 gone, 2 changed, 1 alike
"""


WITH_OFFER: Final = """\
rule: r
subject: cart
quiet: {after: 30m, opens: [add]}
steps:
  - {channels: {all: [push, email]}, template: t, offer: {percent: 10, expires: 72h}}
  - after: 24h
    channels: [push, email]
    template: t
    offer: {amount: 5, currency: EUR, minimum_basket: 50, least_margin: 2, expires: 48h}
"""


def folder(place: Path, files: dict[str, str]) -> Path:
    """A folder with these rule files."""
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
    return place


def test_offers_and_all_channels_have_words(retarget: Retarget, tmp_path: Path) -> None:
    """What a new rule promises, and what another promise means."""
    whole = retarget("diff", folder(tmp_path / "a", BEFORE), folder(tmp_path / "b", {"r.yaml": WITH_OFFER}))
    assert "step 1: on each of push and email that may be used, offering 10 % off for 3 days\n" in whole.out
    assert (
        "step 2: 24 h after step 1, on push, else email, offering 5 EUR off from 50 EUR on for 2 days "
        "while 2 EUR of the margin are left\n"
    ) in whole.out
    turned = WITH_OFFER.replace("{all: [push, email]}", "[push, email]").replace("percent: 10", "percent: 5")
    change = retarget("diff", tmp_path / "b", folder(tmp_path / "c", {"r.yaml": turned}))
    assert "step 1: offers 5 % off for 3 days instead of 10 % off for 3 days\n" in change.out
    assert "step 1: goes to the first that will do instead of each of its channels\n" in change.out


def test_each_change_has_its_words(retarget: Retarget, tmp_path: Path) -> None:
    """The golden text: every kind of change once, and nothing of a rule that was only laid out anew."""
    answer = retarget("diff", folder(tmp_path / "a", BEFORE), folder(tmp_path / "b", AFTER))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == GOLDEN


def test_every_kind_of_rule_has_its_words(retarget: Retarget) -> None:
    """Sequences, dates, the catalogue, and all that a rule may say beside: no JSON, no milliseconds."""
    here = Path(__file__).parent / "diff"
    answer = retarget("diff", here / "before", here / "after")
    assert answer.out == (here / "said.txt").read_text(encoding="utf-8")
    said = [line for line in answer.out.splitlines() if "{" in line or re.search(r"\d{5}", line)]
    assert not said


def test_the_same_as_json(retarget: Retarget, tmp_path: Path) -> None:
    """A list with rule, kind, versions and sentences."""
    answer = retarget("diff", folder(tmp_path / "a", BEFORE), folder(tmp_path / "b", AFTER), "--json")
    found = {one["rule"]: one for one in json.loads(answer.out)["rules"]}
    assert {name: one["change"] for name, one in found.items()} == {
        "cart": "changed", "looks": "changed", "old": "gone", "young": "new"
    }  # fmt: skip
    assert found["looks"]["says"][0] == "also counts wishlist"
    assert found["old"]["after"] is None
    assert found["cart"]["before"] != found["cart"]["after"]


def test_nothing_differs_from_itself(retarget: Retarget) -> None:
    """The rules that ship, against themselves."""
    answer = retarget("diff", default_rules_dir(), default_rules_dir())
    assert answer.code == 0
    assert answer.out.startswith("rules: ")
    assert answer.out.endswith(" alike\n")
    assert answer.out.count("\n") == 1


def test_another_kind_of_trigger_is_told_whole(retarget: Retarget, tmp_path: Path) -> None:
    """A rule that waited and now counts."""
    rule = "rule: r\nsubject: product\n{}\nsteps: [{{channels: [email], template: t}}]\n"
    before = folder(tmp_path / "a", {"r.yaml": rule.format("quiet: {after: 3d, opens: [wishlist]}")})
    after = folder(tmp_path / "b", {"r.yaml": rule.format("count: {of: view, at_least: 2, within: 90m}")})
    answer = retarget("diff", before, after)
    assert answer.out.splitlines()[1] == (
        "  decided at 2 events of view within 90 min instead of 3 days after the last wishlist"
    )


def test_rules_that_are_wrong_are_refused(retarget: Retarget, tmp_path: Path) -> None:
    """Exit 1 with a line for each problem, or for a folder that is not there."""
    bad = folder(tmp_path / "a", {"r.yaml": "rule: r\nsubject: moon\n"})
    answer = retarget("diff", bad, default_rules_dir())
    assert (answer.code, answer.out) == (1, "")
    assert "r.yaml:2: $.subject: " in answer.err
    answer = retarget("diff", default_rules_dir(), tmp_path / "nowhere")
    assert (answer.code, answer.out) == (1, "")
    assert "nowhere" in answer.err
