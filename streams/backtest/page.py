"""The page: a backtest as one HTML file with charts, which asks no other host for anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from html import escape
from typing import Final

from streams.backtest import charts
from streams.backtest.charts import Series
from streams.backtest.figures import Change, Figures, Row
from streams.backtest.report import Prices, Report
from streams.backtest.table import moved_by, people, reasons, summary_rows

_STYLE: Final = """
:root{color-scheme:light dark;--back:#fff;--text:#1d2330;--soft:#5d6675;--rule:#d9dee6;--before:#8a94a6;
--after:#1f6feb;--added:#1a7f4b;--removed:#c0392b;--moved:#c98a00;--same:#b9c1cd;--bad:#fdecea}
@media(prefers-color-scheme:dark){:root{--back:#14181f;--text:#e4e8ee;--soft:#9aa5b5;--rule:#323a47;
--before:#7b8798;--after:#5aa2ff;--added:#3fb97a;--removed:#ef6a5b;--moved:#e0ab3a;--same:#475263;--bad:#3b1f1d}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1rem 4rem;max-width:60rem;background:var(--back);color:var(--text);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}
p{margin:.3rem 0}.soft,figcaption{color:var(--soft);font-size:.9rem}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--text);font:12px system-ui,sans-serif}svg text.number{fill:var(--soft);font-size:11px}
figure{margin:1rem 0}
.grid{stroke:var(--rule)}.line{fill:none!important;stroke-width:2}
.before{fill:var(--before);stroke:var(--before);background:var(--before)}
.after{fill:var(--after);stroke:var(--after);background:var(--after)}
rect{stroke:none!important}
.added{fill:var(--added);background:var(--added)}.removed{fill:var(--removed);background:var(--removed)}
.moved{fill:var(--moved);background:var(--moved)}.same{fill:var(--same);background:var(--same)}
.legend span{margin-right:1.2rem;font-size:.9rem;white-space:nowrap}
.legend i{display:inline-block;width:.8rem;height:.8rem;margin-right:.35rem;border-radius:2px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--rule);
font-variant-numeric:tabular-nums;white-space:nowrap}
th{color:var(--soft);font-weight:600}td.text,th.text{text-align:left}
.over{background:var(--bad);padding:.6rem 1rem;border-left:4px solid var(--removed);margin:1rem 0}
"""
_BEFORE: Final = "the rules compared with"
_AFTER: Final = "the rules on trial"
_KINDS: Final = {"same": "the same", "moved": "moved", "added": "added", "removed": "removed"}


def page(report: Report, prices: Prices, broken: Sequence[str]) -> str:
    """The whole page."""
    body = "\n".join(_body(report, prices, broken))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Backtest of {escape(report.rules)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _body(report: Report, prices: Prices, broken: Sequence[str]) -> Iterator[str]:
    against = f" against <b>{escape(report.against)}</b>" if report.against is not None else ""
    yield f"<h1>Backtest</h1><p><b>{escape(report.rules)}</b>{against}</p>"
    unusable = sum(report.unusable.values())
    yield f'<p class="soft">{escape(report.source)}: {report.records:,} records, {unusable:,} unusable</p>'
    if broken:
        said = "".join(f"<p>{escape(line)}</p>" for line in broken)
        yield f'<div class="over"><b>Over budget</b>{said}</div>'
    yield "<h2>In short</h2>"
    yield _table(["", *_heads(report)], summary_rows(report, prices), texts=1)
    yield from (f"<p>{escape(line)}.</p>" for line in people(report))
    yield from _changes(report)
    yield "<h2>Sends by rule and channel</h2>"
    yield _by_row(report)
    yield "<h2>Sends by day (UTC)</h2>"
    yield from _by_day(report)
    yield "<h2>Not sent, or sent later</h2>"
    yield _table(["rule", "why", *_heads(report)], reasons(report), texts=2)


def _heads(report: Report) -> list[str]:
    return ["against", "rules"] if report.against is not None else ["rules"]


def _sides(report: Report) -> list[tuple[str, str, Figures]]:
    """Style, name and figures: the rules compared with first, when there are any."""
    mine = ("after", _AFTER, report.outcome.rules)
    return [mine] if report.outcome.against is None else [("before", _BEFORE, report.outcome.against), mine]


def _changes(report: Report) -> Iterator[str]:
    if report.outcome.comparison is None:
        return
    changes = report.outcome.comparison.changes
    rows = sorted(changes)
    yield "<h2>What changes</h2>"
    yield charts.legend(_KINDS)
    series = [
        Series(kind, name, [getattr(changes[row], kind) for row in rows]) for kind, name in _KINDS.items()
    ]
    yield charts.stacks([" ".join(row) for row in rows], series, "Sends added, removed, moved")
    yield _table(
        ["rule", "channel", *_KINDS.values(), "by"], [_change(row, changes[row]) for row in rows], texts=2
    )


def _change(row: Row, change: Change) -> list[str]:
    return [*row, *(f"{getattr(change, kind):,}" for kind in _KINDS), moved_by(change)]


def _by_row(report: Report) -> str:
    sides = [(style, name, figures.by_row()) for style, name, figures in _sides(report)]
    rows = sorted({row for _, _, found in sides for row in found})
    series = [Series(style, name, [found[row] for row in rows]) for style, name, found in sides]
    legend = charts.legend({style: name for style, name, _ in sides})
    return legend + charts.bars([" ".join(row) for row in rows], series, "Sends by rule and channel")


def _by_day(report: Report) -> Iterator[str]:
    sides = [(style, name, figures.by_channel_day()) for style, name, figures in _sides(report)]
    places = {place for _, _, found in sides for place in found}
    days = _days({day for _, day in places})
    yield charts.legend({style: name for style, name, _ in sides})
    for channel in sorted({channel for channel, _ in places}):
        series = [Series(style, name, [found[channel, d] for d in days]) for style, name, found in sides]
        chart = charts.lines(days, series, f"{channel}: sends by day")
        yield f"<figure><figcaption>{escape(channel)}</figcaption>{chart}</figure>"


def _days(named: set[str]) -> list[str]:
    """Every day from the first to the last."""
    if not named:
        return []
    first, last = date.fromisoformat(min(named)), date.fromisoformat(max(named))
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    lines = (_cells("td", row, texts) for row in rows)
    return f'<div class="wide"><table>{_cells("th", head, texts)}{"".join(lines)}</table></div>'


def _cells(tag: str, row: Sequence[str], texts: int) -> str:
    cells = (
        f"<{tag}{' class=' + chr(34) + 'text' + chr(34) if column < texts else ''}>{escape(cell)}</{tag}>"
        for column, cell in enumerate(row)
    )
    return f"<tr>{''.join(cells)}</tr>"
