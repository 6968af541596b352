"""Bars for long work, on a terminal or when asked for; on standard error, so that pipes stay clean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def add_progress(parser: argparse.ArgumentParser) -> None:
    """The option `--progress`."""
    parser.add_argument("--progress", action="store_true", help="a bar even when this is no terminal")


@contextmanager
def bar(title: str, total: int | None, *, wanted: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a bar; the value takes how much has been done since. Without `total` it counts only."""
    if not (wanted or sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, force_terminal=True if wanted and not sys.stderr.isatty() else None)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=not wanted) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.advance(task, done)
