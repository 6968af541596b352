"""The door between workers and servers: what is cut, held back, slowed down or led elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from bench.chaos.proxy import Proxy
from streams.embedded.processes import LOOPBACK

WITHIN_S = 10.0


class Echo:
    """A server that says everything back, behind its name."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while said := connection.recv(1024):
                    connection.sendall(self._name + said)
            except OSError:
                return

    def close(self) -> None:
        """Take no more."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # else its thread's accept would take one more
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server to lead to."""
    with closing(Echo(b"a:")) as server:
        yield server


@pytest.fixture
def door(echo: Echo) -> Iterator[Proxy]:
    """A proxy before it."""
    with Proxy(echo.port) as proxy:
        yield proxy


def connected(door: Proxy) -> socket.socket:
    """A client's connection through the door."""
    client = socket.create_connection((LOOPBACK, door.port), timeout=WITHIN_S)
    client.settimeout(WITHIN_S)
    return client


def answer(client: socket.socket, said: bytes) -> bytes:
    """What comes back; nothing when the connection is broken."""
    try:
        client.sendall(said)
        return client.recv(1024)
    except OSError:
        return b""


def test_what_is_said_goes_through_and_back(door: Proxy) -> None:
    """As if there were no door."""
    with connected(door) as client:
        assert answer(client, b"x") == b"a:x"


def test_a_cut_breaks_connections_and_takes_no_new_ones_until_it_is_mended(door: Proxy) -> None:
    """Both the old and the new ones end without an answer."""
    with connected(door) as client:
        assert answer(client, b"x") == b"a:x"
        door.cut()
        assert answer(client, b"y") == b""
    with connected(door) as client:
        assert answer(client, b"y") == b""
    door.mend()
    with connected(door) as client:
        assert answer(client, b"z") == b"a:z"


def test_what_is_held_back_comes_when_it_is_mended(door: Proxy) -> None:
    """Nothing is lost, nothing comes before."""
    with connected(door) as client:
        assert answer(client, b"x") == b"a:x"
        door.hush()
        client.settimeout(0.3)
        client.sendall(b"y")
        with pytest.raises(TimeoutError):
            client.recv(1024)
        client.settimeout(WITHIN_S)
        door.mend()
        assert client.recv(1024) == b"a:y"


def test_a_slow_door_delays_both_directions(door: Proxy) -> None:
    """An answer takes twice as long as the delay."""
    with connected(door) as client:
        assert answer(client, b"x") == b"a:x"
        door.slow(0.1)
        begun = time.monotonic()
        assert answer(client, b"y") == b"a:y"
        assert time.monotonic() - begun >= 0.2


def test_it_leads_elsewhere_at_once(door: Proxy) -> None:
    """The old connections break, new ones reach the other server."""
    with closing(Echo(b"b:")) as other, connected(door) as client:
        assert answer(client, b"x") == b"a:x"
        door.lead_to(other.port)
        assert answer(client, b"y") == b""
        with connected(door) as again:
            assert answer(again, b"y") == b"b:y"


def test_a_server_that_is_gone_is_told_by_a_broken_connection(door: Proxy, echo: Echo) -> None:
    """As by the server's own machine."""
    echo.close()
    with connected(door) as client:
        assert answer(client, b"x") == b""
