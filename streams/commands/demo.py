"""`retarget demo`: everything on this machine, for a minute."""

from __future__ import annotations

import argparse
import io
import sys
from typing import Final

from retarget.errors import BadInput
from streams.commands.numbers import positive, whole
from streams.demo.plan import MORNING, PRESETS, WARM_UP, Plan
from streams.demo.words import clock
from streams.settings import Settings

__all__ = ["PRESETS", "add", "run"]

_COULD_NOT_START: Final = 3
_MINUTE: Final = 60
# Of the tables, where there is no terminal.
_WIDTH: Final = 120


def add(parser: argparse.ArgumentParser) -> None:
    """How long, how many people, how fast."""
    parser.add_argument("--seconds", type=positive, default=60.0, metavar="N", help="how long (default: 60)")
    parser.add_argument(
        "--people", type=whole, default=1_000, metavar="N", help="regulars of the shop (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another day with other people")
    parser.add_argument(
        "--speed", type=positive, default=60.0, metavar="N",
        help="simulated seconds in a second (default: 60, so that a second is a minute)",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="do not open the page with the metrics")
    parser.add_argument(
        "--keep", action="store_true", help="at the end keep broker, store and engine until Enter is pressed"
    )
    parser.set_defaults(settings=("rules.dir", "consent.assume", "quiet_hours.enabled", "web.port"))


def _opening(people: int, speed: float) -> str:
    pace = "a minute a second" if speed == _MINUTE else f"{speed:g} seconds a second"
    begins, ends = clock(MORNING), clock(MORNING + WARM_UP)
    return (
        f"A simulated shop with {people:,} regulars. Its morning from {begins} to {ends} goes by at once, "
        f"then {pace}. Starting …"
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Show it. Raises BadInput, also when a part of the extra `demo` is missing."""
    from rich.console import Console
    from rich.text import Text

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # frames and quotes on a terminal that knows only ASCII
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(Text(_opening(args.people, args.speed)), soft_wrap=True)
    from streams.demo.stage import perform
    from streams.embedded import PartMissing, StartFailed

    plan = Plan(
        seconds=args.seconds, people=args.people, seed=args.seed, speed=args.speed,
        browser=not args.no_browser, keep=args.keep,
    )  # fmt: skip
    try:
        return perform(settings, plan, console)
    except PartMissing as missing:
        raise BadInput(
            [f"the demo needs a part that is not here ({missing.part}): pip install 'retarget[demo]'"]
        ) from missing
    except StartFailed as failed:
        Console(stderr=True, highlight=False).print(str(failed), markup=False, soft_wrap=True)
        return _COULD_NOT_START
