"""The Faust app of the shell: what is left when producer, web server, tables and files are taken away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.tables import TableManager

from streams.transport.settings import ReadSettings

# Chunks between the consumer and the agent; each may hold thousands of records.
_CHUNKS_UNDER_WAY = 4
# The others hear at their next heartbeat that a worker has left, and stand in for it only then.
_HEARTBEAT_S = 1.0


def app_options(read: ReadSettings) -> dict[str, Any]:
    """Faust's settings, where its defaults do not fit."""
    session_s = read.session_timeout_ms / 1000
    return {
        "broker_session_timeout": session_s,
        "broker_heartbeat_interval": min(_HEARTBEAT_S, session_s / 4),
        "broker_rebalance_timeout": max(30.0, session_s),
        "broker_max_poll_interval": 300.0,
        "consumer_group_instance_id": read.worker_id,
        "stream_buffer_maxsize": _CHUNKS_UNDER_WAY,
        "stream_wait_empty": False,
        "table_standby_replicas": 0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "TableManager": NoTables,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }


class NoTables(TableManager):
    """Faust resumes the flow where it recovers tables; there are none to wait for."""

    async def on_start(self) -> None:
        """As Faust, without its second of patience for tables that may still be declared."""
        await self._update_channels()
        await self.recovery.start()


class OnlyReading(BootStrategy):
    """Start what reads."""

    enable_web = False
    enable_kafka_producer = False


class ShellApp(faust.App):
    """A Faust app that only reads."""

    BootStrategy = OnlyReading

    #: Awaited when the app stops, while it is still a member of the group.
    before_stop: Callable[[], Awaitable[None]] | None = None

    async def on_stop(self) -> None:
        """Let the lanes go first."""
        if self.before_stop is not None:
            await self.before_stop()
        await super().on_stop()

    def _create_directories(self) -> None:
        """Faust would make a folder for tables where the worker was started."""
