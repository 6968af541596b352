"""Test cases of rules: when things happen, how they run, and what is said when they come out otherwise."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from retarget.rules.places import Document, Reading
from retarget.rules.records import Key, Record
from retarget.rules.shapes import BAD
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import parse_time
from retarget.touchpoints import TYPES
from streams.case_manual import DIFFERENCE, manual
from streams.cases.comparing import differences
from streams.cases.events import CONSENT, EVENT, ITEM, PRODUCT
from streams.cases.grammar import CASE, CASES, EXPECTED, WAITING
from streams.cases.model import Case, Expected, Prepared, When
from streams.cases.outcomes import Outcome
from streams.cases.reading import Known, read_cases
from streams.cases.shapes import MOMENT
from streams.cases.trying import try_rules
from streams.lanes.zones import zone_of
from streams.resources import default_rules_dir
from streams.rulebook import documents_of
from streams.schemas import FOLDER
from streams.settings import DECIDING

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/cases.md"
RECORDS: Final = (CASES, PRODUCT, CASE, EVENT, ITEM, CONSENT, EXPECTED, WAITING)
KEYS: Final = [(record, key) for record in RECORDS for key in record.keys]
RULE: Final = """\
rule: left_cart
subject: cart
quiet: {after: 30m, opens: [add]}
steps: [{channels: [push, email], template: cart-1}]
"""


def tried(folder: Path, cases: str, rule: str = RULE) -> list[str]:
    """What is wrong with the cases of a rule, without the folder."""
    (folder / "r.yaml").write_text(rule)
    (folder / "r.cases.yaml").write_text(cases)
    return [problem.replace(f"{folder}/", "") for problem in try_rules([folder]).problems]


def moment(text: object, zone: str = "UTC", start: str = "2024-03-30 10:00") -> int:
    """Epoch ms of what an author writes."""
    reading = Reading(Document("moment", None), VOCABULARY)
    found = MOMENT.read(text, reading.root)
    assert isinstance(found, When), reading.lines
    known = zone_of(zone)
    assert known is not None
    return found.moment(datetime.fromisoformat(start), known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:30", "2024-03-30T10:30Z"),
        ("10:30:15", "2024-03-30T10:30:15Z"),
        ("8:05", "2024-03-30T08:05Z"),
        ("+30m", "2024-03-30T10:30Z"),
        ("+0", "2024-03-30T10:00Z"),
        ("+1d 12h", "2024-03-31T22:00Z"),
        ("+2d 10:30", "2024-04-01T10:30Z"),
        ("2024-12-24 20:00", "2024-12-24T20:00Z"),
        (datetime(2024, 12, 24, 20, 0, 1), "2024-12-24T20:00:01Z"),  # noqa: DTZ001 - as YAML gives it
    ],
)
def test_moments(text: object, expected: str) -> None:
    """Times of the first day, times after the start, times of later days, dates."""
    assert moment(text) == parse_time(expected)


@pytest.mark.parametrize(
    "text",
    [
        "24:00",
        "10:60",
        "30m",
        "-30m",
        "+",
        "tomorrow",
        "2024-02-30 10:00",
        "1969-12-31 10:00",
        "9999-12-31 10:00",
        600,
    ],
)
def test_what_is_no_moment_is_refused(text: object) -> None:
    """A sentence shows what is one."""
    reading = Reading(Document("moment", None), VOCABULARY)

    assert MOMENT.read(text, reading.root) is BAD
    assert "10:30, +30m, +2d 10:30 or 2024-03-04 10:30" in reading.lines[0]


def test_a_day_later_is_counted_on_the_clock() -> None:
    """In Berlin the night to 31 March 2024 has an hour less: ten o'clock comes after 23 hours."""
    assert moment("+1d 10:00", "Europe/Berlin") - moment("10:00", "Europe/Berlin") == 23 * 3_600_000
    assert moment("+1d", "Europe/Berlin") - moment("10:00", "Europe/Berlin") == 24 * 3_600_000


def test_a_case_that_comes_as_expected_says_nothing(tmp_path: Path) -> None:
    """An expectation leaves open what it does not name."""
    case = (
        "  - {case: A., events: [{at: 10:00, type: add, products: t}], expect: [{at: 10:30, sent: push}]}\n"
    )

    assert tried(tmp_path, f"rule: left_cart\ncases:\n{case}") == []


def test_a_rule_that_takes_people_out_of_an_audience_has_cases(tmp_path: Path) -> None:
    """Who joined leaves by that rule, and who never joined does not."""
    rule = """\
rule: looked
subject: person
event: view
steps: [{audience: {add: looked}}]
---
rule: shop_visited
subject: person
event: store_visit
steps: [{audience: {remove: looked}}]
"""
    cases = """\
rule: shop_visited
cases:
  - case: Who has joined leaves.
    with: [looked]
    events: [{at: 10:00, type: view, products: t}, {at: 11:00, type: store_visit}]
    expect: [{at: 10:00, joined: looked, rule: looked}, {at: 11:00, left: looked}]
  - case: Who has not is told of to nobody.
    events: [{at: 11:00, type: store_visit}]
    expect: []
"""
    assert tried(tmp_path, cases, rule) == []
    said = tried(tmp_path, cases.replace("expect: []", "expect: [{at: 11:00, left: looked}]"), rule)
    assert "left looked" in said[0]
    said = tried(tmp_path, cases.replace("left: looked", "left: loked"), rule)
    path = "r.cases.yaml:6: $.cases[0].expect[1].left"
    assert said == [f"{path}: unknown audience of shop_visited 'loked'; known: looked; nearest: looked"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("at: 10:31", ["expected  2024-03-04 10:31 (+31m)  sent push", "got       2024-03-04 10:30 (+30m)"]),
        (
            "sent: email",
            ["sent email", "sent push, step 1", "because   unreachable  reachable by push, email"],
        ),
        ("products: [t, u]", ["products t u", "products t"]),
        ("about: other", ["about other", "got       2024-03-04 10:30 (+30m)  sent push, step 1"]),
    ],
)
def test_each_difference_is_seen(tmp_path: Path, change: str, said: list[str]) -> None:
    """Whatever an expectation names counts; both sides are shown with what is different."""
    expected = {"at": "10:30", "sent": "push", **yaml.safe_load(re.sub(r"at: (.*)", r"at: '\1'", change))}
    case = {"case": "A.", "events": [{"at": "10:00", "type": "add", "products": "t"}], "expect": [expected]}
    problems = tried(tmp_path, json.dumps({"rule": "left_cart", "cases": [case]}))

    assert len(problems) == 1
    assert problems[0].startswith("r.cases.yaml:1: A.\n    expected  ")
    assert [part for part in said if part not in problems[0]] == []


def test_a_known_persons_events_are_theirs(tmp_path: Path) -> None:
    """What traits tell is known before the first event: an anonymous person with a token is reached by it."""
    case = """\
rule: left_cart
cases:
  - case: Reached by the token.
    known: false
    traits: {push_token: t-1}
    events: [{at: 10:00, type: add, products: tent}]
    expect: [{at: 10:30, sent: push}]
"""

    assert tried(tmp_path, case) == []


def test_a_rule_that_fails_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dead letter of a case is shown, not lost."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("retarget.engine.door.episodes.touch", fail)
    case = "  - {case: A., events: [{at: 10:00, type: add, products: t}], expect: []}\n"
    problems = tried(tmp_path, f"rule: left_cart\ncases:\n{case}")

    assert len(problems) == 1
    assert "got       a dead letter: rule_failed" in problems[0]


def a_case(*expect: Expected) -> Prepared:
    """A case that expects this, begun at ten."""
    zone = zone_of("UTC")
    assert zone is not None
    case = Case(name="A.", events=(), expect=expect)
    start = datetime.fromisoformat("2024-03-04 10:00")
    return Prepared(case=case, start=start, zone=zone, presets={}, touchpoints=(), until=None)


def an_outcome(
    step: int, kind: Any = "sent", name: str = "push", **others: Any  # noqa: ANN401 - one of Kind, and fields
) -> Outcome:  # fmt: skip
    """Something that came at ten."""
    at = parse_time("2024-03-04T10:00Z")
    said = {"kind": kind, "at": at, "name": name, "step": step, "channel": name, "about": "", "rule": "r"}
    return Outcome(**{**said, **others})


def test_a_loose_expectation_gives_way_to_a_strict_one() -> None:
    """Two expectations and two outcomes: whichever order they are written in, each finds its own."""
    loose = Expected(kind="sent", at=When(after=0), name="push")
    strict = Expected(kind="sent", at=When(after=0), name="push", step=1)
    outcomes = [an_outcome(1), an_outcome(2)]

    assert differences(a_case(loose, strict), outcomes, "r") == []
    assert differences(a_case(strict, loose), outcomes, "r") == []
    assert len(differences(a_case(strict, strict), outcomes, "r")) == 1


def stopped(step: int = 1, channel: str = "push", about: str = "", **others: Any) -> Outcome:  # noqa: ANN401
    """Something that a cap stopped at ten."""
    return an_outcome(step, "suppressed", "cap", channel=channel, about=about, **others)


CAPPED: Final = Expected(kind="suppressed", at=When(after=0), name="cap")


@pytest.mark.parametrize(
    ("expected", "came", "left"),
    [
        ([CAPPED], [stopped(), stopped(channel="ads")], []),
        ([CAPPED], [stopped(channel="ads"), stopped()], []),
        ([CAPPED], [stopped(channel="ads"), stopped(channel="ads")], []),
        ([CAPPED, CAPPED], [stopped(), stopped(channel="ads")], []),
        ([CAPPED], [stopped(), stopped(channel="email")], ["email"]),
        ([CAPPED], [stopped(), stopped(2, "ads")], ["ads"]),
        ([CAPPED], [stopped(about="p"), stopped(about="q")], ["push"]),
        ([CAPPED], [stopped(about="p"), stopped(channel="ads", about="q")], ["ads"]),
        ([CAPPED], [stopped(), stopped(channel="ads", at=0)], ["ads"]),
        ([CAPPED, CAPPED], [stopped(channel=at, about=of) for at in ("ads", "push") for of in "pq"], []),
        ([replace(CAPPED, channel="push")], [stopped(), stopped(channel="ads")], ["ads"]),
        ([replace(CAPPED, channel="ads")], [stopped(), stopped(channel="ads")], ["push"]),
    ],
)
def test_one_suppression_stands_for_a_steps_message_and_audience(
    expected: list[Expected], came: list[Outcome], left: list[str]
) -> None:
    """A gate stops both; an author thinks of one. Two messages, subjects, steps or moments are never one."""
    found = differences(a_case(*expected), came, "r")
    assert [(one.expected, getattr(one.got, "channel", "")) for one in found] == [(None, one) for one in left]


def test_what_comes_unasked_is_a_difference() -> None:
    """Two messages are never one."""
    sent = Expected(kind="sent", at=When(after=0))
    assert len(differences(a_case(sent), [an_outcome(1), an_outcome(1)], "r")) == 1


def test_a_stopped_step_is_expected_once(tmp_path: Path) -> None:
    """A real message with its audience, which nobody has agreed to; five products are five of them."""
    rule = RULE.replace("template: cart-1", "template: cart-1, audience: {add: left}")
    case = """\
rule: left_cart
cases:
  - case: A.
    consent: denied
    events: [{at: 10:00, type: add, products: tent}]
    expect: [{at: 10:30, suppressed: no_consent}]
"""
    assert tried(tmp_path, case, rule) == []
    each = rule.replace("subject: cart", "subject: product")
    said = tried(tmp_path, case.replace("products: tent", "products: [tent, lamp, boat]"), each)
    assert len(said) == 4
    assert all(
        "expected  nothing more\n    got       2024-03-04 10:30 (+30m)  suppressed" in one for one in said
    )


def test_what_did_not_come_is_shown_beside_what_is_nearest() -> None:
    """Two that are missing and two that came unasked: that of the same subject, however they are written."""
    sent = Expected(kind="sent", at=When(after=0), name="email", step=1)
    of_p, of_q = replace(sent, about="p"), replace(sent, about="q")
    came = [an_outcome(2, name="email", about="q"), an_outcome(2, name="email", about="p")]
    for expected in ([of_p, of_q], [of_q, of_p]):
        found = differences(a_case(*expected), came, "r")
        assert [one.expected and one.expected.about for one in found] == [one.about for one in expected]
        assert [one.got and one.got.about for one in found] == [one.about for one in expected]

    # The first could take what the second differs from in nothing but its step.
    at_ten, later = an_outcome(1, name="push"), replace(sent, at=When(after=60_000), name="push")
    found = differences(a_case(later, replace(sent, name="push", step=2)), [at_ten], "r")
    assert [one.got for one in found] == [None, at_ten]


def test_other_rules_are_looked_at_only_where_they_are_named() -> None:
    """What a rule of `with` does unasked is no difference."""
    assert differences(a_case(), [an_outcome(1)], "another") == []
    named = Expected(kind="sent", at=When(after=0), rule="r")
    assert differences(a_case(named), [an_outcome(1)], "another") == []
    assert len(differences(a_case(named), [], "another")) == 1


def test_the_schema_takes_the_shipped_cases_and_refuses_the_broken_ones() -> None:
    """Editors see the same form as the parser; what lies between keys and rules only `check` sees."""
    judge = Draft202012Validator(json.loads((FOLDER / "cases.v1.json").read_text(encoding="utf-8")))
    shipped = sorted(default_rules_dir().glob("*.cases.yaml"))
    assert len(shipped) >= 10
    for file in shipped:
        for document in documents_of(file):
            assert [error.message for error in judge.iter_errors(document.data)] == []

    broken = Path(__file__).parent / "commands/broken"
    for name in ("key_unknown", "without_expect", "type_unknown", "two_kinds", "gate_unknown"):
        (document,) = documents_of(broken / f"case_{name}.cases.yaml")
        assert not judge.is_valid(document.data), name


def test_the_page_is_in_step() -> None:
    """If not: `python -m streams.case_manual > docs/cases.md`."""
    assert PAGE.read_text(encoding="utf-8") == manual()


@pytest.mark.parametrize(("record", "key"), KEYS, ids=lambda value: getattr(value, "name", ""))
def test_every_key_is_on_the_page_and_its_example_is_right(record: Record, key: Key) -> None:
    """A key that the parser reads has a row with its sentence, and what is shown there can be written."""
    assert record in RECORDS
    assert any(line.startswith(f"| `{key.name}` |") and key.says in line for line in manual().splitlines())
    reading = Reading(Document("example", None), VOCABULARY)
    for value in (key.example, key.default):
        assert value is None or key.shape.read(value, reading.root) is not BAD
    assert reading.lines == []


def test_the_pages_example_runs_and_its_difference_is_true(tmp_path: Path) -> None:
    """Whoever copies the example gets cases that run; the difference is what `check` says."""
    (tmp_path / "abandoned_cart.yaml").write_text((default_rules_dir() / "abandoned_cart.yaml").read_text())
    (example,) = re.findall(r"```yaml\n(.*?)```", manual(), re.DOTALL)
    file = tmp_path / "abandoned_cart.cases.yaml"
    file.write_text(example)
    assert try_rules([tmp_path]).problems == []

    file.write_text("""\
rule: abandoned_cart
cases:
  - case: A cart is remembered after half an hour, at any time.
    events: [{at: 21:00, type: add, products: tent}]
    expect:
      - {at: 21:30, sent: push, step: 1}
""")
    first, *_ = try_rules([tmp_path]).problems
    assert first.replace(f"{tmp_path}/", "") + "\n" == DIFFERENCE


def test_only_settings_that_decide_can_be_given() -> None:
    """A case cannot ask for a broker."""
    reading = Reading(Document("settings", None), VOCABULARY)
    shape = next(key.shape for key in CASE.keys if key.name == "settings")
    shape.read({"kafka.bootstrap": "here", "caps.email": "1/1d", "web.port": 1}, reading.root)

    assert len(reading.lines) == 2
    assert "caps" in DECIDING


def test_a_bare_off_means_off(tmp_path: Path) -> None:
    """YAML reads it as false; where a setting can be false, that is what is meant."""
    given = "{caps.total: off, rates.email: off, quiet_hours.enabled: off, clock.idle: off}"
    case = (
        "  - {case: A., events: [{at: 22:00, type: add, products: t}], expect: [{at: 22:30, sent: push}]}\n"
    )
    assert tried(tmp_path, f"rule: left_cart\nsettings: {given}\ncases:\n{case}") == []

    wrong = f"rule: left_cart\nsettings: {{quiet_hours.start: off}}\ncases:\n{case}"
    assert "found 'false'; known: a time of day" in "".join(tried(tmp_path, wrong))


_ANY: Final = st.recursive(
    st.sampled_from(["10:00", "+1d", "add", "push", "left_cart", "", "cap"]) | st.integers() | st.booleans()
    | st.none() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def _of(record: Record) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={key.name: _ANY | st.just(key.example) for key in record.keys})


def _a_case() -> st.SearchStrategy[dict[str, Any]]:
    """A case that runs, with keys of any example and times of any form."""
    times = st.sampled_from(
        ["10:00", "+30m", "+1d", "+2d 09:00", "+3650d", "2199-12-31 23:59", "1971-01-01 00:00"]
    )
    events = st.fixed_dictionaries({"at": times, "type": st.sampled_from(sorted(TYPES))})
    expected = st.fixed_dictionaries({"at": times, "sent": st.sampled_from(["push", "email"])})
    others = ("known", "consent", "traits", "paused", "start", "zone", "settings", "person")
    return st.fixed_dictionaries(
        {
            "case": st.just("A."),
            "events": st.lists(events, min_size=1, max_size=5),
            "expect": st.lists(expected),
        },
        optional={"until": times}
        | {key.name: st.just(key.example) for key in CASE.keys if key.name in others},
    )


@given(_a_case())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_case_that_is_right_runs(tmp_path: Path, case: dict[str, Any]) -> None:
    """Whatever the times and settings: differences perhaps, no exception and no dead letter."""
    problems = tried(tmp_path, json.dumps({"rule": "left_cart", "cases": [case]}))

    assert [problem for problem in problems if "dead letter" in problem] == []


def test_who_is_held_out_is_the_persons_lot(tmp_path: Path) -> None:
    """One of two people gets nothing; a case names the one it means."""
    cases = [
        {
            "case": f"{person} {name}.",
            "person": person,
            "events": [{"at": "10:00", "type": "add", "products": "t"}],
            "expect": [{"at": "10:30", name: value}],
        }
        for person in ("ann", "ben", "cleo", "dan")
        for name, value in (("sent", "push"), ("suppressed", "control"))
    ]
    problems = tried(tmp_path, json.dumps({"rule": "left_cart", "cases": cases}), f"{RULE}hold_out: 0.5\n")

    assert len(problems) == 4
    assert {problem.split(": ")[1].split()[1].split(".")[0] for problem in problems} == {"sent", "suppressed"}


@given(_ANY | _of(CASES) | st.lists(_of(CASE), max_size=2).map(lambda cases: {"rule": "r", "cases": cases}))
def test_any_data_is_cases_or_problems(data: object) -> None:
    """No data makes anything else than cases or problems of one line each."""
    _, problems = read_cases([Document("c.yaml", data)], Known({}))

    assert problems
    assert all(line.startswith("c.yaml:1: $") and "\n" not in line for line in problems)


BY_SET: Final = """\
rule: carted
subject: cart
quiet: {after: 30m, opens: [add]}
unless: [{event: purchase, same: product}]
steps: [{audience: {add: carted, sets: [a1, a2]}}]
"""
OF_SETS: Final = """\
rule: carted
products:
  tent: {category: tents, price: 900}
  lamp: {category: lamps, price: 25}
cases:
  - case: Each set is an audience, and a purchase leaves those of what was bought.
    events:
      - {at: 10:00, type: add, products: [tent, lamp]}
      - {at: 12:00, type: purchase, products: tent}
    expect:
      - {at: 10:30, joined: carted-a1}
      - {at: 10:30, joined: carted-a2}
      - {at: 12:00, left: carted-a1}
      - {at: 12:00, left: carted-a2}
"""


def test_the_audiences_of_product_sets_are_known_to_cases(tmp_path: Path) -> None:
    """Under the names that platforms see; the audience without a set is one that nobody joins."""
    (tmp_path / "shop.sets.yaml").write_text("a1: product.category == 'tents'\na2: product.price >= 500\n")
    assert tried(tmp_path, OF_SETS, BY_SET) == []
    (said,) = tried(tmp_path, OF_SETS.replace("left: carted-a2", "left: carted"), BY_SET)
    assert "unknown audience of carted 'carted'; known: carted-a1, carted-a2" in said
