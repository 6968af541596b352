import random
from weakref import WeakSet

import pytest

from retarget.errors import LaneRefused
from streams.kafka.journal import PORTION, Arbiter, Tail, claim_token, decode, encode
from streams.ports import Entry, JournalRecord, Record
from tests.support.journals import whole


def claim(token: str) -> JournalRecord:
    """A claim record."""
    return JournalRecord(sequence=0, claim=token)


def batch(sequence: int, writer: str = "") -> JournalRecord:
    """A batch's record by the owner of a token; without one it came in a transaction."""
    return JournalRecord(sequence=sequence, writer=writer, acknowledged=sequence - 1 if writer else 0)


def read(*records: JournalRecord, after: int = 0, first: int = 0) -> tuple[list[int], int]:
    """The offsets that count, and the acknowledged sequence."""
    arbiter = Arbiter(after)
    found = arbiter.take(enumerate(records, start=first))
    return [offset for offset, _ in found], arbiter.acknowledged


def test_only_the_newest_claims_writer_counts() -> None:
    """Whatever stands behind a newer claim than its writer's is void."""
    assert read(claim("0-a"), batch(1, "0-a"), claim("2-b"), batch(2, "0-a"), batch(2, "2-b")) == ([1, 4], 1)


def test_a_claim_that_was_written_twice_counts_once() -> None:
    """A claim that a broker stored again, late, does not take the lane back."""
    records = (claim("0-a"), batch(1, "0-a"), claim("2-b"), claim("0-a"), batch(2, "0-a"), batch(2, "2-b"))
    assert read(*records) == ([1, 5], 1)


def test_a_late_copy_of_a_claim_is_void_from_wherever_one_reads() -> None:
    """Whoever reads from the middle has not seen the first copy, but its number is not above the owner's."""
    records = (claim("0-a"), claim("1-b"), batch(1, "1-b"), claim("0-a"), batch(2, "1-b"))
    assert read(*records) == ([2, 4], 1)
    assert read(*records[2:], after=3, first=2) == ([4], 1)


def test_of_two_claims_made_at_once_the_first_counts() -> None:
    """Both saw the same end; the second one finds that it does not own the lane."""
    assert read(claim("0-a"), claim("0-b"), batch(1, "0-b"), batch(1, "0-a")) == ([3], 0)


def test_a_record_that_was_written_twice_counts_once() -> None:
    """The first of two copies is the record, wherever the second landed."""
    assert read(claim("0-a"), batch(1, "0-a"), batch(1, "0-a"), batch(2, "0-a"), batch(1, "0-a")) == (
        [1, 3],
        1,
    )


def test_from_the_middle_the_record_before_tells_the_owner() -> None:
    """Reading on behind a record that counts needs no claim from before it."""
    assert read(batch(4, "0-a"), batch(5, "2-b"), batch(5, "0-a"), after=11, first=10) == ([12], 4)
    assert read(claim("2-b"), batch(5, "0-a"), batch(5, "2-b"), after=11, first=10) == ([12], 4)


def test_records_of_transactions_count_and_are_acknowledged() -> None:
    """A lane that was switched from one mode to the other goes on with all it had."""
    assert read(batch(1), batch(2), claim("0-a"), batch(3, "0-a")) == ([0, 1, 3], 2)
    assert read(claim("0-a"), batch(1, "0-a"), batch(2)) == ([1, 2], 2)


def test_a_strangers_record_is_refused_with_its_place() -> None:
    """A journal with something else in it stops the lane and names the offset."""
    with pytest.raises(LaneRefused, match="offset 17"):
        decode(Record("journal", 17, 0, None, b"hello"))
    assert decode(Record("journal", 0, 0, None, encode(batch(3, "0-a")))) == batch(3, "0-a")


def busy_journal(seed: int, length: int) -> list[JournalRecord]:
    """Several workers who claim in turn, of whom some go on writing after they have lost the lane."""
    draw = random.Random(seed)
    owners, sequence, made = [""], 0, []
    for offset in range(length):
        if draw.random() < 0.2:
            owners.append(claim_token(offset, f"w{len(owners)}"))
            made.append(JournalRecord(sequence=0, claim=owners[-1]))
        else:
            writer = owners[-1] if draw.random() < 0.8 else draw.choice(owners)
            sequence += writer == owners[-1]
            made.append(JournalRecord(sequence=sequence, writer=writer, acknowledged=sequence - 1))
    return made


@pytest.mark.parametrize("portion", [1, 2, 3, 7, 1_000])
async def test_in_portions_the_same_counts(portion: int) -> None:
    """Wherever a journal is cut, who owns it, what is out and which records count are as in one piece."""
    for seed in range(20):
        entries = [*enumerate(busy_journal(seed, 40))]
        asked: list[tuple[int, int]] = []

        async def some(start: int, end: int) -> list[Entry]:
            asked.append((start, end))  # noqa: B023 - used at once
            return entries[start:end]  # noqa: B023

        one = Arbiter(0)
        counted = one.take(entries)
        history, owner = await Tail(some, 0, len(entries), portion=portion).survey()
        assert await whole(history) == await whole(history) == counted
        assert (owner, history.acknowledged) == (one.owner, one.acknowledged)
        assert (history.first, history.last) == (counted[0], counted[-1])
        assert max(end - start for start, end in asked) <= portion


class Seen(dict[str, int]):
    """A frontier of which it is known whether anybody still holds it."""

    __hash__ = object.__hash__  # type: ignore[assignment]


async def test_a_long_journal_is_not_held_in_memory() -> None:
    """A hundred thousand batches behind the store: some portions at a time, however many there are."""
    length, seen, most = 100_000, 0, 0
    held: WeakSet[Seen] = WeakSet()

    async def some(start: int, end: int) -> list[Entry]:
        made = [Seen(touchpoints=at) for at in range(start, end)]
        for one in made:
            held.add(one)
        nonlocal most
        most = max(most, len(held))
        return [(at, JournalRecord(sequence=at + 1, frontier=one)) for at, one in enumerate(made, start)]

    history, _ = await Tail(some, 0, length).survey()
    async for portion in history.portions():
        seen += len(portion)
    assert seen == length
    assert most <= 3 * PORTION
