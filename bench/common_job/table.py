"""The table of a report: medians, the spread, and how many times less CPU than each peer."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.common_job.measure import Figures

_HEAD: Final = """\
| program | events | runs | CPU µs/event | without start | events/s | peak MB | wrong | CPU, times ours |
|---|---:|---:|---:|---:|---:|---:|---|---:|"""
_WRONG: Final = ("missing", "extra", "duplicates")


def table(runs: Sequence[Figures]) -> str:
    """Markdown. `wrong`: most missing / extra / double messages of a run. Ratios are without start."""
    groups: dict[tuple[str, int], list[Figures]] = {}
    for one in runs:
        groups.setdefault((one.program, one.events), []).append(one)
    ours = {events: _running(found) for (name, events), found in groups.items() if name == "retarget"}
    return "\n".join([_HEAD, *(_row(name, events, found, ours) for (name, events), found in groups.items())])


def _running(found: Sequence[Figures]) -> float:
    return median(one.cpu_us_per_event_running for one in found)


def _row(name: str, events: int, found: Sequence[Figures], ours: dict[int, float]) -> str:
    running = [one.cpu_us_per_event_running for one in found]
    rates = [one.events_per_s for one in found if one.events_per_s]
    wrong = " / ".join(str(max(getattr(one, key) for one in found)) for key in _WRONG)
    base = ours.get(events)
    ratio = f"{median(running) / base:.1f}" if base and name != "retarget" else ""
    cells = [
        name, f"{events:,}", str(len(found)), f"{median(one.cpu_us_per_event for one in found):.1f}",
        f"{median(running):.1f} ({min(running):.1f}-{max(running):.1f})",
        f"{median(rates):,.0f}" if rates else "",
        f"{median(one.peak_rss_mb for one in found):.0f}", wrong, ratio,
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"
