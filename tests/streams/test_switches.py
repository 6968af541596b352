"""Kill switches of a worker whose store is lost under it."""

from __future__ import annotations

from streams.ports import StoredSwitches, UnknownOutcome
from streams.stores.memory import MemoryStore
from streams.switches import Switches


class Fragile(MemoryStore):
    """A store that can be emptied, and that may not take anything for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = True

    def flush(self) -> None:
        """As FLUSHALL, or a new server in its place."""
        MemoryStore.__init__(self)

    async def set_pause(self, name: str, since_ms: int | None) -> None:
        """See Switches."""
        if not self.takes:
            raise UnknownOutcome("no answer")
        await super().set_pause(name, since_ms)


class Worker(Switches):
    """Its switches, and how many it showed."""

    def __init__(self, store: MemoryStore) -> None:
        self.counts: list[int] = []
        super().__init__(store, self.counts.append)


async def test_a_store_that_was_emptied_ends_no_pause() -> None:
    """What this worker knows is in force before, while and after the store learns it again."""
    store = Fragile()
    worker = Worker(store)
    await store.set_pause("push", 5)
    await worker.read()
    store.flush()
    store.takes = False
    await worker.read()
    assert worker.in_force == {"push": 5}
    assert await store.pauses() == {}
    store.takes = True
    await worker.read()
    assert worker.in_force == await store.pauses() == {"push": 5}
    assert set(worker.counts) == {1}


async def test_a_pause_that_was_ended_is_over_for_everybody() -> None:
    """Resuming is written down, so that no worker takes it for a loss; and it can be paused again."""
    store = Fragile()
    first, second = Worker(store), Worker(store)
    await store.set_pause("push", 5)
    await first.read()
    await second.read()
    await store.set_pause("push", None)
    await first.read()
    await second.read()
    assert first.in_force == second.in_force == await store.pauses() == {}
    await store.set_pause("push", 9)
    await first.read()
    store.flush()
    await first.read()
    assert first.in_force == {"push": 9}


async def test_what_was_ended_is_not_thrown_again_from_the_journal() -> None:
    """A lane that was idle since knows the pause from its last batch, and the worker that it was ended."""
    store = Fragile()
    worker = Worker(store)
    await store.set_pause("push", 5)
    await store.set_pause("email", 6)
    await store.set_pause("push", None)
    await worker.read()
    store.flush()
    await worker.regained({"push": 5, "email": 6, "sms": 7})
    assert worker.in_force == await store.pauses() == {"email": 6, "sms": 7}


async def test_a_store_that_does_not_answer_changes_nothing() -> None:
    """What was in force goes on to be."""

    class Silent(MemoryStore):
        async def switches(self) -> StoredSwitches:
            raise UnknownOutcome("no answer")

    worker = Worker(Silent())
    worker.in_force = {"push": 5}
    await worker.read()
    assert worker.in_force == {"push": 5}
