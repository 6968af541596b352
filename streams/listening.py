"""An HTTP server on a port that may be taken: open, closed, and told in the words of its settings."""

from __future__ import annotations

import errno
from hmac import compare_digest
from ipaddress import ip_address

from aiohttp import web

from retarget.errors import BadInput


class Listener:
    """Where an application answers. `section` is that of the settings `host` and `port` are from."""

    def __init__(self, section: str, host: str, port: int, *, hint: str = "") -> None:
        """Port 0 takes any free one. `hint` is told beside a port that is in use."""
        self._section, self._host, self._wanted, self._hint = section, host, port, hint
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it answers on. Raises RuntimeError while it is closed."""
        if self._runner is None:
            raise RuntimeError(f"{self._section}.port is not open")
        port: int = self._runner.addresses[0][1]
        return port

    async def open(self, app: web.Application, *, decompress: bool = True) -> None:
        """Answer with `app`. Raises BadInput, a line that names the setting, when that cannot be."""
        runner = web.AppRunner(app, access_log=None, handle_signals=False, auto_decompress=decompress)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted).start()
        except OSError as refused:
            await runner.cleanup()
            raise BadInput([self._refusal(refused)]) from refused
        self._runner = runner

    async def close(self) -> None:
        """Take nothing more; what is being answered is answered. Twice does no harm."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _refusal(self, refused: OSError) -> str:
        if refused.errno == errno.EADDRINUSE:
            taken = f"{self._section}.port: {self._wanted} is in use on {self._host}{self._hint}"
            return f"{taken}; set another one, or 0 for any free one"
        if refused.errno == errno.EACCES:
            need = "needs rights this process has not; set one of 1024 or more"
            return f"{self._section}.port: {self._wanted} {need}"
        return f"{self._section}.host: cannot listen on {self._host}: {refused.strerror or refused}"


def bearer(request: web.Request, token: str) -> bool:
    """Whether the request brings the token; the time it takes to see that tells nothing of it."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    said = given.strip().encode(errors="surrogateescape")
    return compare_digest(said, token.encode()) and scheme.lower() == "bearer"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach who listens there."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
