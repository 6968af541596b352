"""What is on the screen while the demo runs: lines that scroll by, and below them where things stand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from streams.demo.lines import ROOMY, Line, Restraint, render
from streams.demo.tally import Tally
from streams.demo.words import clock

_PLAIN_STATUS_S: Final = 10.0


class Status(NamedTuple):
    """Where the demo stands; `at` is simulated epoch ms, `rate` events a second of real time."""

    at: int
    people: int
    events: int
    rate: float
    seconds_left: float


class View:
    """Shows lines and the status: pinned below them on a terminal, now and then as a line elsewhere."""

    def __init__(self, console: Console, tally: Tally, page: str, mails: str = "") -> None:
        self._console, self._tally, self._page = console, tally, page
        self._mails = mails
        self._pinned = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, auto_refresh=False, transient=True) if self._pinned else None
        self._sent = Restraint(6, 10, time.monotonic)
        self._stopped = Restraint(1.5, 2, time.monotonic)
        self._unshown = 0
        self._width = console.width if self._pinned else ROOMY
        self._status_due = time.monotonic() + _PLAIN_STATUS_S

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            self._print(Text(f"Metrics of the engine: {self._page}"))
            if self._mails:
                self._print(Text(f"The mails: {self._mails}"))
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def lines(self, lines: Iterable[Line]) -> None:
        """Show as many of these as can be read; of those that were stopped, a few."""
        for line in lines:
            if line.kind in ("sent", "recalled"):
                if self._sent.lets():
                    self._print(render(line, self._width))
                else:
                    self._unshown += 1
            elif self._stopped.lets():
                self._print(render(line, self._width))

    def status(self, status: Status) -> None:
        """Show where things stand."""
        if self._unshown and self._sent.lets():
            more = f"{self._unshown} more message" + ("s" if self._unshown > 1 else "")
            self._print(Text(f"       … and {more}", style="dim"))
            self._unshown = 0
        if self._live is not None:
            self._live.update(self._panel(status), refresh=True)
        elif time.monotonic() >= self._status_due:
            self._status_due = time.monotonic() + _PLAIN_STATUS_S
            self._print(Text(f"-- {_now(status)}, {self._tally.by_rule.total():,} messages"))

    @property
    def _shown_at(self) -> str:
        return f"mails {self._mails}   metrics {self._page}" if self._mails else self._page

    def _print(self, text: Text) -> None:
        if self._live is not None:
            self._console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(text, soft_wrap=True)

    def _panel(self, status: Status) -> Panel:
        tally = self._tally
        stopped = tally.held_back + tally.waiting
        rows = [
            _row("messages", tally.by_rule.total(), tally.by_channel, "bold green"),
            _row("by rule", None, tally.by_rule, "blue"),
            _row("held back", stopped.total(), stopped, "yellow"),
        ]
        left = status.seconds_left
        ends = f"ends in {left:.0f} s, or with Ctrl-C" if left >= 1 else "the last messages …"
        return Panel(
            Group(*rows),
            title=Text(f" {_now(status)} ", style="bold"),
            title_align="left",
            subtitle=Text(f" {self._shown_at}   {ends} ", style="dim"),
            subtitle_align="left",
            border_style="dim",
        )


def _now(status: Status) -> str:
    people = f"{status.people:,} people"
    return (
        f"{clock(status.at)} in the shop   {people}   {status.rate:,.0f} events/s   {status.events:,} events"
    )


def _row(name: str, total: int | None, counts: Counter[str], style: str) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{name:<10}", style=style)
    text.append(f"{'' if total is None else f'{total:,}':>6}  ", style="bold")
    parts = (
        f"{each.replace('_', ' ') if total is not None else each} {number:,}"
        for each, number in counts.most_common()
    )
    text.append("  ".join(parts))
    return text
