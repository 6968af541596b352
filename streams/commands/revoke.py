"""`retarget revoke`: the link of a message leads nowhere any more, from now on."""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
from typing import Final, NamedTuple

from retarget.errors import BadInput
from retarget.times import format_time
from streams.settings import Settings

_log: Final = logging.getLogger("retarget.links")
_MESSAGE: Final = re.compile(r"[0-9a-f]{32}")


class _Named(NamedTuple):
    """A link that was named: by its message, and until when it would lead anywhere, epoch ms."""

    message_id: str
    expires_at: int


def add(parser: argparse.ArgumentParser) -> None:
    """Which links."""
    parser.add_argument(
        "links", metavar="LINK or MESSAGE_ID", nargs="+",
        help="the link as somebody has it, the token at its end, or the id of its message",
    )  # fmt: skip
    parser.add_argument("--undo", action="store_true", help="they lead to the shop again")
    parser.set_defaults(settings=("store.url", "app.id", "kafka.partitions", "purl.keys", "purl.lasts"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Take them back, for collectors and channel services alike.

    Raises BadInput, Unreachable, UnknownOutcome.
    """
    from streams.clocks import now_ms
    from streams.logs import configure_logs
    from streams.secrecy import hiding

    configure_logs(settings.log.format, settings.log.level, hidden=hiding(settings))
    named = _read(args.links, settings, now_ms())
    asyncio.run(_revoke(settings, named, undo=args.undo))
    for one in named:
        told = "leads to the shop again" if args.undo else "leads nowhere any more"
        print(f"the link of message {one.message_id} {told}; it expires by {format_time(one.expires_at)}")
    return 0


def _read(given: list[str], settings: Settings, now: int) -> list[_Named]:
    """Raises BadInput with a line for each that is no link."""
    from streams.links.answer import read

    found: list[_Named] = []
    problems: list[str] = []
    for text in given:
        token = text.rstrip("/").rpartition("/")[2]
        if _MESSAGE.fullmatch(token):
            found.append(_Named(token, now + settings.purl.lasts))
        elif (link := read(token, settings.purl.keys)) is not None:
            found.append(_Named(link.message_id, link.expires_at))
        else:
            problems.append(
                f"{text}: expected the 32 hex digits of a message's id, or a link that one of purl.keys opens"
            )
    if problems:
        raise BadInput(problems)
    return found


async def _revoke(settings: Settings, named: list[_Named], *, undo: bool) -> None:
    from streams.commands.switches import who
    from streams.stores import open_store

    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        for one in named:
            await store.revoke_link(one.message_id, None if undo else one.expires_at)
            told = {"id": one.message_id, "by": who(), "app": settings.app.id}
            _log.warning("link restored" if undo else "link revoked", extra=told)
    finally:
        await store.close()
