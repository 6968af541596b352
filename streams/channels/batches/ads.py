"""Changes of audiences for a service of the shop's, or as files: each person as both platforms know them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from retarget.errors import Unsendable
from retarget.formats import google, meta
from retarget.messages import Message, Operation, stable_id
from streams.channels.batches.audiences import Audiences, encoded
from streams.channels.batches.files import folder_of, write_once
from streams.channels.outcomes import HANDED, NOT_YET, Leave, Outcome, later
from streams.channels.posting import headers, require_url
from streams.settings import Settings


class AdsChannel(Audiences):
    """A Channel by HTTP or files; of a file that is there already nothing is written."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        ads = settings.ads
        super().__init__(ads.batch)
        self._url, self._token = ads.url, ads.token
        self._folder = None if ads.url else folder_of(ads.folder, "ads.folder")
        if ads.url:
            require_url("ads.url", ads.url)

    async def _batch(
        self, audience: str, operation: Operation, members: Sequence[Message], leave: Leave
    ) -> Sequence[Outcome]:
        key = stable_id(audience, operation, *(one.message_id for one in members))
        body = {
            "batch_id": key,
            "audience": audience,
            "operation": operation,
            "meta_schema": meta.SCHEMA,
            "members": [member_of(one) for one in members],
        }
        return [await self._handed(key, encoded(body), leave, len(members))] * len(members)

    async def _handed(self, key: str, raw: bytes, leave: Leave, count: int) -> Outcome:
        if self._url:
            return await self._post(self._url, raw, headers(self._token, key), leave=leave, count=count)
        assert self._folder is not None
        if not await leave(count):
            return NOT_YET
        return await _written(self._folder / f"{key}.json", raw)


def member_of(message: Message) -> dict[str, Any]:
    """One person of a batch, as each platform knows them: hashes, never the thing itself.

    Whom a platform cannot know has nothing for that one; the user's id is always there.
    """
    member: dict[str, Any] = {
        "message_id": message.message_id,
        "user_id": message.user_id,
        "expires_at": message.expires_at,
    }
    forms: Mapping[str, Callable[[Message, Mapping[str, Any]], object]] = {
        "meta": meta.row_of,
        "google": google.member_of,
    }
    for platform, form in forms.items():
        try:
            member[platform] = form(message, message.to)
        except Unsendable:
            continue
    return member


async def _written(place: Path, raw: bytes) -> Outcome:
    try:
        await asyncio.to_thread(write_once, place, raw)
    except OSError as error:
        return later(f"{place.parent}: {error.strerror}")
    return HANDED
