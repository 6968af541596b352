"""`retarget settings`: every setting, its value and where it came from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from retarget.errors import BadInput
from retarget.rules.names import nearest
from streams.settings import Row, Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Which settings, and in which form."""
    parser.add_argument(
        "which", nargs="*", metavar="KEY", help="a key or a section, such as clock; none: all"
    )
    parser.add_argument("--json", action="store_true", help="a JSON list of key, value, source and sentence")


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print them, secrets masked. Raises BadInput for an unknown key."""
    rows = _chosen(settings.describe(), args.which)
    if args.json:
        print(json.dumps([row._asdict() for row in rows], indent=1, ensure_ascii=False))
        return 0
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in (Row("key", "value", "source", "meaning"), *rows):
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        print(*cells, row.sentence, sep="  ")
    return 0


def _chosen(rows: Sequence[Row], wanted: Sequence[str]) -> list[Row]:
    keys = {row.key for row in rows} | {row.key.partition(".")[0] for row in rows}
    if unknown := [name for name in wanted if name not in keys]:
        raise BadInput([f"unknown setting {name!r}{nearest(name, keys)}" for name in unknown])
    return [row for row in rows if not wanted or {row.key, row.key.partition(".")[0]} & {*wanted}]
