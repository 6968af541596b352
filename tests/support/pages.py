"""What a page of the docs shows: its blocks, the files among them, and its sessions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

_BLOCK: Final = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT: Final = "$ "


class Block(NamedTuple):
    """One block; `name` is empty where it has none."""

    kind: str
    name: str
    text: str


def blocks(page: str) -> list[Block]:
    """All of a page, in their order."""
    return [Block(*found) for found in _BLOCK.findall(page)]


def write_files(page: str, folder: Path) -> None:
    """Write the blocks that are files: those with the name of one."""
    for block in blocks(page):
        if "." in block.name:
            path = folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def sessions(page: str) -> list[tuple[str, str]]:
    """Each command of the `console` blocks with the answer that is shown, empty when none is."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(block.text for block in blocks(page) if block.kind == "console").splitlines():
        if line.startswith(_PROMPT):
            found.append((line.removeprefix(_PROMPT), []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(answer)) for command, answer in found]
