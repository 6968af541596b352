"""Ports for servers that are killed and come back."""

from __future__ import annotations

import random
import socket
from typing import Final

from streams.embedded.processes import LOOPBACK

# Below those that Linux gives to outgoing connections: a client that calls a dead server again and again is
# once given the server's own port, reaches itself, and keeps the server from coming back.
_FIRST: Final = 10_000
_LAST: Final = 32_000


def kept_port() -> int:
    """A free TCP port of the loopback address that no outgoing connection will be given."""
    while True:
        port = random.randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
