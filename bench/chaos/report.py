"""The measured part of docs/chaos.md, from bench/results/chaos: `python -m bench.chaos.report`."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.chaos import store_faults
from bench.chaos.bounds import FAULTS, MOST_S, OF_EACH
from bench.chaos.faults import KINDS
from bench.chaos.records import RESULTS, Began, Ended, Happened, read
from bench.chaos.soak import GROWTH, soaked

assert store_faults.__name__  # its faults are in KINDS once it is imported
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "chaos.md"
BEGIN: Final = "<!-- measured: python -m bench.chaos.report -->"
END: Final = "<!-- end of the measured part -->"


class Run(NamedTuple):
    """One log. `ended` is None when the run broke off."""

    name: str
    began: Began
    faults: list[Happened]
    ended: Ended | None


def main() -> int:
    """Put what the logs say between the markers."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        print(f"{PAGE} has no lines {BEGIN} and {END}", file=sys.stderr)
        return 1
    text = "\n".join(measured(list(runs(sorted(RESULTS.glob("*.jsonl"))))))
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    return 0


def runs(paths: Iterable[Path]) -> Iterator[Run]:
    """The logs, read."""
    for path in paths:
        lines = read(path)
        (began,) = [line for line in lines if isinstance(line, Began)]
        faults = [line for line in lines if isinstance(line, Happened)]
        ended = [line for line in lines if isinstance(line, Ended)]
        yield Run(path.name, began, faults, ended[0] if ended else None)


def measured(found: Sequence[Run]) -> list[str]:
    """The text between the markers."""
    ended = [run.ended for run in found if run.ended is not None]
    faults = [fault for run in found for fault in run.faults]
    differences = sum(len(end.differences) for end in ended)
    versions = sorted({f"{name} {number}" for run in found for name, number in run.began.versions.items()})
    outputs, events = sum(end.outputs for end in ended), sum(end.events for end in ended)
    summary = f"{len(faults)} faults in {len(found)} runs, {events:,} events in, {outputs:,} outputs compared"
    told = "" if differences else ": 0 missing, 0 twice, 0 out of order, 0 caps exceeded"
    summary += f": **{differences} differences**{told} ({', '.join(versions)})."
    return [
        summary,
        "",
        *_kinds(faults),
        "",
        *_criteria(faults),
        *chain.from_iterable(_soak(run) for run in found if run.began.spared),
        "",
        *_runs(found),
    ]


def _kinds(faults: Sequence[Happened]) -> list[str]:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for fault in faults:
        by_kind[fault.kind].append(fault.recovered_s)
    head = ["| kind | what it is | times | back after, s: median | most |", "|---|---|---|---|---|"]
    return head + [
        f"| `{kind}` | {_meaning(kind)} | {len(took)} | {median(took):.1f} | {max(took):.1f} |"
        for kind, took in sorted(by_kind.items())
    ]


def _criteria(faults: Sequence[Happened]) -> list[str]:
    """What is required of the time to recover, and what it was."""
    times = Counter(dict.fromkeys(KINDS, 0))
    times.update(fault.kind for fault in faults)
    fewest, least = times.most_common()[-1]
    enough = "kept" if len(faults) >= FAULTS and least >= OF_EACH else "**not yet**"
    lines = [
        f"- {FAULTS} faults, each kind {OF_EACH} times: {enough} ({len(faults)}; `{fewest}` {least} times)"
    ]
    for kind, most_s in MOST_S.items():
        took = [fault.recovered_s for fault in faults if fault.kind == kind]
        kept = "kept" if max(took, default=0.0) <= most_s else "**exceeded**"
        lines.append(
            f"- `{kind}` at most {most_s:g} s: {kept} ({max(took, default=0.0):.1f} s, {len(took)} times)"
        )
    return lines


def _soak(run: Run) -> Iterator[str]:
    """How the worker that a soak spares grew."""
    try:
        measures = soaked(run.began.spared, run.faults)
    except ValueError as problem:
        yield f"- `{run.name}`: **not judged**: {problem}"
        return
    for each in measures:
        quarters = ", ".join(f"{quarter:.1f}" for quarter in each.quarters)
        kept = "kept" if each.flat else "**exceeded**"
        yield (
            f"- `{run.name}`, {each.what} of the worker no fault ends, last quarter at most {GROWTH:.0%} "
            f"above the second: {kept} ({each.growth:+.1%}; medians {quarters}, at most {each.most:.1f})"
        )


def _meaning(kind: str) -> str:
    said = (KINDS[kind].__doc__ or "").replace("\n", " ").split()
    return " ".join(said).rstrip(".")


def _runs(found: Sequence[Run]) -> list[str]:
    named = [
        "log",
        "commit",
        "store",
        "emit",
        "clock",
        "minutes",
        "a second",
        "faults",
        "ended by themselves",
        "events",
    ]
    named += ["outputs", "repeats dropped", "ended by the wall clock", "entries of the store", "verdict"]
    head = [f"| {' | '.join(named)} |", "|---" * len(named) + "|"]
    return head + [_row(run) for run in found]


def _row(run: Run) -> str:
    by_themselves = sum("by itself" in note for fault in run.faults for note in fault.noted)
    cells = [
        f"`{run.name}`",
        run.began.commit,
        run.began.layout,
        run.began.emit,
        run.began.clock,
        f"{run.began.minutes:g}",
        f"{run.began.rate:g}",
        str(len(run.faults)),
        str(by_themselves),
    ]
    if run.ended is None:
        cells += ["-", "-", "-", "-", "-", "broken off"]
    else:
        verdict = f"{len(run.ended.differences)} differences" if run.ended.differences else "as undisturbed"
        compared = f"{run.ended.stored:,}" if run.ended.stored else "journeys"
        cells += [f"{run.ended.events:,}", f"{run.ended.outputs:,}", f"{run.ended.repeats:,}"]
        cells += [f"{run.ended.by_wall:,}", compared, verdict]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
