"""Who reads what: partition numbers, not partitions, are shared out: all topics of a lane move together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.structs import TopicPartition

_VERSION = 0


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a member says of itself when it joins: its name, and the numbers it had in which generation."""

    worker: str = ""
    generation: int = -1
    numbers: list[int] = []


def share_out(numbers: Iterable[int], claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """Give every number to one member: evenly (counts differ by one at most), as few as possible moved.

    The same arguments give the same answer, whatever their order. Of two members that claim a number, the one
    with the later generation had it last.
    """
    wanted = sorted(set(numbers))
    kept = _undisputed(wanted, claims)
    by_having = sorted(claims, key=lambda member: (-len(kept[member]), claims[member].worker, member))
    least, more = divmod(len(wanted), len(claims)) if claims else (0, 0)
    room = {member: least + (rank < more) for rank, member in enumerate(by_having)}
    shares = {member: kept[member][: room[member]] for member in by_having}
    given = {number for share in shares.values() for number in share}
    free = iter([number for number in wanted if number not in given])
    for member, share in shares.items():
        share.extend(number for _, number in zip(range(room[member] - len(share)), free, strict=False))
    return {member: sorted(share) for member, share in shares.items()}


def _undisputed(wanted: Sequence[int], claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """What every member claims and nobody had later, ascending."""
    latest: dict[int, tuple[int, str, str]] = {}
    for member, claim in claims.items():
        for number in claim.numbers:
            entry = (claim.generation, claim.worker, member)
            latest[number] = max(entry, latest.get(number, entry))
    kept: dict[str, list[int]] = {member: [] for member in claims}
    for number in wanted:
        if number in latest:
            kept[latest[number][2]].append(number)
    return kept


class NumberAssignor(AbstractPartitionAssignor):  # type: ignore[misc] # aiokafka is published without types
    """The assignor of one consumer; it remembers what the consumer was given.

    aiokafka declares its assignors as classes but only uses their attributes, so that an instance will do.
    """

    name = "retarget-numbers"

    def __init__(self, worker: str, *, taken: Callable[[Sequence[TopicPartition]], int]) -> None:
        """`taken` is called at once with every new assignment and tells the group's generation."""
        self._worker = worker
        self._taken = taken
        self._claim = Claim(worker=worker)

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member sends when it joins."""
        return ConsumerProtocolMemberMetadata(_VERSION, sorted(topics), msgspec.json.encode(self._claim))

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what this member was given."""
        partitions = assignment.partitions()
        numbers = sorted({each.partition for each in partitions})
        self._claim = Claim(worker=self._worker, generation=self._taken(partitions), numbers=numbers)

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Called on the member that leads the group: share out what all members subscribe to."""
        topics = {topic for member in members.values() for topic in member.subscription}
        numbers = {topic: set(cluster.partitions_for_topic(topic) or ()) for topic in sorted(topics)}
        claims = {name: _claim_of(member) for name, member in members.items()}
        shares = share_out(set().union(*numbers.values()), claims)
        return {
            name: ConsumerProtocolMemberAssignment(
                _VERSION,
                [
                    (topic, [each for each in shares[name] if each in numbers[topic]])
                    for topic in sorted(member.subscription)
                ],
                b"",
            )
            for name, member in members.items()
        }


def _claim_of(member: ConsumerProtocolMemberMetadata) -> Claim:
    try:
        return msgspec.json.decode(member.user_data or b"{}", type=Claim)
    except msgspec.DecodeError:
        return Claim()
