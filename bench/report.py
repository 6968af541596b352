"""The measured part of docs/performance.md, made anew from bench/results: `python -m bench.report`."""

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

PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN: Final = "<!-- measured: python -m bench.report -->"
END: Final = "<!-- end of the measured part -->"


def main() -> int:
    """Put the latest figures between the markers."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        print(f"{PAGE} has no lines {BEGIN} and {END}", file=sys.stderr)
        return 1
    PAGE.write_text(f"{before}{BEGIN}\n\n{measured()}\n\n{END}{after}", encoding="utf-8")
    return 0


def measured() -> str:
    """The text between the markers."""
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
