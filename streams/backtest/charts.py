"""Charts as inline SVG; colours come from the page's style, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

_WIDTH: Final = 900
_LABELS: Final = 250
_BAR: Final = 14
_GAP: Final = 10
_NUMBERS: Final = 70
_HIGH: Final = 180
_LEFT: Final = 60
# So many dates fit under a line.
_DATES: Final = 8


class Series(NamedTuple):
    """One colour: the class in the style, what it stands for, and its values."""

    style: str
    name: str
    values: Sequence[float]


def bars(labels: Sequence[str], series: Sequence[Series], title: str) -> str:
    """Horizontal bars, those of one label together."""
    most = max((value for one in series for value in one.values), default=0) or 1
    each = len(series) * _BAR + _GAP
    return _svg(len(labels) * each + _GAP, title, _bars(labels, series, most, each))


def _bars(labels: Sequence[str], series: Sequence[Series], most: float, each: int) -> Iterator[str]:
    room = _WIDTH - _LABELS - _NUMBERS
    for row, label in enumerate(labels):
        top = _GAP + row * each
        yield _text(_LABELS - 8, top + len(series) * _BAR / 2 + 4, label, "end")
        for place, one in enumerate(series):
            value, y = one.values[row], top + place * _BAR
            wide = max(value / most * room, 1) if value else 0
            yield (
                f'<rect class="{one.style}" x="{_LABELS}" y="{y}" width="{wide:.1f}" height="{_BAR - 2}">'
                f"<title>{escape(label)}, {escape(one.name)}: {value:,.0f}</title></rect>"
            )
            yield _text(_LABELS + wide + 5, y + _BAR - 3, f"{value:,.0f}", "start", "number")


def stacks(labels: Sequence[str], series: Sequence[Series], title: str) -> str:
    """Horizontal bars, those of one label one after the other."""
    sums = [sum(one.values[row] for one in series) for row in range(len(labels))]
    each = _BAR + _GAP + 4
    return _svg(len(labels) * each + _GAP, title, _stacks(labels, series, max(sums, default=0) or 1, each))


def _stacks(labels: Sequence[str], series: Sequence[Series], most: float, each: int) -> Iterator[str]:
    room = _WIDTH - _LABELS - _NUMBERS
    for row, label in enumerate(labels):
        top, x = _GAP + row * each, float(_LABELS)
        yield _text(_LABELS - 8, top + _BAR, label, "end")
        for one in series:
            wide = one.values[row] / most * room
            if wide:
                yield (
                    f'<rect class="{one.style}" x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{_BAR + 4}">'
                    f"<title>{escape(label)}, {escape(one.name)}: {one.values[row]:,.0f}</title></rect>"
                )
            x += wide


def lines(days: Sequence[str], series: Sequence[Series], title: str) -> str:
    """Lines over days, from 0."""
    most = max((value for one in series for value in one.values), default=0) or 1
    return _svg(_HIGH + 45, title, _lines(days, series, most))


def _lines(days: Sequence[str], series: Sequence[Series], most: float) -> Iterator[str]:
    step = (_WIDTH - _LEFT - 20) / max(len(days) - 1, 1)
    for share in (0, 0.5, 1):
        y = 15 + _HIGH * (1 - share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 6, y + 4, f"{most * share:,.0f}", "end", "number")
    for one in series:
        points = [
            (_LEFT + step * place, 15 + _HIGH * (1 - value / most)) for place, value in enumerate(one.values)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline class="{one.style} line" fill="none" points="{path}"/>'
        for (x, y), day, value in zip(points, days, one.values, strict=True):
            yield (
                f'<circle class="{one.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">'
                f"<title>{day}, {escape(one.name)}: {value:,.0f}</title></circle>"
            )
    for place in range(0, len(days), max(-(-len(days) // _DATES), 1)):
        # One under the last point would lie half beside the chart.
        anchor = "end" if place and place == len(days) - 1 else "middle"
        yield _text(_LEFT + step * place, _HIGH + 35, days[place], anchor, "number")


def legend(series: Mapping[str, str]) -> str:
    """What each colour stands for: style to name."""
    marks = (f'<span><i class="{style}"></i>{escape(name)}</span>' for style, name in series.items())
    return f'<p class="legend">{"".join(marks)}</p>'


def _text(x: float, y: float, text: str, anchor: str, style: str = "label") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, title: str, inside: Iterator[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(inside)}</svg>"
    )
