import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from streams.resources import default_rules_dir
from streams.rulebook import rule_files
from tests.streams.commands.conftest import Retarget

HERE: Final = Path(__file__).parent


def test_the_rules_that_ship_have_no_problems(retarget: Retarget) -> None:
    """Without files the rules of the setting are looked at."""
    answer = retarget("check")
    assert answer.code == 0
    assert re.fullmatch(r"22 rules, \d+ cases in \d+\.\d s: no problems\n", answer.out)
    assert answer.err == ""


def test_every_rule_that_ships_has_three_cases(retarget: Retarget) -> None:
    """Beside each rule lies a file of its name, about that rule, and every case in it runs."""
    for rule in rule_files(default_rules_dir()):
        answer = retarget("check", rule)
        found = re.fullmatch(r"1 rule, (\d+) cases in \d+\.\d s: no problems\n", answer.out)
        assert found, answer.err
        assert int(found[1]) >= 3, rule


def test_wrong_rules_are_listed_with_their_lines(retarget: Retarget, tmp_path: Path) -> None:
    """Every problem of every file has a line with file and line number; exit 1."""
    (tmp_path / "a.yaml").write_text("rule: a\nsubjet: person\n")
    (tmp_path / "b.yaml").write_text("rule: [b\n")
    answer = retarget("check", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert any(line.startswith(f"{tmp_path}/a.yaml:2:") for line in answer.err.splitlines())
    assert any(line.startswith(f"{tmp_path}/b.yaml:") for line in answer.err.splitlines())


def broken(retarget: Retarget, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What is said of the folder of broken files, without the summary."""
    monkeypatch.chdir(HERE)
    answer = retarget("check", *words)
    assert (answer.code, answer.out) == (1, "")
    *lines, last = answer.err.splitlines()
    assert re.fullmatch(r"2 rules, 5 cases in \d+\.\d s: 145 problems", last)
    return lines


def test_each_mistake_is_found_on_its_line_and_none_twice(
    retarget: Retarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder of broken files each wrong line ends in `# <-`, or in several of them."""
    marked = Counter({
        f"{file.relative_to(HERE)}:{number}": line.count("<-")
        for file in sorted((HERE / "broken").iterdir())
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if "# <-" in line
    })  # fmt: skip
    said = broken(retarget, monkeypatch, "broken")

    heads = [found[1] for line in said if (found := re.match(r"(\S+:\d+): ", line))]
    assert Counter(heads) == marked
    assert len({head.partition(":")[0] for head in heads}) >= 40


def test_what_is_said_of_the_broken_files(retarget: Retarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are those of broken.txt; a change of them is seen here first."""
    said = broken(retarget, monkeypatch, "broken")

    assert said == (HERE / "broken.txt").read_text(encoding="utf-8").splitlines()


def test_a_file_that_is_named_twice_is_read_once(retarget: Retarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a file in it are not two rules of one name."""
    once = broken(retarget, monkeypatch, "broken")

    assert once == broken(retarget, monkeypatch, "broken", "broken/right.yaml", "broken/../broken/alias.yaml")


def test_a_file_of_cases_brings_the_rules_beside_it(retarget: Retarget, tmp_path: Path) -> None:
    """Cases alone run with the rules of their folder; a rule brings the cases of its own name."""
    for name in ("win_back.yaml", "win_back.cases.yaml", "first_purchase.yaml"):
        (tmp_path / name).write_text((default_rules_dir() / name).read_text())

    cases = retarget("check", tmp_path / "win_back.cases.yaml")
    rule = retarget("check", tmp_path / "win_back.yaml")

    assert cases.out.startswith("0 rules, 6 cases in ")
    assert rule.out.startswith("1 rule, 6 cases in ")


def test_cases_of_a_wrong_rule_beside_them_cannot_run(retarget: Retarget, tmp_path: Path) -> None:
    """Whoever names only the cases is sent to the rule's own mistakes."""
    (tmp_path / "win_back.yaml").write_text("rule: win_back\n")
    (tmp_path / "win_back.cases.yaml").write_text((default_rules_dir() / "win_back.cases.yaml").read_text())

    alone = retarget("check", tmp_path / "win_back.cases.yaml")
    both = retarget("check", tmp_path)

    assert alone.err.splitlines()[0] == (
        f"{tmp_path}/win_back.cases.yaml:1: $.rule: found win_back, which has mistakes itself; "
        "known: mend them first"
    )
    assert "cases.yaml" not in both.err


def test_names_that_nothing_answers_to_are_warned_about(retarget: Retarget) -> None:
    """Caps whose name is a typing error would do nothing, silently; it may be a tag of rules to come."""
    answer = retarget("check", "--set", "caps.emial=1/1d")
    assert answer.code == 0
    assert answer.err.splitlines() == [
        "warning: caps.emial: no channel, purpose or tag of a rule has this name; nearest: email",
    ]


def test_offers_without_a_secret_are_warned_about(retarget: Retarget) -> None:
    """Whoever has rules of their own is told, until there is one."""
    own = f"rules.dir={default_rules_dir()}"
    assert retarget("check", "--set", own).err.startswith("warning: offers.secret: not set, so whoever knows")
    assert retarget("check", "--set", own, "--set", "offers.secret=x").err == ""


def test_codes_from_a_pool_that_is_not_there_are_warned_about(retarget: Retarget, tmp_path: Path) -> None:
    """A worker would refuse the rule; whoever only lints it may have no codes."""
    (tmp_path / "thanks.yaml").write_text(
        "rule: thanks\ndescription: x\nsubject: person\nevent: purchase\n"
        "steps: [{channels: [email], template: win-back, offer: {percent: 5, expires: 48h, codes: spring}}]\n"
    )
    answer = retarget("check", tmp_path, "--set", "offers.codes=sprin=/codes.txt")
    assert answer.code == 0
    assert answer.err.splitlines() == [
        "warning: offers.codes: no pool spring, as rule thanks takes codes from; nearest: sprin"
    ]
    assert retarget("check", tmp_path, "--set", "offers.codes=spring=/codes.txt").err == ""


def test_a_folder_that_is_not_there_is_a_problem(retarget: Retarget, tmp_path: Path) -> None:
    """The path is named."""
    answer = retarget("check", tmp_path / "nowhere")
    assert answer.code == 1
    assert f"{tmp_path}/nowhere" in answer.err


def test_names_that_nobody_knows_are_told_where_none_are_declared(retarget: Retarget, tmp_path: Path) -> None:
    """A typing error costs nothing yet: others may have that template. With a declaration it is a mistake."""
    rule = tmp_path / "left.yaml"
    rule.write_text(
        "rule: left\nsubject: cart\nquiet: {after: 30m, opens: add}\n"
        "steps: [{channels: [email], template: cart-remindr-1}]\n"
    )
    answer = retarget("check", rule)
    assert answer.code == 0
    where = f"{rule}:4: $.steps[0].template: unknown template of email 'cart-remindr-1'; "
    assert answer.err.startswith(f"warning: {where}")
    assert "nearest: cart-reminder-1" in answer.err

    (tmp_path / "shop.names.yaml").write_text("audiences: []\n")
    for what in (rule, tmp_path, tmp_path / "shop.names.yaml"):
        answer = retarget("check", what)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith(where)
    assert retarget("rules", "publish", tmp_path).err.startswith(where)
