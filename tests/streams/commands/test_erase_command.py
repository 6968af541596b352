"""`retarget erase` says what still holds somebody, how that goes, and what shows that it has gone."""

from __future__ import annotations

import pytest

from streams.commands.erase import left_behind
from streams.settings import load_settings

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


def test_what_keeps_for_ever_names_its_setting() -> None:
    """Without it no scan is ever clean."""
    (line,) = [line for line in said(FOLDER, FOR_EVER, former=0) if "keeps for ever" in line]
    assert "set snapshot.folder, and snapshot.merge_kept to more than 0" in line
