from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.headers import INDEX, LANE, RepeatFilter, Stamp, decode_headers, encode_headers

NUMBERS = st.integers(min_value=0, max_value=2**53)
STAMPS = st.builds(Stamp, NUMBERS, NUMBERS, NUMBERS, NUMBERS)


@given(STAMPS)
def test_headers_keep_the_stamp(stamp: Stamp) -> None:
    """What was encoded is read back, in ASCII digits."""
    headers = encode_headers(stamp)
    assert decode_headers(headers) == stamp
    assert all(value.isdigit() and value.isascii() for _, value in headers)


def test_records_of_others_are_never_repeats() -> None:
    """A record without the headers, or with headers that hold no number, always passes."""
    headers = encode_headers(Stamp(1, 0, 1, 0))
    for foreign in ([], headers[1:], [*headers[:3], (INDEX, b"x")]):
        seen = RepeatFilter()
        assert seen.is_new("t", 0, foreign)
        assert seen.is_new("t", 0, foreign)


def test_a_higher_incarnation_begins_anew() -> None:
    """After a replay that came to other outputs, the same sequence counts once more."""
    seen = RepeatFilter()
    assert seen.is_new("t", 0, encode_headers(Stamp(1, 0, 7, 3)))
    assert seen.is_new("t", 0, encode_headers(Stamp(1, 1, 2, 0)))
    assert not seen.is_new("t", 0, encode_headers(Stamp(1, 0, 8, 0)))


def test_lanes_topics_and_partitions_have_their_own_marks() -> None:
    """What one lane wrote to one partition says nothing about another."""
    seen = RepeatFilter()
    for lane, topic, partition in ((1, "t", 0), (2, "t", 0), (1, "u", 0), (1, "t", 1)):
        assert seen.is_new(topic, partition, encode_headers(Stamp(lane, 0, 5, 5)))


@given(
    st.lists(st.integers(1, 4), max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 4)), max_size=8),
    st.integers(0, 60),
)
def test_sent_again_in_any_portions_each_record_counts_once(
    sizes: list[int], again: list[tuple[int, int, int]], restart: int
) -> None:
    """Batches sent again from their beginnings, broken off anywhere, change only the number of repeats.

    Whoever goes on to the next batch has sent the one before it whole; a consumer may restart with its marks.
    """
    batches = [[(sequence, nth) for nth in range(size)] for sequence, size in enumerate(sizes, start=1)]
    log: list[tuple[int, int]] = []
    for done, batch in enumerate(batches):
        for first, last, cut in again:
            if first <= last < done:  # a claim that sends whole batches again, and dies in the last one
                log += [one for earlier in batches[first:last] for one in earlier] + batches[last][:cut]
        log += batch[: len(batch) // 2]  # the owner dies half way, and the next one sends it all
        log += batch
    seen, taken = RepeatFilter(), []
    for number, (sequence, nth) in enumerate(log):
        if number == restart:
            seen = RepeatFilter(seen.marks)
        if seen.is_new("t", 0, encode_headers(Stamp(3, 0, sequence, nth))):
            taken.append((sequence, nth))
    assert taken == [one for batch in batches for one in batch]


def test_the_names_are_those_of_the_contract() -> None:
    """Consumers elsewhere rely on these four names."""
    assert [name for name, _ in encode_headers(Stamp(0, 0, 0, 0))] == [
        LANE,
        "retarget-incarnation",
        "retarget-sequence",
        "retarget-index",
    ]
    assert LANE == "retarget-lane"
