from collections import Counter
from collections.abc import Callable
from itertools import islice, pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.shop import Arrival, Faults, disturb, open_shop, simulate
from streams.shop.disturbance import BREAKAGES, NO_FAULTS

SHOP: Final = open_shop()
START: Final = 1_714_521_600_000
FAULTS: Final = Faults(late=0.02, repeated=0.02, malformed=0.02)


def some(seed: int, count: int = 400) -> list[Touchpoint]:
    """The first events of a stream of 30 people."""
    return list(islice(simulate(SHOP, seed=seed, people=30, start_ms=START), count))


def decoded(arrivals: list[Arrival]) -> list[Touchpoint]:
    """Those of the records that can be read."""
    readable = []
    for arrival in arrivals:
        try:
            readable.append(decode_canonical(arrival.value))
        except Rejected:
            continue
    return readable


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_nothing_is_lost(seed: int) -> None:
    """However the network behaves, each event arrives at least once, and what can be read is an event."""
    events = some(seed)
    arrived = {event.id: event for event in decoded(list(disturb(events, seed=seed, faults=FAULTS)))}
    assert arrived == {event.id: event for event in events}


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_arrivals_are_in_order_and_never_early(seed: int) -> None:
    """Records come in the order of their arrival, none before it happened."""
    arrivals = list(disturb(some(seed), seed=seed, faults=FAULTS))
    assert all(before.at <= after.at for before, after in pairwise(arrivals))
    for arrival in arrivals:
        if event := decoded([arrival]):
            assert arrival.at >= event[0].time


def test_without_faults_the_stream_passes_unchanged() -> None:
    """Rates of 0 leave one record for each event, at its time, keyed by its person."""
    events = some(1)
    arrivals = list(disturb(events, seed=1, faults=NO_FAULTS))
    assert [(a.at, a.key, a.value) for a in arrivals] == [
        (event.time, event.person.encode(), encode_touchpoint(event)) for event in events
    ]


def test_the_faults_do_not_change_the_events() -> None:
    """The same people do the same things, whatever becomes of their records."""
    sets = [{event.id for event in decoded(list(disturb(some(2), seed=seed)))} for seed in (1, 2)]
    assert sets[0] == sets[1]


def test_the_same_seed_breaks_the_same_records() -> None:
    """Disturbances can be repeated byte for byte."""
    first, second = (list(disturb(some(3), seed=8, faults=FAULTS)) for _ in range(2))
    assert first == second


def test_all_kinds_of_faults_occur() -> None:
    """At the shares given, some records come late, some twice, and a few cannot be read."""
    events = some(4, 10_000)
    arrivals = list(disturb(events, seed=4))
    times = Counter(event.id for event in decoded(arrivals))
    late = [a for a in arrivals if (e := decoded([a])) and a.at - e[0].time > 60_000]
    assert 20 < sum(count > 1 for count in times.values()) < 100
    assert 3 < len(arrivals) - times.total() < 30
    assert 50 < len(late) < 1000


def test_a_device_that_was_offline_keeps_its_order() -> None:
    """What waited on one phone comes in the order in which it happened."""
    faults = Faults(late=0.02, repeated=0, malformed=0)
    by_device: dict[str | None, list[int]] = {}
    for event in decoded(list(disturb(some(5, 5000), seed=5, faults=faults))):
        if event.device_id:
            by_device.setdefault(event.device_id, []).append(event.time)
    assert all(times == sorted(times) for times in by_device.values())


@pytest.mark.parametrize(
    ("breakage", "reason"),
    [*zip(BREAKAGES, ["not_json", "not_an_object", "no_person", "bad_time", "bad_field"], strict=True)],
)
def test_every_broken_record_is_a_dead_letter(breakage: Callable[[bytes], bytes], reason: str) -> None:
    """Each way to break a record has its own reason, whatever the record."""
    for event in some(6):
        with pytest.raises(Rejected) as refused:
            decode_canonical(breakage(encode_touchpoint(event)))
        assert refused.value.reason == reason
