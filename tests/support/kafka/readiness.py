"""Whether a broker answers requests: an open port is no proof, as a container's proxy opens it too early."""

import socket
import struct
from typing import Final

from streams.embedded.processes import LOOPBACK

_API_VERSIONS: Final = 18
# Request header version 1: api key, api version, correlation id, no client id; the request has no body.
_REQUEST: Final = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)
_REPLY_S: Final = 2.0


def speaks_kafka(port: int) -> bool:
    """Say whether the broker on this port answers the first question every client asks."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_REPLY_S) as connection:
            connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            return len(connection.recv(4)) > 0
    except OSError:
        return False
