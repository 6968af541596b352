from pathlib import Path

from streams.resources import default_rules_dir
from tests.streams.commands.conftest import Retarget


def test_the_rules_that_ship_have_no_problems(retarget: Retarget) -> None:
    """Without files the rules of the setting are looked at."""
    answer = retarget("check")
    assert answer.code == 0
    assert answer.out.endswith("rules, no problems\n")
    assert answer.err == ""


def test_wrong_rules_are_listed_with_their_lines(retarget: Retarget, tmp_path: Path) -> None:
    """Every problem of every file has a line with file and line number; exit 1."""
    (tmp_path / "a.yaml").write_text("rule: a\nsubjet: person\n")
    (tmp_path / "b.yaml").write_text("rule: [b\n")
    answer = retarget("check", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert any(line.startswith(f"{tmp_path}/a.yaml:2:") for line in answer.err.splitlines())
    assert any(line.startswith(f"{tmp_path}/b.yaml:") for line in answer.err.splitlines())


def test_test_cases_are_left_out_with_a_note(retarget: Retarget, tmp_path: Path) -> None:
    """A file of cases is no rule, whether it is named or lies in the folder."""
    rule = default_rules_dir() / "win_back.yaml"
    (tmp_path / "win_back.yaml").write_text(rule.read_text())
    (tmp_path / "win_back.cases.yaml").write_text("nothing: yet\n")
    answer = retarget("check", tmp_path)
    assert (answer.code, answer.out) == (0, "1 rule, no problems\n")
    assert answer.err == "note: 1 file of test cases not looked at\n"


def test_names_that_nothing_answers_to_are_warned_about(retarget: Retarget) -> None:
    """Caps and channels whose name is a typing error would do nothing, silently."""
    answer = retarget("check", "--set", "caps.emial=1/1d", "--set", "channels.external=emails")
    assert answer.code == 0
    assert answer.err.splitlines() == [
        "warning: caps.emial: no channel, purpose or tag of a rule has this name; nearest: email",
        "warning: channels.external: no channel has the name emails; nearest: email",
    ]


def test_a_folder_that_is_not_there_is_a_problem(retarget: Retarget, tmp_path: Path) -> None:
    """The path is named."""
    answer = retarget("check", tmp_path / "nowhere")
    assert answer.code == 1
    assert f"{tmp_path}/nowhere" in answer.err
