"""A service on this machine that takes what is posted to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Posted(NamedTuple):
    """One request with a body."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    at: float = 0.0  # time.monotonic()


class Receiver:
    """A context manager with a `url`. `answers` gives the status; 0 breaks the connection off unanswered."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: Callable[[Posted], int] = lambda _: 200
        self.says: Callable[[Posted], bytes] = lambda _: b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                one = Posted(self.path, headers, self.rfile.read(size), self.command, time.monotonic())
                outer.posted.append(one)
                status = outer.answers(one)
                if not status:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(status)
                said = outer.says(one)
                self.send_header("Content-Length", str(len(said)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(said)

            do_DELETE = do_POST  # noqa: N815 - its name

            def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the library has it
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - as the library has it
                """Whoever broke the connection off knows why."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
