"""A lane keeps its promise whatever happens between any two of its steps: the real runner in a model world.

The promise, checked after every run by the judge: readers take exactly the outputs of an undisturbed run, the
store holds its state, and every image that the store ever held of one sequence is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

import pytest

from retarget.lane.crossing import History, Joins, Strayed, unpack
from streams.lanes import loading
from streams.topics import MERGE
from tests.protocol.faults import AtOnce, Fault, Faults
from tests.protocol.judge import (
    bundles_named,
    carts,
    decoded_people,
    events_known,
    histories,
    in_peace,
    judge,
    stored,
    undisturbed,
)
from tests.protocol.scheduler import Scheduler
from tests.protocol.search import at_once, at_random, every_placement, pairs_at_random, shrunk, told
from tests.protocol.workload import CATALOGUE, JOINS, ONE_TOPIC, SHORT, TWO_LANES, TWO_TOPICS
from tests.protocol.world import MODES, Setup, Worker, World

# Thousands of runs in a test: on a machine that others keep busy the longest takes two minutes.
pytestmark = pytest.mark.timeout(600)

_SETUPS: Final = [
    pytest.param(Setup(mode, shape), id=f"{mode}-{'-'.join(shape.topics)}")
    for mode in MODES
    for shape in (ONE_TOPIC, TWO_TOPICS)
]
_LISTED: Final = [pytest.param(Setup(mode, CATALOGUE), id=f"{mode}-catalogue") for mode in MODES]
_PUBLISHING: Final = [
    pytest.param(Setup(mode, shape, publishes=True), id=f"{mode}-{'-'.join(shape.topics)}")
    for mode in MODES
    for shape in (ONE_TOPIC, TWO_TOPICS)
]
_JOINING: Final = [pytest.param(Setup(mode, JOINS), id=f"{mode}-joins") for mode in MODES]
_BETWEEN: Final = [pytest.param(Setup(mode, TWO_LANES), id=mode) for mode in MODES]
# One lane is far ahead of what the other has for it.
_AHEAD: Final = [
    pytest.param(Setup(mode, TWO_LANES, pace=pace), id=f"{mode}-{pace[0]}-to-{pace[1]}")
    for mode in MODES
    for pace in ((12, 1), (1, 12))
]
_ENDINGS: Final = (Fault.CRASH, Fault.TAKEOVER, Fault.AWAY_9, Fault.PAUSE, Fault.LEAVE)
_OF_EACH_KIND: Final = (
    Fault.SWITCH, Fault.AWAY_3, Fault.TAKEOVER, Fault.LOSE_REPLY, Fault.DELAY_9, Fault.TWICE_9,
    Fault.FAIL_OVER_1, Fault.RESTORE_HALF, Fault.TIME_OUT, Fault.MOVED_TWICE, Fault.PAUSE, Fault.JOIN,
    Fault.DROP_DONE, Fault.DROP_UNREAD, Fault.COORDINATOR_FALLS,
)  # fmt: skip
# Nodes of the store, coordinators and members of the group change in all ways in the plain workloads, in one
# way each elsewhere: a lane sees no more of it than a refusal, a stop, and a new owner.
_FURTHER_WAYS: Final = (
    Fault.MOVED, Fault.ASK, Fault.TRY_AGAIN, Fault.NO_SCRIPT, Fault.PAUSE, Fault.LEAVE, Fault.GROUP_MOVES,
    Fault.COORDINATOR_MOVES, Fault.COORDINATOR_AWAY,
)  # fmt: skip
_BY_ONE_WAY_EACH: Final = tuple(fault for fault in Fault if fault not in _FURTHER_WAYS)


def _must_hold(setup: Setup, placed: Faults) -> None:
    if judge(setup, placed, surveyed=False).problem:
        pytest.fail(told(setup, shrunk(setup, placed)), pytrace=False)


def _must_hold_everywhere(setup: Setup, of: Collection[Fault] = tuple(Fault)) -> None:
    """With one fault of each of these kinds at each step."""
    found = every_placement(setup, 1, of=of)
    if found.failure is not None:
        pytest.fail(told(setup, shrunk(setup, found.failure)), pytrace=False)
    assert found.complete
    assert found.runs > 500


def test_all_worlds_come_to_the_same_when_nothing_happens() -> None:
    """Modes, topics, ticks and cuts do not show in what is sent and stored, and something is sent."""
    found = [undisturbed(Setup(mode, shape)) for mode in MODES for shape in (ONE_TOPIC, TWO_TOPICS)]
    assert all(one.outputs == found[0].outputs for one in found)
    assert all(one.people == found[0].people for one in found)
    assert len(found[0].outputs["retarget.push"]) >= 4
    assert len(found[0].outputs["retarget.decisions"]) >= 8


@pytest.mark.parametrize("setup", _SETUPS)
def test_every_single_fault_at_every_step(setup: Setup) -> None:
    """One fault, wherever it can happen, changes nothing that anybody sees."""
    _must_hold_everywhere(setup)


@pytest.mark.parametrize(("fault", "steps"), [
    (Fault.MOVED, ["A image", "A image of node 1", "A journal end"]),
    (Fault.MOVED_TWICE, ["A image", "A image of node 1", "A image", "A image of node 2", "A journal end"]),
    (Fault.ASK, ["A image"] * 8 + ["A image of node 1", "A journal end"]),
    (Fault.TRY_AGAIN, ["A image"] * 8 + ["A image of node 1", "A journal end"]),
])  # fmt: skip
def test_a_lane_finds_the_node_that_has_it(fault: Fault, steps: list[str]) -> None:
    """By the real routes: told where, it asks there; told twice, or on its way, it asks anew."""
    trace = judge(Setup("transactional", ONE_TOPIC), {1: fault}, traced=True).trace
    assert [line.partition(" ")[2] for line in trace[2 : 2 + len(steps)]] == steps


def test_a_lost_script_is_sent_whole() -> None:
    """One more step, at the same node."""
    setup = Setup("transactional", ONE_TOPIC)
    undisturbed_trace = judge(setup, {}, traced=True).trace
    at = next(n for n, line in enumerate(undisturbed_trace) if line.endswith("A load"))
    trace = judge(setup, {at: Fault.NO_SCRIPT}, traced=True).trace
    assert trace[at + 1 : at + 3] == [f"{at} A load", f"{at + 1} A load"]


def test_the_group_gives_the_lane_away() -> None:
    """A paused member wakes as a zombie and has the lane once more; who joins has it after a whole batch."""
    setup = Setup("transactional", ONE_TOPIC)
    paused = _told(setup, Fault.PAUSE)
    assert (
        paused.index("B claim")
        < paused.index("A checkpoint")
        < paused.index("-- the group gives the lane to A")
    )
    for fault in (Fault.JOIN, Fault.LEAVE, Fault.GROUP_MOVES):
        told = _told(setup, fault)
        given = told.index("-- the group gives the lane to B")
        assert told[given - 1 : given + 2] == ["A checkpoint", "-- the group gives the lane to B", "B claim"]


@pytest.mark.parametrize(("fault", "step", "then"), [
    (Fault.COORDINATOR_MOVES, "produce journal",
     ["A find coordinator", "A produce journal", "A produce journal", "A end"]),
    (Fault.COORDINATOR_MOVES, "end", ["A claim", "A find coordinator", "A claim"]),
    (Fault.COORDINATOR_FALLS, "end", ["A claim", "A find coordinator", "A claim"]),
    (Fault.COORDINATOR_AWAY, "produce journal", ["A find coordinator", "A claim", "A find coordinator"]),
])  # fmt: skip
def test_a_lane_finds_its_coordinator(fault: Fault, step: str, then: list[str]) -> None:
    """A client asks again but for the end of a transaction; to the lane that is an unknown outcome."""
    setup = Setup("transactional", ONE_TOPIC)
    steps = [line.partition(" ")[2] for line in judge(setup, {}, traced=True).trace]
    at = steps.index(f"A {step}")
    trace = [line.partition(" ")[2] for line in judge(setup, {at: fault}, traced=True).trace]
    assert trace[at : at + 2 + len(then)] == [f"-- {fault.name}", f"A {step}", *then]


@pytest.mark.parametrize(("fault", "done"), [
    (Fault.COORDINATOR_MOVES, False), (Fault.COORDINATOR_FALLS, True),
])  # fmt: skip
def test_the_end_of_a_transaction_outlives_its_coordinator(fault: Fault, done: bool) -> None:  # noqa: FBT001
    """Once it is put down the next one completes it, and the lane repeats the batch from the journal."""
    setup = Setup("transactional", ONE_TOPIC)
    steps = [line.partition(" ")[2] for line in judge(setup, {}, traced=True).trace]
    trace = [
        line.partition(" ")[2] for line in judge(setup, {steps.index("A end"): fault}, traced=True).trace
    ]
    claimed = trace.index("A claim", steps.index("A end") + 2)
    before_next = trace[claimed : trace.index("A take", claimed)]
    assert ("A checkpoint" in before_next) == done


def test_a_lane_stands_when_what_it_needs_is_gone() -> None:
    """An input that nobody has read: it refuses for good. One that an old store needs: until a newer is back.

    What the store holds, nobody misses.
    """
    setup = Setup("transactional", ONE_TOPIC)
    trace = judge(setup, {}, traced=True).trace
    *_, at, _ = (n for n, line in enumerate(trace) if line.endswith("A checkpoint"))
    lasting, passing, none = (
        _ending(setup, faults)
        for faults in (
            {at + 1: Fault.DROP_UNREAD, at + 2: Fault.CRASH},
            {at + 1: Fault.DROP_DONE, at + 2: Fault.RESTORE_FIRST, at + 3: Fault.CRASH},
            {at + 1: Fault.DROP_DONE, at + 2: Fault.CRASH},
        )
    )
    assert lasting == (True, True)
    assert passing == (False, True)
    assert none == (False, False)


def _ending(setup: Setup, faults: Faults) -> tuple[bool, bool]:
    """Whether the lane stands at the end, and whether a newer image of the store was brought back."""
    scheduler = Scheduler(setup, faults, traced=True)
    scheduler.run()
    return scheduler.world.stands, any("newest image" in line for line in scheduler.trace)


def _told(setup: Setup, fault: Fault) -> list[str]:
    """The steps from a fault on that comes before a checkpoint."""
    at = next(
        n for n, line in enumerate(judge(setup, {}, traced=True).trace) if line.endswith("A checkpoint")
    )
    trace = judge(setup, {at: fault}, traced=True).trace
    return [line.partition(" ")[2] for line in trace[at:]]


@pytest.mark.parametrize("setup", _JOINING)
def test_every_single_fault_at_every_step_of_a_merge(setup: Setup) -> None:
    """Between its halves, wherever that is: each history is with its person once, each event counts once."""
    _must_hold_everywhere(setup, of=_BY_ONE_WAY_EACH)


def test_merges_come_to_the_same_when_nothing_happens() -> None:
    """With transactions or without: the same histories, redirects and crossings, and each kind of them."""
    first, second = (undisturbed(Setup(mode, JOINS)) for mode in MODES)
    assert first.outputs == second.outputs
    assert len(first.outputs[MERGE]) >= 8
    people = decoded_people(first)
    assert [to for _, to in people["device-of-ann"].moved] == ["ann", "dan"]
    assert set(people["bob"].carts[""]) == {"kettle", "sofa"}
    assert set(people["ann"].products) == {"lamp", "clock"}
    assert set(people["dan"].products) == {"chair"}
    assert people["fay"].erased
    assert "device-of-fay" not in people


@pytest.mark.parametrize("setup", _BETWEEN + _AHEAD)
def test_two_lanes_know_what_one_would(setup: Setup) -> None:
    """Histories that crossed, and what came under a wrong key: all of it once, where it belongs."""
    alone = stored(undisturbed(Setup(setup.mode, setup.shape._replace(lanes=1))))
    lanes = [undisturbed(setup, lane) for lane in range(2)]
    together = {person: journey for lane in lanes for person, journey in stored(lane).items()}
    assert events_known(together) == events_known(alone)
    assert histories(together) == histories(alone)
    assert carts(together) == carts(alone)
    for lane in lanes:
        crossed = {type(unpack(value)) for value in lane.outputs[MERGE]}
        assert crossed >= {Joins, Strayed}
        # A word that comes before all else finds no history yet, and everything follows it.
        assert setup.pace != (1, 1) or History in crossed
        assert [len(journey.joined) for journey in decoded_people(lane).values()].count(1) == 1


@pytest.mark.parametrize("setup", _BETWEEN)
def test_every_single_fault_at_every_step_between_two_lanes(setup: Setup) -> None:
    """One broker, one store, and each lane has something for the other: all of it once, and in its place."""
    _must_hold_everywhere(setup, of=_BY_ONE_WAY_EACH)


@pytest.mark.parametrize("setup", _AHEAD)
def test_a_worker_that_ends_anywhere_between_two_lanes(setup: Setup) -> None:
    """Killed, frozen, or gone, between the halves of a merge and elsewhere, with either lane far ahead."""
    found = every_placement(setup, 1, of=_ENDINGS)
    if found.failure is not None:
        pytest.fail(told(setup, shrunk(setup, found.failure)), pytrace=False)
    assert found.complete
    assert found.runs > 200


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("setup", _BETWEEN)
def test_any_two_kills_between_two_lanes(setup: Setup) -> None:
    """Kill -9 at any two points of a merge between lanes, of the same worker or of both."""
    found = every_placement(setup, 2, of=(Fault.CRASH, Fault.TAKEOVER))
    if found.failure is not None:
        pytest.fail(told(setup, shrunk(setup, found.failure)), pytrace=False)
    assert found.complete


def test_a_worker_that_is_killed_has_both_lanes() -> None:
    """They are claimed anew at the same time; and a store that goes back takes both back."""
    setup = Setup("transactional", TWO_LANES)
    trace = judge(setup, {30: Fault.CRASH}, traced=True).trace
    at = trace.index(next(line for line in trace if line.endswith("-- CRASH")))
    after = [line.split(" ", 3)[-1] for line in trace[at + 1 : at + 5]]
    assert after.count("A claim") == 2
    lanes = World.of_all_lanes(setup)
    for world, sequence in zip(lanes, (7, 3), strict=True):
        world.images.restore(world.images.now._replace(sequence=sequence))
    lanes[0].images.fail_over(1)
    assert [world.images.now.sequence for world in lanes] == [7, 0]
    lanes[1].images.go_back(whole=True)
    assert [world.images.now.sequence for world in lanes] == [0, 0]


def test_the_wall_clock_meets_a_backlog() -> None:
    """The input comes bit by bit: a lane is idle amid it, and finds nothing although there is some."""
    world = World(Setup("transactional", TWO_TOPICS))
    worker, met = Worker(world, "A"), Counter[tuple[str, str]]()
    while not worker.idle:
        assert worker.pending is not None
        behind, takes = worker.feed.is_behind, worker.pending.name == "take"
        worker.do()
        assert worker.pending is not None
        if takes:
            met["behind" if behind else "idle", "nothing" if worker.pending.name == "take" else "work"] += 1
    assert met["idle", "work"] > 1  # the clock's
    assert met["behind", "nothing"] > 1


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The news of the catalogue reach one person in a portion, so that each crosses batches."""
    monkeypatch.setattr(loading, "PORTION", 1)


def test_the_catalogue_comes_to_the_same_in_portions_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """One person at a time or everybody at once: the same leaves, and each rule of the catalogue writes."""
    found = []
    for portion in (1, 2, 500):
        monkeypatch.setattr(loading, "PORTION", portion)
        in_peace.cache_clear()
        found += [undisturbed(Setup(mode, CATALOGUE)) for mode in MODES]
    in_peace.cache_clear()
    assert all(one.outputs == found[0].outputs and one.people == found[0].people for one in found)
    said = b"".join(value for sent in found[0].outputs.values() for value in sent)
    assert all(name in said for name in (b'"price_drop"', b'"back_in_stock"', b'"low_stock"'))


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("setup", _LISTED)
def test_every_single_fault_while_the_catalogue_is_told(setup: Setup) -> None:
    """One fault, wherever it can happen while records are told person by person, and come again."""
    in_peace.cache_clear()
    _must_hold_everywhere(setup, of=set(_OF_EACH_KIND) & set(_BY_ONE_WAY_EACH))


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("setup", _LISTED)
def test_many_faults_while_the_catalogue_is_told(setup: Setup) -> None:
    """The same with three to ten faults in one run, a hundred times."""
    in_peace.cache_clear()
    for seed in range(60):
        _must_hold(setup, at_random(setup, seed))


@pytest.mark.parametrize("setup", _PUBLISHING)
def test_rules_published_in_mid_stream(setup: Setup) -> None:
    """Rules change between batches and one fault happens: the journal alone comes to all of it once more."""
    assert len(bundles_named(setup)) == 2
    _must_hold_everywhere(setup, of=_BY_ONE_WAY_EACH)


@pytest.mark.parametrize("setup", _PUBLISHING)
def test_rules_published_among_many_faults(setup: Setup) -> None:
    """The same with three to ten faults in one run, a hundred times."""
    for seed in range(100):
        _must_hold(setup, at_random(setup, seed))


@pytest.mark.parametrize("setup", _SETUPS)
def test_some_pairs_of_faults(setup: Setup) -> None:
    """Two faults, a sample of all placements; tests/protocol/pairs.py tries all of them in one world."""
    for seed in range(100):
        _must_hold(setup, pairs_at_random(setup, seed))


@pytest.mark.parametrize("setup", [pytest.param(Setup(mode, SHORT), id=mode) for mode in MODES])
def test_two_faults_at_one_step(setup: Setup) -> None:
    """As when the store falls back and then the answer is lost: every fifth of all; pairs.py tries each."""
    placements = list(at_once(judge(setup, {}).choices))
    assert len(placements) > 10_000
    for placed in placements[::5]:
        _must_hold(setup, placed)


def test_of_two_faults_at_one_step_the_second_hits_what_the_first_leaves() -> None:
    """The store falls back before a checkpoint, which is then not answered; another worker's claim."""
    setup = Setup("transactional", ONE_TOPIC)
    steps = [line.partition(" ")[2] for line in judge(setup, {}, traced=True).trace]
    *_, at = (n for n, line in enumerate(steps) if line == "A checkpoint")
    for placed, wanted in (
        (AtOnce(Fault.FAIL_OVER_1, Fault.LOSE_REPLY),
         ["-- FAIL_OVER_1", "-- LOSE_REPLY", "A checkpoint (LOSE_REPLY)"]),
        (AtOnce(Fault.TAKEOVER, Fault.LOSE_REPLY),
         ["-- TAKEOVER", "-- LOSE_REPLY", "B claim (LOSE_REPLY)"]),
    ):  # fmt: skip
        trace = [line.partition(" ")[2] for line in judge(setup, {at: placed}, traced=True).trace]
        assert trace[at : at + 3] == wanted


@pytest.mark.parametrize("setup", _SETUPS)
def test_many_faults_at_random(setup: Setup) -> None:
    """Three to ten faults in one run, two hundred times."""
    for seed in range(200):
        _must_hold(setup, at_random(setup, seed))


def test_a_claim_that_arrives_once_more_much_later() -> None:
    """A producer without numbers sent a claim twice; the second arrives when others have claimed since."""
    setup = Setup("idempotent", TWO_TOPICS)
    for step in range(1, 30):
        for fault in (Fault.CRASH, Fault.FAIL_OVER_1):
            _must_hold(setup, {0: Fault.TWICE_30, step: fault})
