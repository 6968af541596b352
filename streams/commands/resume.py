"""`retarget resume`: end a pause."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from retarget.errors import BadInput
from streams.commands.switches import add_switch, throw
from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """What to resume."""
    add_switch(parser, without="everything that is paused")


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Throw the switch back."""
    return throw(settings, args, _resume)


def _resume(name: str | None, before: Mapping[str, int]) -> Mapping[str, int | None]:
    if name is None:
        return dict.fromkeys(before)
    if name not in before:
        raise BadInput([f"{name} is not paused; {_paused(before)}"])
    return {name: None}


def _paused(before: Mapping[str, int]) -> str:
    return f"paused: {', '.join(sorted(before))}" if before else "nothing is"
