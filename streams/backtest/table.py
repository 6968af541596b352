"""The table that a backtest prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from retarget.times import format_duration
from streams.backtest.budget import over_cap
from streams.backtest.figures import Change, Figures
from streams.backtest.report import Prices, Report, cost

_NOTHING: Final = "-"


def table(report: Report, prices: Prices) -> str:
    """What was read, sends by rule and channel, what stopped the others, and whom it reached."""
    sections = [[_read(report)], _sends(report), _stopped(report), _summary(report, prices)]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _read(report: Report) -> str:
    unusable = sum(report.unusable.values())
    return f"{report.source}: {report.records:,} records, {unusable:,} unusable"


def _sends(report: Report) -> list[str]:
    outcome = report.outcome
    mine = outcome.rules.by_row()
    if outcome.against is None or outcome.comparison is None:
        rows = [[rule, channel, _whole(mine[rule, channel])] for rule, channel in sorted(mine)]
        return _aligned(["rule", "channel", "sends"], [*rows, ["all", "", _whole(mine.total())]], texts=2)
    theirs, changes = outcome.against.by_row(), outcome.comparison.changes
    rows = [
        [*row, _whole(theirs[row]), _whole(mine[row]), *_change(changes.get(row, Change()))]
        for row in sorted({*mine, *theirs})
    ]
    rows.append(
        ["all", "", _whole(theirs.total()), _whole(mine.total()), *_change(outcome.comparison.total())]
    )
    head = ["rule", "channel", "against", "rules", "added", "removed", "moved", "by"]
    return _aligned(head, rows, texts=2)


def _change(change: Change) -> list[str]:
    return [_whole(change.added), _whole(change.removed), _whole(change.moved), moved_by(change)]


def moved_by(change: Change) -> str:
    """How much later, or earlier, the moved sends are on average."""
    mean = round(change.later_ms / change.moved / 1000) * 1000 if change.moved else 0
    return ("-" if mean < 0 else "+") + format_duration(abs(mean)) if mean else _NOTHING


def _stopped(report: Report) -> list[str]:
    every = reasons(report)
    rows = [row for row in every if report.against is None or row[-1] != row[-2]]
    lines = _aligned(["not sent, or later", "why", *_heads(report)], rows, texts=2) if rows else []
    if same := len(every) - len(rows):
        told = f"{same:,} more" if rows else "what was not sent, or later"
        lines.append(f"{told}: the same under both; --html and --json say all of it")
    return lines


def reasons(report: Report) -> list[list[str]]:
    """What kept messages back, by rule: the gate, or which cap; and what quiet hours or a cap put off."""
    mine, theirs = (_reasons(figures) for figures in (report.outcome.rules, report.outcome.against))
    return [[*key, *_both(report, theirs.get(key, 0), mine.get(key, 0))] for key in sorted({*mine, *theirs})]


def _reasons(figures: Figures | None) -> Mapping[tuple[str, str], int]:
    if figures is None:
        return {}
    stopped = {(rule, why): n for (rule, outcome, why), n in figures.outcomes.items() if outcome != "sent"}
    capped = {(rule, f"cap {cap}"): n for (rule, cap), n in figures.caps.items()}
    put_off = {(rule, "put off"): n for rule, n in figures.deferred.items()}
    return {key: n for key, n in stopped.items() if key[1] != "cap"} | capped | put_off


def _summary(report: Report, prices: Prices) -> list[str]:
    return [*_aligned(["", *_heads(report)], summary_rows(report, prices), texts=1), *people(report)]


def summary_rows(report: Report, prices: Prices) -> list[list[str]]:
    """Reach, regret, caps and cost."""
    rules, against = report.outcome.rules, report.outcome.against
    return [
        [name, *_both(report, get(against) if against is not None else "", get(rules))]
        for name, get in _lines(prices)
    ]


def people(report: Report) -> list[str]:
    """Whom it reaches now and did not before."""
    comparison = report.outcome.comparison
    if comparison is None:
        return []
    new, lost = comparison.newly_reached, comparison.no_longer_reached
    return [f"{new:,} people get a message who got none; {lost:,} get none who got one"]


def _lines(prices: Prices) -> Iterator[tuple[str, Any]]:
    yield "messages", lambda found: found.messages()
    yield "people with a message", lambda found: found.reached
    yield "most to one person", lambda found: found.most_per_person
    yield "most to one person on one day", lambda found: found.most_per_person_day
    yield "stopped by a cap", lambda found: f"{over_cap(found):.2%}"
    yield "taken back", lambda found: sum(found.recalls.values())
    yield "regretted", lambda found: f"{found.regret():.2%}"
    if prices:
        yield "cost", lambda found: f"{cost(found, prices):,.2f}"


def _heads(report: Report) -> list[str]:
    return ["against", "rules"] if report.against is not None else ["rules"]


def _both(report: Report, theirs: int | str, mine: int | str) -> list[str]:
    found = [theirs, mine] if report.against is not None else [mine]
    return [one if isinstance(one, str) else _whole(one) for one in found]


def _whole(number: int) -> str:
    return f"{number:,}" if number else _NOTHING


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> list[str]:
    """Columns of equal width: the first `texts` to the left, the others to the right."""
    every = [head, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column < texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in every
    ]
