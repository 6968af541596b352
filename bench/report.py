"""The measured part of docs/performance.md, made anew from bench/results: `python -m bench.report`."""

from __future__ import annotations

import sys
from typing import Final

import msgspec

from bench import stages
from bench.common_job.peers import ROOT
from bench.common_job.run import LATEST, Report, read
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
    report: Report = read(LATEST)
    parts = [_circumstances(report), table(report.runs)]
    if stages.LATEST.is_file():
        result = msgspec.json.decode(stages.LATEST.read_bytes(), type=stages.Stages)
        head = f"Stages of one run over {result.figures.events:,} events"
        busy = f"others kept {result.figures.other_cores:.1f} cores busy meanwhile"
        parts += [f"{head} ({busy}):", stages.table(result)]
    return "\n\n".join(parts)


def _circumstances(report: Report) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items())
    others = [one.other_cores for one in report.runs]
    pieces = [one.calibration_ms for one in report.runs]
    return "\n".join(
        [
            f"- {report.date}, {report.machine}",
            f"- {versions}",
            f"- settings of the call: {settings}",
            f"- noise: other programs kept {min(others):.1f} to {max(others):.1f} cores busy during the runs",
            f"- a fixed piece of work took {min(pieces):.1f} to {max(pieces):.1f} ms of CPU",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
