"""`retarget erase` says what still holds somebody, how that goes, and what shows that it has gone."""

from __future__ import annotations

import pytest

from streams.commands.erase import left_behind
from streams.settings import load_settings
from tests.streams.commands.conftest import Retarget

FOLDER = "snapshot.folder=here"
FOR_EVER = "snapshot.merge_kept=0"
RENEW = "retarget erase --snapshots ann a1"


def said(*overrides: str, former: int | None) -> list[str]:
    """The lines about one person with two ids."""
    return [*left_behind(load_settings(overrides=overrides), ["ann", "a1"], former)]


@pytest.mark.parametrize(
    ("overrides", "former", "wanted"),
    [
        ([], None, ["snapshot.folder is not set", "retarget.internal.merge keeps for ever"]),
        ([FOLDER, FOR_EVER], 2, ["2 snapshots are from before", "retarget.internal.merge keeps for ever"]),
        ([FOLDER], 1, ["1 snapshots are from before and hold them"]),
        ([FOLDER], 0, []),
    ],
)
def test_what_is_left_is_told_with_what_removes_it(
    overrides: list[str], former: int | None, wanted: list[str]
) -> None:
    """Each with its command; at the end the one that proves it, for all ids."""
    *lines, retention, proof = said(*overrides, former=former)
    assert [line.startswith(start) for line, start in zip(lines, wanted, strict=True)] == [True] * len(wanted)
    assert all(RENEW in line for line in lines if not line.startswith("snapshot.folder"))
    assert "until their retention ends" in retention
    assert proof.endswith("retarget erase --scan ann a1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-topics"], "--no-topics: is for --scan, without which the person would be erased"),
        (["--scan", "--snapshots"], "--snapshots: --scan erases nothing"),
        (["--scan", "--no-wait"], "--no-wait: --scan erases nothing"),
        (["--no-wait", "--snapshots"], "--snapshots: is done when all lanes have applied it"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: list[str], said: str, retarget: Retarget) -> None:
    """Before anything is asked or sent: nobody is erased by who meant to look."""
    answer = retarget("erase", "ann", *words, "--set", "store.url=redis://127.0.0.1:1")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(said)


@pytest.mark.parametrize("command", ["erase", "export"])
@pytest.mark.parametrize(
    ("name", "said"), [("", "found 0"), ("x" * 513, "found 513"), ("a\udcff", "in UTF-8")]
)
def test_what_nobody_can_be_called_is_refused(command: str, name: str, said: str, retarget: Retarget) -> None:
    """With what an id must be like."""
    answer = retarget(command, name, "--set", "store.url=redis://127.0.0.1:1")
    assert answer.code == 2
    assert said in answer.err
    assert "PERSON" in answer.err


def test_what_keeps_for_ever_names_its_setting() -> None:
    """Without it no scan is ever clean."""
    (line,) = [line for line in said(FOLDER, FOR_EVER, former=0) if "keeps for ever" in line]
    assert "set snapshot.folder, and snapshot.merge_kept to more than 0" in line
