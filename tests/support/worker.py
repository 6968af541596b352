"""`retarget run` as a process that answers for itself: exit code, words and pages."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from streams.embedded.processes import LOOPBACK, free_port
from tests.e2e.harness import WorkerProcess, until

ROOT: Final = Path(__file__).resolve().parents[2]
WITHIN_S: Final = 60.0


class Page(NamedTuple):
    """The answer of one of a worker's pages; status 0 when nobody answers."""

    status: int
    text: str


def command(*words: str, settings: Sequence[str] = (), module: str = "streams") -> list[str]:
    """A command of retarget in a process of its own."""
    flags = [part for one in settings for part in ("--set", one)]
    return [sys.executable, "-m", module, *words, *flags]


def started(
    folder: Path,
    name: str,
    settings: Sequence[str],
    *,
    words: Sequence[str] = ("run",),
    module: str = "streams",
) -> WorkerProcess:
    """A worker that has just been started; whoever starts it kills it."""
    port = free_port()
    argv = command(*words, settings=(f"web.port={port}", f"app.worker_id={name}", *settings), module=module)
    environ = {name: "" for name in os.environ if name.startswith("RETARGET_")}
    log = folder / f"{name}.{port}.log"
    worker = WorkerProcess(name, argv, port=port, log=log, env={**environ, "PYTHONPATH": str(ROOT)})
    worker.start(ready=lambda: True)
    return worker


async def page(worker: WorkerProcess, path: str) -> Page:
    """What `/metrics`, `/health` or `/ready` says."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{LOOPBACK}:{worker.port}{path}") as answer,
        ):
            return Page(answer.status, await answer.text())
    except aiohttp.ClientError:
        return Page(0, "")


async def comes_to(worker: WorkerProcess, path: str, status: int, containing: str = "") -> Page:
    """Wait until a page answers with this status and text."""
    seen: list[Any] = [Page(0, "")]

    async def so() -> bool:
        seen[0] = await page(worker, path)
        assert worker.running, f"{worker.name} has ended:\n{worker.said}"
        return bool(seen[0].status == status and containing in seen[0].text)

    await until(so, f"{path} {status} {containing}", lambda: f"{seen[0]}\n{worker.said}", WITHIN_S)
    found: Page = seen[0]
    return found
