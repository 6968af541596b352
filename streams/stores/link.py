"""The way to one Redis or Valkey server: commands out, answers in, its errors turned into ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import hiredis
from redis import exceptions as theirs
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import parse_url

from retarget.errors import BadInput, Unreachable
from streams.ports import UnknownOutcome
from streams.settings_declared import SERVERS, WATCHED
from streams.stores import sentinel
from streams.stores.scripts import Script

SETTING: Final = "store.url"
# What uvloop says, where others raise OSError, when it writes to a connection that was just broken off.
_CLOSED: Final = "the handler is closed"
_SCHEMES: Final = {**SERVERS, "unix": "unix"}
_LOCAL: Final = "localhost"
_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 5.0
_DEFAULTS: Final[dict[str, Any]] = {
    "socket_connect_timeout": _CONNECT_S,
    "socket_timeout": _ANSWER_S,
}
# Whatever the URL says: journeys are opaque bytes, and the answers are read as those of RESP 2.
_FORCED: Final[dict[str, Any]] = {"protocol": 2, "decode_responses": False}

_NOT_ADMITTED: Final = (
    theirs.AuthenticationError,
    theirs.AuthenticationWrongNumberOfArgsError,
    theirs.AuthorizationError,
    theirs.NoPermissionError,
)
_MEANING: Final[tuple[tuple[type[theirs.RedisError], str], ...]] = (
    (theirs.OutOfMemoryError, "its memory is full, raise maxmemory"),
    (theirs.ReadOnlyError, "it is a replica, not the primary"),
    (theirs.BusyLoadingError, "it is still loading its data"),
    (theirs.MasterDownError, "it is a replica that has lost its primary"),
    (theirs.ClusterDownError, "the cluster is not whole"),
    (theirs.AskError, "the lane is on its way to another node of the cluster"),
    (theirs.TryAgainError, "the lane is on its way to another node of the cluster"),
    (theirs.TimeoutError, "no answer in time"),
)
# redis-py has no class for it: an append-only file, or an image, that could not be written.
_NOT_ON_DISK: Final = "MISCONF"
# Servers say no more: Valkey and Redis 7.2, Redis 7.0, and that again of a command in a script.
_KEYS_REFUSED: Final = ("permissions to access a key", "one of the keys used as arguments")
_COMMAND_REFUSED: Final = "user executing the script can't run this command"

Argument = bytes | str | int


class Link:
    """A pool of connections to one server, opened when they are first needed; `address` is safe to show."""

    def __init__(self, settings: Mapping[str, Any], watched: sentinel.Watched | None = None) -> None:
        """Connect with these settings of redis-py. Raises TypeError for one that it does not know."""
        self._settings = {**settings, **_FORCED}
        self._pool = watched.pool(self._settings) if watched else ConnectionPool(**self._settings)
        self._pool.connection_class(**self._pool.connection_kwargs)  # opened never: it tells what is unknown
        self.address = watched.address if watched else _address(settings)

    @classmethod
    def to(cls, url: str) -> Self:
        """The way to `url`, nothing opened yet. Raises BadInput, whose text never shows the password."""
        scheme, separator, _ = url.partition("://")
        plain = scheme.removesuffix(WATCHED)
        if scheme != plain and plain in SERVERS:
            return cls._watched(url, SERVERS[plain])
        if not separator or scheme not in _SCHEMES:
            raise BadInput([_BAD_URL])
        try:
            return cls({**_DEFAULTS, **parse_url(url.replace(scheme, _SCHEMES[scheme], 1))})
        except (ValueError, TypeError):
            # Not chained: their text can hold a part of the password.
            raise BadInput([_BAD_URL]) from None

    @classmethod
    def _watched(cls, url: str, scheme: str) -> Self:
        try:
            watched = sentinel.read(url, scheme)
            return cls({**_DEFAULTS, **watched.to_primary}, watched)
        except (ValueError, TypeError):
            raise BadInput([_BAD_URL]) from None

    async def run(self, script: Script, keys: list[bytes], arguments: list[Argument] | None = None) -> Any:  # noqa: ANN401 - the script's header says what comes back
        """The answer of `script`. Raises UnknownOutcome, Unreachable, and MovedError of redis."""
        rest = [len(keys), *keys, *(arguments or ())]
        try:
            return await self.call(b"EVALSHA", script.digest, *rest)
        except theirs.NoScriptError:  # a new server, or one after a failover: EVAL makes it known again
            return await self.call(b"EVAL", script.text, *rest)

    async def call(self, *command: Argument) -> Any:  # noqa: ANN401 - as the command says
        """The answer to one command.

        Raises UnknownOutcome, Unreachable, and of redis NoScriptError and MovedError.
        """
        try:
            return await self._ask(command)
        except (theirs.NoScriptError, theirs.MovedError):  # nothing has happened, and there is a way to go on
            raise
        except _NOT_ADMITTED as error:
            raise self.unreachable(_said(error)) from error
        except (theirs.RedisError, OSError) as error:
            if _COMMAND_REFUSED in str(error):
                raise self.unreachable(_said(error)) from error
            raise UnknownOutcome(f"the store at {self.address}: {_said(error)}") from error
        except RuntimeError as error:
            if _CLOSED not in str(error):
                raise
            raise UnknownOutcome(f"the store at {self.address} has broken the connection off") from error

    async def _ask(self, command: tuple[Argument, ...]) -> Any:  # noqa: ANN401
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            # redis-py packs in Python; for 1,000 keys and values that is most of the client's time.
            packed = hiredis.pack_command(command)  # type: ignore[arg-type] # it takes any length
            await connection.send_packed_command([packed])
            return await connection.read_response()
        except (theirs.NoScriptError, theirs.MovedError):
            raise
        except theirs.RedisError:
            # After a failover the name may lead elsewhere, so a server that refuses is looked up anew.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)

    def beside(self, host: str, port: int) -> Link:
        """The way to another node of the same cluster, with the same password and options."""
        settings = dict(self._settings)
        if settings.pop("path", None):
            settings.pop("connection_class")
        here = settings.get("host", _LOCAL)
        return Link({**settings, "host": host or here, "port": port})

    def unreachable(self, detail: str) -> Unreachable:
        """The error for a server that cannot be used."""
        return Unreachable("store", self.address, SETTING, detail)

    async def close(self) -> None:
        """End every connection."""
        await self._pool.disconnect()
        await sentinel.leave(self._pool)


_BAD_URL: Final = (
    f"{SETTING}: not an address of a store; write redis://[user:password@]host[:port][/number], rediss:// "
    "for TLS, redis+sentinel://host:port,host:port/name, unix:///path/of/the/socket or memory://, with "
    "%-codes for special characters in the password"
)


def _address(settings: Mapping[str, Any]) -> str:
    if "path" in settings:
        return str(settings["path"])
    return f"{settings.get('host', _LOCAL)}:{settings.get('port', 6379)}"


def _said(error: Exception) -> str:
    code = getattr(error, "status_code", None)
    said = f"{code} {error}" if code else str(error) or type(error).__name__
    meaning = next((text for kind, text in _MEANING if isinstance(error, kind)), None)
    if said.startswith(_NOT_ON_DISK):
        meaning = "it cannot write to its disk, make room there"
    if any(words in said for words in _KEYS_REFUSED):
        meaning = "the rights of store.url's user lack a key pattern, ~NAME:* of docs/security.md"
    if _COMMAND_REFUSED in said:
        meaning = "the rights of store.url's user lack a command, see docs/security.md"
    return f"{meaning} ({said})" if meaning else said
