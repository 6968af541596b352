"""Files that a command writes: none of them is one that it reads, and all are open before the work begins."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from retarget.errors import BadInput, WrongUsage


def separate(args: argparse.Namespace, options: Iterable[str], read: Iterable[str | None]) -> None:
    """Raises WrongUsage where a file to be written is read too, or is to be written as two things.

    `options` name the files to be written.
    """
    taken = {Path(name).resolve(): "read" for name in read if name is not None}
    problems: list[str] = []
    for option in options:
        name = getattr(args, option)
        if name in (None, "-") or is_stream(Path(name)):
            continue
        path = Path(name).resolve()
        if path in taken:
            problems.append(f"--{option} {name}: the same file is {taken[path]}; name another")
        taken[path] = f"named by --{option}"
    if problems:
        raise WrongUsage(problems)


def is_stream(path: Path) -> bool:
    """Whether it is a pipe or device, which may take several things."""
    return path.exists() and not path.is_file()


def opened(stack: ExitStack, name: str | None) -> IO[bytes] | None:
    """The file of that name, empty; - is standard output, None is None. Raises BadInput."""
    if name is None:
        return None
    if name == "-":
        stack.callback(sys.stdout.buffer.flush)
        return sys.stdout.buffer
    try:
        return stack.enter_context(Path(name).open("wb"))
    except OSError as error:
        raise BadInput([f"{name}: cannot be written: {error.strerror}"]) from error


def write(file: IO[bytes] | None, text: str) -> None:
    """Write all of it now, if there is a file. Raises BadInput when there is no room for it."""
    if file is None:
        return
    try:
        file.write(text.encode())
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):
            file.close()  # it would be tried once more
        raise BadInput([f"{file.name}: cannot be written: {error.strerror}"]) from error
