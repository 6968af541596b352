"""`retarget pause`: stop a rule, a channel or everything."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from retarget.engine.gates import EVERYTHING
from streams.clocks import now_ms
from streams.commands.switches import add_switch, throw
from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """What to pause."""
    add_switch(parser, without="everything")


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Throw the switch. What is due meanwhile is suppressed, and not sent later."""
    return throw(settings, args, _pause)


def _pause(name: str | None, before: Mapping[str, int]) -> Mapping[str, int | None]:
    switch = name or EVERYTHING
    return {switch: before.get(switch, now_ms())}
