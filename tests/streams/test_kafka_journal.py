import pytest

from retarget.errors import LaneRefused
from streams.kafka.journal import Arbiter, decode, encode
from streams.ports import JournalRecord, Record


def claim(token: str) -> JournalRecord:
    """A claim record."""
    return JournalRecord(sequence=0, claim=token)


def batch(sequence: int, writer: str = "") -> JournalRecord:
    """A batch's record by the owner of a token; without one it came in a transaction."""
    return JournalRecord(sequence=sequence, writer=writer, acknowledged=sequence - 1 if writer else 0)


def read(*records: JournalRecord, after: int = 0, first: int = 0) -> tuple[list[int], int]:
    """The offsets that count, and the acknowledged sequence."""
    arbiter = Arbiter(after)
    arbiter.take(enumerate(records, start=first))
    found = arbiter.history()
    return [offset for offset, _ in found.records], found.acknowledged


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
