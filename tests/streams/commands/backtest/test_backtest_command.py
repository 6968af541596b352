"""`retarget backtest` from end to end over small files: what it prints, writes and refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import pytest

from retarget.decode import encode_touchpoint
from retarget.errors import BadInput
from streams.backtest.budget import KINDS
from streams.backtest.budget_file import read_budget
from streams.resources import default_rules_dir
from streams.shop import open_shop, simulate
from tests.factories import NOON, a_purchase, a_view, an_add, an_item
from tests.streams.commands.conftest import Retarget

RULE: Final = """
rule: forgotten_cart
description: Somebody filled a cart and went away.
subject: cart
quiet: {after: %s, opens: [add], when: cart.size > 0}
unless: [purchase]
steps: [{channels: [push], template: cart}]
"""
MINUTE: Final = 60_000
ROOT: Final = Path(__file__).resolve().parents[4]
MORE_THAN_ALL: Final = "which is more than all, so it is never exceeded; expected"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Four people: reminded by both waits, by the short one, by none; and one who comes back in between."""
    events = [
        an_add("p1", at=NOON, person="late"),
        an_add("p1", at=NOON, person="buys"),
        a_purchase("p1", at=NOON + 45 * MINUTE, person="buys"),
        an_add("p1", at=NOON, person="at-once"),
        a_purchase("p1", at=NOON + MINUTE, person="at-once"),
        a_view("p1", at=NOON + 600 * MINUTE, person="late"),
    ]
    file = tmp_path / "history.jsonl"
    lines = [json.dumps(event) for event in events]
    file.write_text("\n".join([*lines[::-1], "no json"]))
    return file


@pytest.fixture
def rules(tmp_path: Path) -> tuple[Path, Path]:
    """The same rule with an hour, on trial, and with half an hour."""
    hour, half = tmp_path / "hour.yaml", tmp_path / "half.yaml"
    hour.write_text(RULE % "60m")
    half.write_text(RULE % "30m")
    return hour, half


def words(history: Path, rules: tuple[Path, Path]) -> list[object]:
    """The command for both."""
    return ["backtest", history, "--assume-consent", "--rules", rules[0], "--against", rules[1], "--jobs", 1]


def test_the_table_says_what_changes(retarget: Retarget, history: Path, rules: tuple[Path, Path]) -> None:
    """One reminder comes half an hour later, one is not needed any more."""
    answer = retarget(*words(history, rules))
    assert answer.code == 0
    assert answer.out.splitlines() == [
        f"{history}: 7 records, 1 unusable",
        "",
        "rule            channel  against  rules  added  removed  moved    by",
        "forgotten_cart  push           2      1      -        1      1  +30m",
        "all                            2      1      -        1      1  +30m",
        "",
        "                               against  rules",
        "messages                             2      1",
        "people with a message                2      1",
        "most to one person                   1      1",
        "most to one person on one day        1      1",
        "stopped by a cap                 0.00%  0.00%",
        "taken back                           1      -",
        "regretted                        0.00%  0.00%",
        "0 people get a message who got none; 1 get none who got one",
    ]
    assert re.fullmatch(r"read in .* s, worked off in .* by 1 processes: .*\n", answer.err)


def test_what_is_kept_back_alike_is_told_in_a_line(
    retarget: Retarget, history: Path, rules: tuple[Path, Path]
) -> None:
    """Of what was not sent, lines that are the same under both are counted; alone they are all there."""
    other = "---" + (RULE % "30m").replace("forgotten", "other")
    for rule in rules:
        rule.write_text(rule.read_text() + other)
    tried = ["backtest", history, "--rules", rules[0], "--jobs", 1]
    compared = retarget(*tried, "--against", rules[1]).out.splitlines()
    at = compared.index("not sent, or later  why         against  rules")
    assert compared[at + 1 : at + 4] == [
        "forgotten_cart      no_consent        2      1",
        "1 more: the same under both; --html and --json say all of it",
        "",
    ]
    same = retarget(*tried, "--against", rules[0]).out
    assert "what was not sent, or later: the same under both; --html and --json say all of it\n" in same
    assert "other_cart          no_consent      2\n" in retarget(*tried).out


def test_without_other_rules_there_is_no_difference(
    retarget: Retarget, history: Path, rules: tuple[Path, Path]
) -> None:
    """One set of rules is counted by itself."""
    answer = retarget("backtest", history, "--assume-consent", "--rules", rules[1], "--jobs", 1)
    assert answer.out.splitlines()[2:5] == [
        "rule            channel  sends",
        "forgotten_cart  push         2",
        "all                          2",
    ]
    assert "against" not in answer.out


def test_the_number_of_processes_changes_nothing(
    retarget: Retarget, history: Path, rules: tuple[Path, Path]
) -> None:
    """One process in this one, or several beside it: the same figures."""

    def figures(jobs: int) -> dict[str, Any]:
        answer = retarget(*words(history, rules)[:-1], jobs, "--json", "-")
        found: dict[str, Any] = json.loads(answer.out)
        found.pop("speed")
        return found

    assert figures(1) == figures(3)


def test_json_has_every_figure(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """With - the table gives way to it; with a name both are there."""
    found = json.loads(retarget(*words(history, rules), "--json", "-").out)
    assert found["changes"] == [
        {
            "rule": "forgotten_cart", "channel": "push", "added": 0, "removed": 1, "moved": 1, "same": 0,
            "later_ms": 30 * MINUTE,
        }
    ]  # fmt: skip
    assert found["rules"]["sends"] == [
        {"rule": "forgotten_cart", "channel": "push", "day": "2024-03-01", "count": 1}
    ]
    assert found["against"]["recalls"] == [{"rule": "forgotten_cart", "channel": "push", "count": 1}]
    assert (found["records"], found["unusable"], found["over_budget"]) == (7, {"not_json": 1}, [])
    answer = retarget(*words(history, rules), "--json", tmp_path / "found.json")
    assert answer.out
    written = json.loads((tmp_path / "found.json").read_text())
    assert written | {"speed": 0} == found | {"speed": 0}


def test_an_audience_left_by_a_rule_counts_as_a_send(retarget: Retarget, tmp_path: Path) -> None:
    """What an ending undoes is no word of a rule."""
    joins, leaves = tmp_path / "joins.yaml", tmp_path / "leaves.yaml"
    when = "rule: {}\nsubject: person\nquiet: {{after: 1m, opens: [{}]}}\n"
    joins.write_text(when.format("joins", "view") + "unless: [purchase]\nsteps: [{audience: {add: a}}]\n")
    leaves.write_text(when.format("leaves", "add") + "steps: [{audience: {remove: a}}]\n")
    told = [a_view("p", at=NOON), an_add("p", at=NOON + 10 * MINUTE)]
    told += [a_view("p", at=NOON, person="u2"), a_purchase("p", at=NOON + 20 * MINUTE, person="u2")]
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join(map(json.dumps, told)))

    words = ["backtest", file, "--assume-consent", "--rules", tmp_path, "--jobs", 1, "--json", "-"]
    figures = json.loads(retarget(*words).out)["rules"]

    sends = [(one["rule"], one["channel"], one["count"]) for one in figures["sends"]]
    assert sorted(sends) == [("joins", "ads", 2), ("leaves", "ads", 1)]
    assert (figures["recalls"], figures["reached"]) == ([], 0)


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and where it leads."""
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in ("meta", "rect", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The same for one that closes itself."""
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        """Every tag is closed in its place."""
        if tag in ("rect", "circle"):
            return
        assert self.open.pop() == tag


def test_the_page_stands_alone(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """One well-formed file with charts, for light and dark, that asks nobody for anything."""
    odd = history.rename(tmp_path / "<b>&history.jsonl")
    retarget(*words(odd, rules), "--html", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.links == []
    assert page.tags.count("svg") == 3
    assert not {"script", "link", "img", "iframe", "b&history.jsonl"} & set(page.tags)
    assert "prefers-color-scheme:dark" in text
    assert "http" not in text
    assert "url(" not in text
    assert "&lt;b&gt;&amp;history.jsonl" in text


def test_a_budget_that_is_exceeded_fails_it(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """Exit 1, a line for each broken limit with its place in the file; what is kept says nothing."""
    budget = tmp_path / "budget.yaml"
    budget.write_text(
        "prices: {push: 0.5}\n"
        "limits:\n"
        "  messages: 1\n"
        "  removed: 10%\n"
        "  added: 0\n"
        "  cost: 0.4\n"
        "  sends_per_channel_and_day:\n"
        "    push: 0\n"
        "    email: 0\n"
        "  messages_per_person: 0\n"
        "  messages_per_person_and_day: 1\n"
        "  regret: 0\n"
        "  over_cap: 0.5\n"
    )
    answer = retarget(*words(history, rules), "--budget", budget)
    assert answer.code == 1
    assert answer.err.splitlines()[1:] == [
        f"{budget}:4: limits.removed: 50.00% of 2 sends, the limit is 10.00%",
        f"{budget}:6: limits.cost: 0.50, the limit is 0.40",
        f"{budget}:8: limits.sends_per_channel_and_day.push: 1 on 2024-03-01, the limit is 0",
        f"{budget}:10: limits.messages_per_person: 1 to one person, the limit is 0",
    ]
    assert re.search(r"^cost +1\.00 +0\.50$", answer.out, re.MULTILINE)
    budget.write_text("limits: {removed: 50%}\n")
    assert retarget(*words(history, rules), "--budget", budget).code == 0


def test_what_is_wrong_with_a_budget_is_said_by_line(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """All at once, before anything is read."""
    budget = tmp_path / "budget.yaml"
    budget.write_text(
        "price: {}\n"
        "prices: {emial: 1, push: -1}\n"
        "limits:\n"
        "  regret: some\n"
        "  sends_per_channel_and_day: 5\n"
        "  mesages: 5\n"
        "  messages: true\n"
    )
    answer = retarget(*words(history, rules), "--budget", budget)
    assert (answer.code, answer.out) == (1, "")
    said = answer.err.splitlines()
    assert [line.split(": ")[0].removeprefix(f"{budget}:") for line in said] == [
        "1", "2", "2", "4", "5", "6", "7",
    ]  # fmt: skip
    assert "price: unknown; nearest: prices" in said[0]
    assert said[2].endswith("prices.push: found -1, expected a number from 0 on")
    assert said[3].endswith("limits.regret: found 'some', expected a share such as 5%")

    budget.write_text("limits:\n  messages: 3\n  added: 5%\n")
    alone = retarget("backtest", history, "--rules", rules[0], "--budget", budget)
    assert alone.code == 1
    assert alone.err == f"{budget}:3: limits.added: needs other rules to compare with; give --against\n"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("over_cap: 30", f"found 30, {MORE_THAN_ALL} 30%"),
        ("regret: 1.5", f"found 1.5, {MORE_THAN_ALL} 1.5%"),
        ("moved: 500", f"found 500, {MORE_THAN_ALL} a share such as 5%"),
        ("removed: 101%", f"found '101%', {MORE_THAN_ALL} a share such as 5%"),
        ("added: 30", "found 30, which may mean 30% or 3000%; expected one of them"),
    ],
)
def test_a_share_of_more_than_all_is_refused(limit: str, said: str, tmp_path: Path) -> None:
    """Percent without their sign would be a limit that nothing ever exceeds."""
    budget = tmp_path / "budget.yaml"
    budget.write_text(f"limits:\n  {limit}\n")

    with pytest.raises(BadInput) as refused:
        read_budget(budget)

    assert list(refused.value.problems) == [f"{budget}:2: limits.{limit.partition(':')[0]}: {said}"]


def test_shares_up_to_all_are_limits_and_more_may_be_added_than_there_was(tmp_path: Path) -> None:
    """A rule on trial may send three times as much as the others, but take back no more than all."""
    budget = tmp_path / "budget.yaml"
    budget.write_text("limits: {over_cap: 1, regret: 100%, removed: 0.3, added: 250 %}\n")

    assert [limit.most for limit in read_budget(budget).limits] == [1, 1, 0.3, 2.5]


def test_what_cannot_be_tried_is_refused(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """Nothing to read, two inputs at once (wrong usage), wrong rules on either side: a line each."""
    assert retarget("backtest").err == "no input is given; name files, - for standard input, or --topic\n"
    both = retarget("backtest", history, "--topic", "touchpoints", "--as-is")
    assert (both.code, len(both.err.splitlines())) == (2, 2)
    assert retarget("backtest", tmp_path / "none.jsonl").err.endswith("there is no such file\n")
    rules[0].write_text("rule: a\nsubjet: person\n")
    rules[1].write_text("rule: [b\n")
    wrong = retarget(*words(history, rules))
    assert wrong.code == 1
    assert {line.split(":")[0] for line in wrong.err.splitlines()} == {str(path) for path in rules}


def test_no_file_is_read_and_written(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """Input and budget stay as they are, and two results have two files."""
    budget, out = tmp_path / "budget.yaml", tmp_path / "out"
    budget.write_text("limits: {messages: 10}\n")
    before = history.read_text()
    answer = retarget(*words(history, rules), "--json", history, "--html", out)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"--json {history}: the same file is read; name another\n"
    answer = retarget(*words(history, rules), "--budget", budget, "--html", budget)
    assert (answer.code, answer.err.count("the same file is read")) == (2, 1)
    answer = retarget(*words(history, rules), "--json", out, "--html", out)
    assert answer.err == f"--html {out}: the same file is named by --json; name another\n"
    assert (history.read_text(), out.exists()) == (before, False)


def test_a_place_that_cannot_be_written_is_told_at_once(
    retarget: Retarget, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """Before the input is read: that this one is broken, nobody has seen."""
    there, broken = tmp_path / "nowhere" / "found.json", tmp_path / "broken.jsonl.gz"
    broken.write_text("not packed")
    answer = retarget("backtest", broken, "--rules", rules[0], "--json", there)
    assert answer.code == 1
    assert answer.err == f"{there}: cannot be written: No such file or directory\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_disk_that_is_full_is_told(
    retarget: Retarget, history: Path, rules: tuple[Path, Path], option: str
) -> None:
    """The figures are printed all the same."""
    answer = retarget(*words(history, rules), option, "/dev/full")
    assert (answer.code, answer.err) == (1, "/dev/full: cannot be written: No space left on device\n")
    assert answer.out.startswith(str(history))


def test_one_gate_that_stops_everything_is_named(
    retarget: Retarget, history: Path, rules: tuple[Path, Path]
) -> None:
    """Data without consent sends nothing; the command says which setting to look at."""
    answer = retarget("backtest", history, "--rules", rules[1], "--jobs", 1)
    assert (answer.code, "forgotten_cart      no_consent  " in answer.out) == (0, True)
    assert "every candidate was stopped by the gate no_consent: " in answer.err
    assert "--assume-consent" in answer.err


def test_only_names_rules_of_either_side(retarget: Retarget, history: Path, rules: tuple[Path, Path]) -> None:
    """A name that neither side has is refused."""
    answer = retarget(*words(history, rules), "--only", "forgotten_crat")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "--only: no rule is named forgotten_crat; nearest: forgotten_cart\n"


def test_a_broker_that_is_not_there_is_exit_3(retarget: Retarget) -> None:
    """It says where it looked."""
    answer = retarget("backtest", "--topic", "--set", "kafka.bootstrap=127.0.0.1:1")
    assert answer.code == 3
    assert "127.0.0.1:1" in answer.err


def test_the_budget_of_the_manual_is_one() -> None:
    """What docs/backtest.md shows can be used, and has every limit there is."""
    text = (ROOT / "docs" / "backtest.md").read_text()
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(shown)
        file.flush()
        budget = read_budget(Path(file.name))
    assert {limit.name for limit in budget.limits} == set(KINDS)


def test_ctrl_c_ends_it_in_silence(tmp_path: Path) -> None:
    """Exit 130, no traceback of any process, and no temporary files left behind."""
    shop = tmp_path / "shop.jsonl"
    events = islice(simulate(open_shop(1), seed=1, people=200, start_ms=NOON), 30_000)
    shop.write_bytes(b"\n".join(map(encode_touchpoint, events)))
    room = tmp_path / "room"
    room.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
    command = ["backtest", str(shop), "--against", str(default_rules_dir()), "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "streams", *command, "--assume-consent"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=ROOT,
        env=clean | {"TMPDIR": str(room)},
    ) as running:  # fmt: skip
        deadline = time.monotonic() + 60
        parts, left = 0, 0
        while left == parts:  # until one is worked off
            left = len([*room.glob("retarget-backtest-*/events-*")])
            parts = max(parts, left)
            assert time.monotonic() < deadline
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"it has ended by itself with {running.wait(0.05)}")
        os.killpg(running.pid, signal.SIGINT)
        said, wrong = running.communicate(timeout=60)
    assert (running.returncode, said, wrong) == (130, b"", b"")
    assert list(room.iterdir()) == []


def test_files_are_held_no_longer_than_by_a_replay(
    retarget: Retarget, rules: tuple[Path, Path], tmp_path: Path
) -> None:
    """A purchase a second after the wait is not known before it, unless somebody asks for lateness."""
    events = [
        an_add("p1", at=NOON, person="late"),
        a_purchase("p1", at=NOON + 30 * MINUTE + 1000, person="late"),
        a_view("p1", at=NOON + 600 * MINUTE, person="late"),
    ]
    file = tmp_path / "close.jsonl"
    file.write_text("\n".join(json.dumps(event) for event in events))
    asked = ("--rules", rules[1], "--assume-consent", "--set", "quiet_hours.enabled=false")
    sent = retarget("replay", file, *asked).out
    figures = json.loads(retarget("backtest", file, *asked, "--json", "-").out)
    held = json.loads(retarget("backtest", file, *asked, "--json", "-", "--lateness", "2s").out)
    assert sent.count('"operation":"send"') == 1
    assert [figures["rules"]["messages"], held["rules"]["messages"]] == [1, 0]


DROP: Final = """
rule: cheaper
description: What somebody looked at is cheaper now.
subject: product
catalogue: {of: price, within: 30d}
if: product.price_now < product.price
steps: [{channels: [push], template: cheaper}]
"""


def test_prices_of_a_catalogue_are_told_to_everybody(retarget: Retarget, tmp_path: Path) -> None:
    """Whoever looked hears of it, whichever part they are in; also of what comes after the last event."""
    events, listed, rule = (tmp_path / name for name in ("events.jsonl", "listed.jsonl", "rule.yaml"))
    views = [a_view(at=NOON, person=f"u{n}", items=[an_item("p1", price=20)]) for n in range(9)]
    events.write_text("\n".join(json.dumps(event) for event in views))
    prices = [{"product_id": "p1", "price": price, "time": NOON + MINUTE} for price in (30, 10)]
    listed.write_text("\n".join([*map(json.dumps, prices), '{"product_id": "p1"}']))
    rule.write_text(DROP)
    tried = ["backtest", events, "--rules", rule, "--assume-consent", "--jobs", 1, "--catalogue", listed]
    answer = retarget(*tried)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[0] == f"{events}: 12 records, 1 unusable"
    assert answer.out.splitlines()[3].split() == ["cheaper", "push", "9"]
    assert "put in by time" in retarget(*tried, "--as-is").err
