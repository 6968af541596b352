"""The channel `ads`: people into audiences and out of them, many in a batch.

A batch is known by its key, which follows from its members. One that is in doubt goes again as it was, and
whoever takes it knows it by the key; a file of that name is there already.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from retarget.errors import BadInput, Unsendable
from retarget.formats import google, meta
from retarget.messages import Message, stable_id
from streams.channels.batches.files import folder_of, write_once
from streams.channels.outcomes import HANDED, Outcome, later
from streams.channels.posting import Post
from streams.settings import Settings

_json: Final = msgspec.json.Encoder(order="deterministic")
_TIMEOUT_S: Final = 60.0


class AdsChannel:
    """A Channel by HTTP or files."""

    name = "ads"
    batches = True
    recalls = True
    repeats: int | None = None

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        ads = settings.ads
        self.at_once = ads.batch
        self._url, self._folder = ads.url, None if ads.url else folder_of(ads.folder, "ads.folder")
        self._headers = {"Content-Type": "application/json"}
        if ads.token:
            self._headers["Authorization"] = f"Bearer {ads.token}"
        self._post = Post(_TIMEOUT_S)
        if ads.url and not ads.url.startswith(("https://", "http://")):
            raise BadInput([f"ads.url: found {ads.url!r}, expected a URL"])

    async def start(self) -> None:
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._post.close()

    async def hand_over(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """See Channel. One batch for each audience and operation; nobody is in a portion's audience twice."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, message in enumerate(messages):
            groups[message.audience or "", message.operation].append(index)
        outcomes: list[Outcome] = [HANDED] * len(messages)
        for (audience, operation), indexes in groups.items():
            members = [messages[index] for index in indexes]
            outcome = await self._batch(audience, operation, members)
            for index in indexes:
                outcomes[index] = outcome
        return outcomes

    async def _batch(self, audience: str, operation: str, members: Sequence[Message]) -> Outcome:
        key = stable_id(audience, operation, *(one.message_id for one in members))
        body = {
            "batch_id": key,
            "audience": audience,
            "operation": operation,
            "meta_schema": meta.SCHEMA,
            "members": [member_of(one) for one in members],
        }
        raw = _json.encode(body)
        if self._url:
            return await self._post(self._url, raw, {**self._headers, "Idempotency-Key": key})
        assert self._folder is not None
        return await _written(self._folder / f"{key}.json", raw)


def member_of(message: Message) -> dict[str, Any]:
    """One person of a batch, as each platform knows them: hashes, never the thing itself."""
    member: dict[str, Any] = {
        "message_id": message.message_id,
        "user_id": message.user_id,
        "expires_at": message.expires_at,
    }
    try:
        return member | {
            "meta": meta.row_of(message, message.to),
            "google": google.member_of(message, message.to),
        }
    except Unsendable:  # known by the user's id alone
        return member


async def _written(place: Path, raw: bytes) -> Outcome:
    try:
        await asyncio.to_thread(write_once, place, raw)
    except OSError as error:
        return later(f"{place.parent}: {error.strerror}")
    return HANDED
