"""The topic of keys: what a claim finds in it, and what becomes of it with more lanes."""

from __future__ import annotations

from streams.embedded import EmbeddedBroker
from streams.kafka import KafkaAddress, create_or_check, encode_headers
from streams.kafka.headers import Stamp
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing, producing, send
from streams.sealing.past import KeysInTopic, retire
from streams.topics import KEYS, lane_of, topic_specs


async def put(address: KafkaAddress, lane: int, *told: tuple[str, bytes, int]) -> None:
    """Keys of people, each by a batch of its lane."""
    outgoing = [
        Outgoing(KEYS, lane, name.encode(), key, encode_headers(Stamp(lane, 0, batch, 0)))
        for name, key, batch in told
    ]
    async with producing(address) as producer:
        await send(producer, outgoing)


async def test_the_first_of_a_batch_and_the_last_of_all_counts(own_broker: EmbeddedBroker) -> None:
    """Whoever wakes up as an owner of former times writes another key behind that of the same batch."""
    address = KafkaAddress(bootstrap=own_broker.bootstrap)
    await create_or_check(address, topic_specs(["touchpoints"], 2, sealed=True))
    reader = Reader(address)
    await reader.start()
    try:
        assert await KeysInTopic(reader)(1) == {}
        await put(address, 1, ("ann", b"k1", 5), ("ann", b"of nobody", 5), ("bob", b"k2", 6), ("bob", b"", 7))
        for portion in (1, 3, 2_000):
            assert await KeysInTopic(reader, portion)(1) == {"ann": b"k1", "bob": b""}
        assert await KeysInTopic(reader)(0) == {}
    finally:
        await reader.close()


async def test_keys_of_people_who_change_lanes_are_thrown_away_where_they_were(
    own_broker: EmbeddedBroker,
) -> None:
    """Their new lane writes into another partition: an erasure would never reach the old one."""
    address = KafkaAddress(bootstrap=own_broker.bootstrap)
    await create_or_check(address, topic_specs(["touchpoints"], 4, sealed=True))
    names = [f"u{n}" for n in range(20)]
    for lane in range(2):
        await put(
            address, lane, *((name, b"k", n) for n, name in enumerate(names) if lane_of(name, 2) == lane)
        )
    reader = Reader(address)
    await reader.start()
    try:
        moved = {name for name in names if lane_of(name, 4) != lane_of(name, 2)}
        assert await retire(address, reader, 2, 4) == len(moved) > 0
        left = {name for lane in range(4) for name, key in (await KeysInTopic(reader)(lane)).items() if key}
        assert left == {*names} - moved
        assert await retire(address, reader, 2, 4) == 0
    finally:
        await reader.close()
