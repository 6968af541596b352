"""What the embedded broker and the embedded store have in common: a folder, a process, a life in a `with`."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.embedded.processes import ChildProcess


class EmbeddedServer(ABC):
    """A server in memory, on a free port of the loopback address; a context manager.

    All it holds is gone when it stops. On Linux it dies with the thread that started it.
    """

    def __init__(self, *, folder: Path | None = None) -> None:
        """The log goes to `folder`, else to a temporary one that goes with the server."""
        self._folder = folder
        self._open = ExitStack()
        self._process: ChildProcess | None = None

    @property
    def process(self) -> ChildProcess:
        """The process behind it, with its port and log. Raises RuntimeError while it is not running."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} is not running")
        return self._process

    def start(self) -> None:
        """Start it, ready for use on return. Raises PartMissing, StartFailed; it is not running then."""
        with ExitStack() as opened:
            opened.callback(self._forget)
            folder = self._folder or opened.enter_context(_temporary_folder())
            self._process = opened.enter_context(self._command(folder))
            self._open = opened.pop_all()

    def stop(self) -> None:
        """Stop it and drop all it held. Harmless when it is not running."""
        self._open.close()

    @abstractmethod
    def _command(self, folder: Path) -> ChildProcess:
        """The process to start, with its files in `folder`. May raise PartMissing."""

    def _forget(self) -> None:
        self._process = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="retarget-") as name:
        yield Path(name)
