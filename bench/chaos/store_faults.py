"""Faults of the store: of a primary with its replica (`store_*`) and of a cluster (`shard_*`, `slot_*`)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Final

from redis.crc import key_slot

from bench.chaos.arena import PARTITIONS, Arena
from bench.chaos.faults import cut, delay, kind
from bench.chaos.schedule import Fault
from bench.chaos.stores import Cluster, Pair, StoreServer
from streams.embedded.processes import LOOPBACK
from streams.stores.keys import lane_keys

_AT_ONCE: Final = 20


def _pair(arena: Arena) -> Pair:
    assert isinstance(arena.stores, Pair)
    return arena.stores


@kind
async def store_kill(arena: Arena, fault: Fault) -> AsyncIterator[str]:  # noqa: ARG001 - as all
    """SIGKILL of the primary; its replica, which has heard all, is promoted."""
    _pair(arena).fail_over()
    yield "replica promoted"


@kind
async def store_failover(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The replica heard nothing for the last seconds when the primary dies: those writes are lost."""
    pair = _pair(arena)
    pair.cut_replica_off()
    await asyncio.sleep(fault.lasts_s)
    pair.fail_over()
    yield f"the last {fault.lasts_s:g} s lost"


@kind
async def store_old_image(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The primary dies and starts from an image of some seconds ago."""
    pair = _pair(arena)
    await _from_old_image(pair.primary, fault)
    yield f"an image {fault.lasts_s:g} s old"
    pair.follow()


@kind
async def store_flush(arena: Arena, fault: Fault) -> AsyncIterator[str]:  # noqa: ARG001 - as all
    """Everything in the store is gone, replica included."""
    _pair(arena).primary.tell("FLUSHALL")
    yield "empty"


@kind
async def store_full(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The store has no memory left: it refuses to write."""
    await _full(_pair(arena).primary, fault)
    yield "full"


@kind
async def store_disk_full(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The disk of the store, which appends its writes to a file, is full: it refuses to write."""
    yield await _disk_full(_pair(arena).primary, fault)


@kind
async def store_freeze(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The store does not answer, for longer than clients wait."""
    await _frozen(_pair(arena).primary, fault)
    yield "frozen"


@kind
async def store_cut(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The way from the workers to the store is cut: broken off, or silent."""
    yield await cut(_pair(arena).door, fault)


@kind
async def store_delay(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """Every call to the store takes 50 to 500 ms longer."""
    yield await delay(_pair(arena).door, fault)


# -- of a cluster --


@kind
async def slot_migration(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The slot of a lane moves to another node, key by key, while the lane works; it stays there."""
    cluster, lane = _cluster(arena), int(fault.choice * PARTITIONS) % PARTITIONS
    slot = key_slot(lane_keys(arena.stage.app_id, PARTITIONS, lane).meta)
    source = cluster.holder(slot)
    others = [node for node in cluster.nodes if node is not source]
    target = others[fault.number % len(others)]
    target.tell("CLUSTER", "SETSLOT", slot, "IMPORTING", source.words("CLUSTER", "MYID"))
    source.tell("CLUSTER", "SETSLOT", slot, "MIGRATING", target.words("CLUSTER", "MYID"))
    while keys := source.tell("CLUSTER", "GETKEYSINSLOT", slot, _AT_ONCE):
        source.tell("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", *keys)
        await asyncio.sleep(0.01)
    await asyncio.sleep(fault.lasts_s / 2)
    for node in (target, source, *cluster.nodes):
        node.tell("CLUSTER", "SETSLOT", slot, "NODE", target.words("CLUSTER", "MYID"))
    yield f"lane {lane}: {source.name} to {target.name}"


@kind
async def shard_kill(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """One node dies and comes back with nothing in it."""
    node = _shard(arena, fault)
    node.kill()
    await asyncio.sleep(fault.lasts_s)
    node.begin(empty=True)
    yield f"{node.name} empty"


@kind
async def shard_old_image(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """One node dies and starts from an image of some seconds ago."""
    node = _shard(arena, fault)
    await _from_old_image(node, fault)
    yield f"{node.name}, {fault.lasts_s:g} s old"


@kind
async def shard_freeze(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """One node does not answer, for longer than clients wait."""
    node = _shard(arena, fault)
    await _frozen(node, fault)
    yield node.name


@kind
async def shard_full(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """One node has no memory left."""
    node = _shard(arena, fault)
    await _full(node, fault)
    yield node.name


@kind
async def shard_disk_full(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The disk of one node, which appends its writes to a file, is full."""
    node = _shard(arena, fault)
    yield f"{node.name}: {await _disk_full(node, fault)}"


def _cluster(arena: Arena) -> Cluster:
    assert isinstance(arena.stores, Cluster)
    return arena.stores


def _shard(arena: Arena, fault: Fault) -> StoreServer:
    nodes = _cluster(arena).nodes
    return nodes[int(fault.choice * len(nodes)) % len(nodes)]


# -- of one server --


async def _from_old_image(server: StoreServer, fault: Fault) -> None:
    server.save()
    await asyncio.sleep(fault.lasts_s)
    server.kill()
    server.begin(empty=False)


async def _full(server: StoreServer, fault: Fault) -> None:
    server.tell("CONFIG", "SET", "maxmemory", 1)
    await asyncio.sleep(2 * fault.lasts_s)
    server.tell("CONFIG", "SET", "maxmemory", 0)


async def _disk_full(server: StoreServer, fault: Fault) -> str:
    refused = server.refusals
    server.fill_disk()
    await asyncio.sleep(2 * fault.lasts_s)
    refused = server.refusals - refused
    server.clear_disk()
    return f"{refused} writes refused"


async def _frozen(server: StoreServer, fault: Fault) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    await asyncio.sleep(5 + fault.lasts_s)
    os.kill(server.pid, signal.SIGCONT)
