"""The measured parts of docs/performance.md, made anew from bench/results: `python -m bench.report`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from bench import sheet, stages
from bench.common_job.measure import Figures
from bench.common_job.peers import ROOT
from bench.common_job.run import QUESTION
from bench.common_job.table import table
from bench.lines import Line, listed

PAGE: Final = ROOT / "docs" / "performance.md"
BOARD: Final = "board"
BEGIN: Final = "<!-- {}: python -m bench.report -->"
END: Final = "<!-- end of {} -->"


def main() -> int:
    """Put the latest figures between the markers."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (("measured", measured()), (BOARD, board())):
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        if not after:
            print(f"{PAGE} has no lines {begin} and {end}", file=sys.stderr)
            return 1
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    PAGE.write_text(page, encoding="utf-8")
    return 0


def board() -> str:
    """Every line of the last `make bench`."""
    told = sheet.read(BOARD)
    return f"{sheet.told(told)}\n\n{listed(msgspec.convert(told.figures, list[Line]))}"


def measured() -> str:
    """The common job, and the stages of one run."""
    job, split = sheet.read(QUESTION), sheet.read(stages.QUESTION)
    runs = msgspec.convert(job.figures, list[Figures])
    result = msgspec.convert(split.figures, stages.Stages)
    head = f"Stages of one run over {result.figures.events:,} events"
    busy = f"others kept {result.figures.other_cores:.1f} cores busy meanwhile"
    parts = [sheet.told(job) + _noise(runs), table(runs), f"{head} ({busy}):", stages.table(result)]
    return "\n\n".join(parts)


def _noise(runs: Sequence[Figures]) -> str:
    others = [one.other_cores for one in runs]
    return f"\n- noise: others kept {min(others):.1f} to {max(others):.1f} cores busy during the runs"


if __name__ == "__main__":
    sys.exit(main())
