"""Event ids that were seen, held against a plain list of all of them."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from retarget.journeys.model import Journey
from retarget.journeys.repeats import REMEMBERED, admit, remembered
from retarget.times import DAY, MINUTE

WINDOW = DAY


def same_checksum() -> tuple[str, str]:
    """Two ids that the journey cannot tell apart by their checksums."""
    seen: dict[str, str] = {}
    for number in count():
        journey, event_id = Journey(person="p"), f"event-{number}"
        admit(journey, event_id, 1, WINDOW)
        if journey.recent_marks in seen:
            return seen[journey.recent_marks], event_id
        seen[journey.recent_marks] = event_id
    raise AssertionError("unreachable")


def test_ids_of_the_same_checksum_are_two_ids() -> None:
    """The checksum only spares a search; it never decides."""
    one, other = same_checksum()
    journey = Journey(person="p")
    assert [admit(journey, event_id, 1, WINDOW) for event_id in (one, other, one, other)] == [
        True, True, False, False,
    ]  # fmt: skip


def test_of_an_id_that_holds_another_both_count() -> None:
    """An id is compared whole, from its beginning to its end."""
    journey = Journey(person="p")
    assert all(admit(journey, event_id, 1, WINDOW) for event_id in ("ab", "b", "a", "abc", "bc"))


def test_the_last_ids_are_known_whatever_their_age() -> None:
    """The 128th from the end is a repeat years later, the one before it is not."""
    journey = Journey(person="p")
    for number in range(REMEMBERED + 1):
        assert admit(journey, f"e{number}", number, WINDOW)
    assert admit(journey, "e0", 1000 * DAY, WINDOW)
    journey = Journey(person="p")
    for number in range(REMEMBERED):
        assert admit(journey, f"e{number}", number, WINDOW)
    assert not admit(journey, "e0", 1000 * DAY, WINDOW)


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 5 * DAY // MINUTE)).map(
            lambda pair: (f"{pair[0]}", pair[1] * MINUTE)
        ),
        max_size=600,
    )
)
def test_a_plain_list_of_all_ids_knows_the_same(events: list[tuple[str, int]]) -> None:
    """Within the window every id is known; among the last 128 every one."""
    journey, applied = Journey(person="p"), list[tuple[str, int]]()
    for event_id, time in events:
        last = {known for known, _ in applied[-REMEMBERED:]}
        near = any(known == event_id and abs(at - time) < WINDOW for known, at in applied)
        admitted = admit(journey, event_id, time, WINDOW)
        if event_id in last:
            assert not admitted
        elif not near:
            assert admitted
        if admitted:
            applied.append((event_id, time))
        assert remembered(journey) == applied[-REMEMBERED:]
