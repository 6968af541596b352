"""The bench of the collector: which figures keep their bounds."""

from __future__ import annotations

import pytest

from bench import sheet
from bench.collector import QUESTION, verdicts


def figures(rate: int, times: float) -> dict[str, object]:
    """What was measured, with one dialect."""
    decode = {"canonical": {"times_numbers": 9.0}, "segment": {"times_numbers": times}}
    return {"collector": {"events_per_second": rate}, "decode": decode}


@pytest.mark.parametrize(
    ("rate", "times", "kept"),
    [
        (5_000, 3.0, [True, True]),
        (4_999, 3.0, [False, True]),
        (5_000, 3.01, [True, False]),
    ],
)
def test_a_figure_beyond_its_bound_is_told(rate: int, times: float, kept: list[bool]) -> None:
    """Each with its line; the canonical form is what the others are measured by."""
    assert [one for _, one in verdicts(figures(rate, times))] == kept


def test_the_kept_figures_have_every_line() -> None:
    """Those of the last run, with a row for records that are told by their content."""
    told = [line for line, _ in verdicts(sheet.read(QUESTION).figures)]
    assert told[0].startswith("collector: ")
    assert any(line.startswith("auto") for line in told)
