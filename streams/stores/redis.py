"""The store in Redis or Valkey: each call is one command or one script, done whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final, Self

from redis.exceptions import NoPermissionError

from retarget.engine.ceilings import Granted
from retarget.errors import BadInput, Unreachable
from retarget.times import DAY
from streams.ports import Ask, Checkpoint, LaneImage, Portion, StoredSwitches, UnknownOutcome
from streams.stores import scripts
from streams.stores.keys import (
    ENDED,
    LaneKeys,
    ceiling_key,
    escaped,
    follower,
    follower_prefix,
    lane_keys,
    pauses_key,
    person_bytes,
    person_text,
    revoked_key,
)
from streams.stores.link import SETTING, Argument, Link
from streams.stores.packing import Compression, Packing
from streams.stores.portions import PORTION
from streams.stores.routes import Routes

_NO_LANE: Final = -1
# Lanes may lie so far behind each other before what one was granted is forgotten.
CEILING_KEPT: Final = 7 * DAY


class RedisStore:
    """A JourneyStore in Redis or Valkey, alone or as a cluster; one for all lanes of a process."""

    def __init__(self, routes: Routes, app_id: str, lanes: int, packing: Packing) -> None:
        """Use `connect` instead, which also looks whether the server is fit."""
        self._routes = routes
        self._app_id = app_id
        self._lanes = lanes
        self._packing = packing
        self._pauses = pauses_key(app_id)

    @classmethod
    async def connect(cls, url: str, app_id: str, lanes: int, *, compress: Compression = "none") -> Self:
        """The store at `url` for an app of `lanes` lanes; both are part of its keys.

        `compress`: journeys are written so; all forms are read either way.
        Raises BadInput for a bad URL or app id, or a server that may evict journeys;
        Unreachable when it does not answer or does not let us in.
        """
        try:
            lane_keys(app_id, lanes, 0)
        except ValueError as error:
            raise BadInput([f"app.id: {error}"]) from error
        routes = Routes.to(url)
        store = cls(routes, app_id, lanes, Packing(compress))
        try:
            if await _require_fit(routes.home):
                await store._require_others_fit()
        except BaseException:
            await routes.close()
            raise
        return store

    async def _require_others_fit(self) -> None:
        """Look at the further nodes of a cluster that hold lanes, but for those that are away."""
        for lane in range(self._lanes):
            with suppress(UnknownOutcome, Unreachable):
                await self.image(lane)
        for link in self._routes.others():
            await _require_fit(link)

    async def image(self, lane: int) -> LaneImage:
        """The stored sequence and meta of a lane. Raises UnknownOutcome."""
        sequence, meta = await self._routes.call(lane, b"HMGET", self._keys(lane).meta, b"seq", b"meta")
        return LaneImage(int(sequence or 0), meta or b"")

    async def load(self, lane: int, persons: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """The journeys of `persons`, in order, None for the unknown, with the sequence they were read at.

        All at one moment. Raises UnknownOutcome, Damaged.
        """
        keys = self._keys(lane)
        prefix = keys.journey
        found = await self._routes.run(
            lane, scripts.LOAD, [keys.meta, *[prefix + person_bytes(person) for person in persons]]
        )
        unpack = self._packing.unpack
        return found[0], [None if one is None else unpack(one) for one in found[1:]]

    async def waits(self, lane: int, after: int, until: int, limit: int) -> tuple[int, list[tuple[int, str]]]:
        """At least one and about `limit` (>= 1) waits with after < due <= until, in the order (due, person).

        The whole of a due time is given, so there may be more than `limit`. Raises UnknownOutcome.
        """
        keys = self._keys(lane)
        sequence, page = await self._routes.run(
            lane, scripts.WAITS, [keys.meta, keys.waits], [after, until, limit]
        )
        dues = map(int, page[1::2])
        return sequence, list(zip(dues, map(person_text, page[::2]), strict=True))

    async def listings(self, lane: int, products: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """As `load`, the listings of products. Raises UnknownOutcome."""
        keys = self._keys(lane)
        named = [keys.listing + person_bytes(product) for product in products]
        found = await self._routes.run(lane, scripts.LOAD, [keys.meta, *named])
        return found[0], found[1:]

    async def followers(
        self, lane: int, asked: Sequence[tuple[str, str]], limit: int
    ) -> tuple[int, list[list[str]]]:
        """For each (product, after) at most `limit` persons behind `after` who follow it, in order.

        Raises UnknownOutcome.
        """
        keys = self._keys(lane)
        prefixes = [follower_prefix(product) for product, _ in asked]
        arguments: list[Argument] = [limit]
        for prefix, (_, after) in zip(prefixes, asked, strict=True):
            arguments += (prefix, person_bytes(after))
        found = await self._routes.run(lane, scripts.FOLLOWERS, [keys.meta, keys.followers], arguments)
        pages = zip(prefixes, found[1:], strict=True)
        return found[0], [[person_text(one[len(prefix) :]) for one in page] for prefix, page in pages]

    async def checkpoint(self, lane: int, checkpoint: Checkpoint) -> int:
        """Store it if the stored sequence is `expected`; the sequence stored after the call either way.

        The caller is done when that is `after`, whoever wrote it. Raises UnknownOutcome.
        """
        keys = self._keys(lane)
        return int(
            await self._routes.run(
                lane,
                scripts.CHECKPOINT,
                _checkpoint_keys(keys, checkpoint),
                _checkpoint_arguments(checkpoint, self._packing),
            )
        )

    async def portions(self, lane: int, size: int = PORTION) -> AsyncIterator[Portion]:
        """All that is held of a lane that nobody writes to meanwhile, in portions of about `size`.

        Something may come twice. Raises UnknownOutcome, Damaged.
        """
        keys = self._keys(lane)
        await self.image(lane)  # so that the way is known: in a cluster a scan is not sent on
        async for named in self._scanned(lane, b"SCAN", match=keys.journey, size=size):
            stored = await self._values(lane, keys.journey, named)
            yield Portion(journeys=[(one, self._packing.unpack(value)) for one, value in stored])
        async for found in self._scanned(lane, b"ZSCAN", key=keys.waits, size=size):
            yield Portion(waits=list(zip(map(person_text, found[::2]), map(int, found[1::2]), strict=True)))
        async for named in self._scanned(lane, b"SCAN", match=keys.listing, size=size):
            yield Portion(listings=await self._values(lane, keys.listing, named))
        async for found in self._scanned(lane, b"ZSCAN", key=keys.followers, size=size):
            yield Portion(following=list(map(follower, found[::2])))

    async def _scanned(
        self, lane: int, command: bytes, *, key: bytes = b"", match: bytes = b"", size: int
    ) -> AsyncIterator[list[bytes]]:
        cursor = b"0"
        place = [key] if key else []
        pattern = [b"MATCH", escaped(match) + b"*"] if match else []
        while True:
            cursor, found = await self._routes.call(lane, command, *place, cursor, *pattern, b"COUNT", size)
            if found:
                yield found
            if cursor == b"0":
                return

    async def _values(self, lane: int, prefix: bytes, named: Sequence[bytes]) -> list[tuple[str, bytes]]:
        values = await self._routes.call(lane, b"MGET", *named)
        ids = [person_text(key[len(prefix) :]) for key in named]
        return [(one, value) for one, value in zip(ids, values, strict=True) if value is not None]

    async def journey(self, lane: int, person: str) -> bytes | None:
        """The stored journey of one person, to be looked at only. Raises UnknownOutcome, Damaged."""
        found = await self._routes.call(lane, b"GET", self._keys(lane).journey + person_bytes(person))
        return None if found is None else self._packing.unpack(found)

    async def wait_of(self, lane: int, person: str) -> int | None:
        """The due of a person's stored wait, epoch ms, to be looked at only. Raises UnknownOutcome."""
        due = await self._routes.call(lane, b"ZSCORE", self._keys(lane).waits, person_bytes(person))
        return None if due is None else int(due)

    async def grant(self, ask: Ask) -> Granted:
        """All that the lane has of a ceiling from now on. Raises UnknownOutcome."""
        lacks = ask.shortage
        key = ceiling_key(self._app_id, ask.rule, lacks.within, lacks.window)
        kept = 2 * lacks.within + CEILING_KEPT
        arguments: list[Argument] = [ask.lane, ask.has, lacks.wanted, lacks.most, ask.lanes, kept]
        has, left = await self._routes.run(_NO_LANE, scripts.GRANT, [key], arguments)
        return Granted(lacks.window, int(has), last=not left)

    async def set_pause(self, name: str, since_ms: int | None) -> None:
        """Pause a rule or channel from `since_ms` on; None ends its pause. Raises UnknownOutcome."""
        field = person_bytes(name)
        if since_ms is not None:
            await self._routes.call(_NO_LANE, b"HSET", self._pauses, field, since_ms)
        elif (since := await self._routes.call(_NO_LANE, b"HGET", self._pauses, field)) is not None:
            await self._routes.call(_NO_LANE, b"HSET", self._pauses, ENDED + field, since)
            await self._routes.call(_NO_LANE, b"HDEL", self._pauses, field)

    async def pauses(self) -> dict[str, int]:
        """The pauses in force: rule or channel -> since, epoch ms. Raises UnknownOutcome."""
        return (await self.switches()).in_force

    async def switches(self) -> StoredSwitches:
        """The pauses in force, and those that were ended. Raises UnknownOutcome."""
        flat = await self._routes.call(_NO_LANE, b"HGETALL", self._pauses)
        found = StoredSwitches({}, {})
        for field, since in zip(flat[::2], flat[1::2], strict=True):
            ended = field.startswith(ENDED)
            name = person_text(field.removeprefix(ENDED))
            (found.ended if ended else found.in_force)[name] = int(since)
        return found

    async def revoke_link(self, message_id: str, until_ms: int | None) -> None:
        """Take the link of a message back, until it has expired anyway; None: no longer.

        Raises UnknownOutcome.
        """
        key = revoked_key(self._app_id, message_id)
        if until_ms is None:
            await self._routes.call(_NO_LANE, b"UNLINK", key)
        else:
            await self._routes.call(_NO_LANE, b"SET", key, b"1", b"PXAT", until_ms)

    async def link_is_revoked(self, message_id: str) -> bool:
        """Whether the link of a message has been taken back. Raises UnknownOutcome."""
        key = revoked_key(self._app_id, message_id)
        return await self._routes.call(_NO_LANE, b"GET", key) is not None

    async def close(self) -> None:
        """End every connection."""
        await self._routes.close()

    def _keys(self, lane: int) -> LaneKeys:
        return lane_keys(self._app_id, self._lanes, lane)


def _checkpoint_keys(keys: LaneKeys, checkpoint: Checkpoint) -> list[bytes]:
    prefix = keys.journey
    named = [keys.meta, keys.waits, keys.followers]
    named += [prefix + person_bytes(person) for person, _ in checkpoint.journeys]
    named += [keys.listing + person_bytes(product) for product, _ in checkpoint.listings]
    named += [prefix + person_bytes(person) for person in checkpoint.forgotten]
    named += [keys.listing + person_bytes(product) for product in checkpoint.unlisted]
    return named


def _checkpoint_arguments(checkpoint: Checkpoint, packing: Packing) -> list[Argument]:
    journeys, waits = checkpoint.journeys, checkpoint.waits
    expected = checkpoint.expected
    written = packing.pack([value for _, value in journeys])
    written += [value for _, value in checkpoint.listings]
    arguments: list[Argument] = [expected, checkpoint.after, checkpoint.meta, len(written), len(waits)]
    arguments += (len(checkpoint.unwaited), len(checkpoint.following))
    arguments += written
    for person, due in waits:
        arguments += (due, person_bytes(person))
    arguments += map(person_bytes, checkpoint.unwaited)
    for product, person in checkpoint.following:
        arguments += (0, follower_prefix(product) + person_bytes(person))
    arguments += [
        follower_prefix(product) + person_bytes(person) for product, person in checkpoint.unfollowing
    ]
    return arguments


async def _require_fit(link: Link) -> bool:
    """Whether it is one node of a cluster. Raises BadInput for a server that may evict, Unreachable."""
    try:
        # CONFIG is forbidden on hosted servers, this rarely.
        told: bytes = await link.call(b"INFO")
    except UnknownOutcome as error:
        raise link.unreachable(str(error.__cause__ or error)) from error
    except Unreachable as error:
        if isinstance(error.__cause__, NoPermissionError):
            return False
        raise
    facts = dict(line.split(":", 1) for line in told.decode().splitlines() if ":" in line)
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return facts.get("cluster_enabled") == "1"
    problem = f"{SETTING}: the store at {link.address} has maxmemory-policy {policy} and would drop journeys"
    raise BadInput([f"{problem} when it is full: set maxmemory-policy noeviction on it"])
