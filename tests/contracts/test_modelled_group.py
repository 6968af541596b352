"""The consumer group of the fault simulator against Kafka's: the same calls, the same answers.

Not against the embedded broker, whose groups answer otherwise in places.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaClient
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import (
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    SyncGroupRequest,
)

from streams.kafka import KafkaAddress
from tests.protocol.group import SESSION_MS, Answer, Group
from tests.support.kafka.companion import GROUPS, move, settle, two_nodes
from tests.support.kafka.real_kafka import RealKafka, create_topic

NAMES: Final = ("ann", "bob", "cyd")
CALLS: Final = ("join", "join", "join", "leave", "heartbeat", "heartbeat", "commit", "commit")
LENGTH: Final = 60
_ANSWERS: Final[dict[int, Answer]] = {
    0: "ok", 22: "illegal generation", 25: "unknown member", 27: "rebalancing",
}  # fmt: skip
_ELSEWHERE: Final = 16  # it is not the coordinator
_COMING_UP: Final = {14, 15, 16}  # a coordinator that is not yet one
_ID_REQUIRED: Final = 79
_SESSION_MS: Final = 60_000
_SHORT_MS: Final = 4_000  # longer than a busy machine keeps the other one waiting


class RealMember:
    """One member; it sends what a consumer would, when it is told to."""

    def __init__(self, client: AIOKafkaClient, node: int, group: str, session_ms: int) -> None:
        self._client, self._group, self._session_ms = client, group, session_ms
        self.node = node
        self._id = "nobody"  # until the coordinator gives it one
        self._joining: asyncio.Task[Any] | None = None
        self.topic = group

    @property
    def waits(self) -> bool:
        """Whether it has asked to join, and has no answer yet that somebody took."""
        return self._joining is not None

    async def join(self, *, anew: bool) -> None:
        """Ask to be in the next generation; the answer comes when everybody has."""
        if anew:
            self._id = ""
        self._joining = asyncio.create_task(self._join())

    async def follow(self) -> None:
        """Find the coordinator where it is now; the former one has not let it join."""
        if self._joining is not None:
            answer, self._joining = await self._joining, None
            assert answer.error_code == _ELSEWHERE
        self.node = await _coordinator(self._client, self._group)

    async def size(self) -> int:
        """How many members the broker counts."""
        (group,) = (await self._send(DescribeGroupsRequest([self._group]))).groups
        return len(group[5])

    async def joined(self) -> Any:  # noqa: ANN401 - aiokafka's, without types
        """The broker's answer, once there is one."""
        assert self._joining is not None
        answer, self._joining = await self._joining, None
        assert answer.error_code == 0
        return answer

    async def sync(self, answer: Any) -> None:  # noqa: ANN401
        """Give or take the assignment of a new generation."""
        everybody = [(member[0], b"") for member in answer.members] if answer.leader_id == self._id else []
        request = SyncGroupRequest(self._group, answer.generation_id, self._id, None, everybody)
        assert (await self._send(request)).error_code == 0

    async def heartbeat(self, generation: int) -> Answer:
        """See Group."""
        return _ANSWERS[await self.code(generation)]

    async def code(self, generation: int = 0) -> int:
        """What a heartbeat is answered with."""
        answer = await self._send(HeartbeatRequest(self._group, generation, self._id))
        return int(answer.error_code)

    async def leave(self) -> Answer:
        """See Group."""
        return _ANSWERS[(await self._send(LeaveGroupRequest(self._group, self._id))).error_code]

    async def commit(self, generation: int) -> Answer:
        """See Group."""
        offsets = [(self.topic, [(0, 7, "")])]
        answer = await self._send(OffsetCommitRequest(self._group, generation, self._id, -1, offsets))
        ((_, ((_, code),)),) = answer.topics
        return _ANSWERS[code]

    async def _join(self) -> Any:  # noqa: ANN401
        while True:
            request = JoinGroupRequest(
                self._group,
                self._session_ms,
                60_000,
                self._id,
                None,
                "consumer",
                [("range", b"")],
            )
            # On a connection of its own: the broker answers the requests of one in their order.
            answer = await self._client.send(self.node, request, group=ConnectionGroup.COORDINATION)
            self._id = answer.member_id
            if answer.error_code != _ID_REQUIRED:
                return answer

    async def _send(self, request: object) -> Any:  # noqa: ANN401
        return await self._client.send(self.node, request)


async def _up(member: RealMember) -> None:
    """Wait until the coordinator answers for the group: the first one of a broker has a topic made."""
    async with asyncio.timeout(30):
        while await member.code() in _COMING_UP:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@asynccontextmanager
async def members(bootstrap: str, group: str, session_ms: int) -> AsyncIterator[dict[str, RealMember]]:
    """Three who are no members yet; the group has a topic of its name."""
    await create_topic(bootstrap, group, 1)
    async with AsyncExitStack() as stack:
        made = {}
        for name in NAMES:
            client = KafkaAddress(bootstrap=bootstrap).client()
            stack.push_async_callback(client.close)
            await client.bootstrap()
            made[name] = RealMember(client, await _coordinator(client, group), group, session_ms)
            await _up(made[name])
        yield made


async def _coordinator(client: AIOKafkaClient, group: str) -> int:
    async with asyncio.timeout(30):
        while True:
            try:
                return int(await client.coordinator_lookup(CoordinationType.GROUP, group))
            except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
                await asyncio.sleep(0.1)


class Both:
    """A real group and the modelled one, asked alike."""

    def __init__(self, real: dict[str, RealMember], model: Group) -> None:
        self.real, self.model = real, model
        self._known: dict[str, int] = {}  # the last generation that somebody was in

    async def join(self, name: str) -> None:
        """Join, unless it is a member and nothing is changing; a generation that is whole begins."""
        if name in self.model.members and (not self.model.rebalancing or self.model.has_joined(name)):
            return
        await self.real[name].join(anew=name not in self.model.members)
        self.model.join(name)
        async with asyncio.timeout(30):  # it is on its way
            while await self.real[name].size() != len(self.model.members):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await self.settle()

    async def leave(self, name: str) -> None:
        """Leave, unless it waits for the next generation."""
        if name in self.model.members and self.model.has_joined(name):
            return
        assert await self.real[name].leave() == self.model.leave(name)
        await self.settle()

    async def settle(self) -> None:
        """When all have joined: the broker says so, too, to everybody, and in the same generation."""
        if self.model.rebalancing:
            return
        waiting = [name for name in self.model.members if self.real[name].waits]
        answers = await asyncio.gather(*(self.real[name].joined() for name in waiting))
        assert {answer.generation_id for answer in answers} <= {self.model.generation}
        pairs = zip(waiting, answers, strict=True)
        await asyncio.gather(*(self.real[name].sync(answer) for name, answer in pairs))
        self._known |= dict.fromkeys(waiting, self.model.generation)

    async def move(self, bootstrap: str) -> None:
        """Have the other node be the coordinator; the former one says that it is not one, to joiners too."""
        ann = self.real["ann"]
        before = ann.node
        await move(bootstrap, GROUPS, ann.topic, 3 - before)
        self.model.move()
        async with asyncio.timeout(30):
            while await ann.code() != _ELSEWHERE:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for member in self.real.values():
            await member.follow()
        async with asyncio.timeout(30):  # while it loads, it knows nobody
            while await ann.size() != len(self.model.members):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert ann.node == 3 - before

    async def ask_everybody(self) -> None:
        """Both questions, in the generation that each knows and in the one before."""
        for call in ("heartbeat", "commit"):
            for name in NAMES:
                for age in (0, 1):
                    await self.ask(call, name, age)

    async def ask(self, call: str, name: str, age: int) -> None:
        """A heartbeat or a commit, of the generation that somebody knows or of one before."""
        generation = max(self._known.get(name, 1) - age, 0)
        told = await getattr(self.real[name], call)(generation)
        expected = getattr(self.model, call)(name, generation)
        assert told == expected, f"{call} of {name} in {generation}: {told}, not {expected}"


@pytest.mark.parametrize("seed", range(6))
async def test_any_calls_of_three_members_have_the_same_answers(
    real_kafka: RealKafka, unique_name: Callable[[str], str], seed: int
) -> None:
    """Joining, leaving, heartbeats and commits, also of a generation that is over, in any order."""
    chance = Random(seed)
    async with members(real_kafka.bootstrap, unique_name("group"), _SESSION_MS) as real:
        both = Both(real, Group(lambda: 0))
        for _ in range(LENGTH):
            call, name = chance.choice(CALLS), chance.choice(NAMES)
            if call in ("join", "leave"):
                await getattr(both, call)(name)
            else:
                await both.ask(call, name, chance.choice((0, 0, 1)))
        for name in NAMES * 2:
            await both.join(name)
        assert not both.model.rebalancing


@pytest.mark.kafka
@pytest.mark.timeout(300)
async def test_a_group_whose_coordinator_moves_is_that_of_its_last_generation(
    tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Between two nodes: whoever was about to join or to leave then was not, and asks again."""
    with two_nodes(tmp_path) as (kafka, companion):
        await settle(kafka.bootstrap)
        companion.start()
        async with members(kafka.bootstrap, unique_name("group"), _SESSION_MS) as real:
            both = Both(real, Group(lambda: 0))
            for name in ("ann", "bob", "ann", "cyd"):
                await both.join(name)
            await both.move(kafka.bootstrap)
            assert set(both.model.members) == {"ann", "bob"}
            await both.ask_everybody()
            for name in ("cyd", "ann", "bob"):
                await both.join(name)
            assert both.model.generation == 3
            await both.leave("ann")
            await both.ask_everybody()
            await both.move(kafka.bootstrap)
            assert set(both.model.members) == set(NAMES)
            await both.ask_everybody()
            await both.leave("ann")
            for name in ("bob", "cyd"):
                await both.join(name)
            assert both.model.generation == 4
            await both.ask_everybody()


async def test_who_is_silent_for_a_session_is_no_member_any_more(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """The others hear of it, go on without it in the next generation, and its own answers say so."""
    passed = 0
    async with members(real_kafka.bootstrap, unique_name("group"), _SHORT_MS) as real:
        both = Both(real, Group(lambda: passed))
        for name in ("ann", "bob", "ann"):
            await both.join(name)
        async with asyncio.timeout(30):
            while await real["ann"].heartbeat(both.model.generation) == "ok":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        passed = SESSION_MS - 1
        assert both.model.heartbeat("ann", both.model.generation) == "ok"
        both.model.expire()
        assert both.model.members == ("ann", "bob")
        passed += 1
        both.model.expire()
        await both.ask("heartbeat", "ann", 0)
        await both.join("ann")
        for call in ("heartbeat", "commit"):
            await both.ask(call, "ann", 0)
            await both.ask(call, "bob", 0)
