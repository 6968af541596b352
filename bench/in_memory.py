"""Lines that need neither broker nor store: rules, lanes, journeys, replay against the live path's work."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.common_job.answer import compare, id_of
from bench.common_job.engine import job_bundle
from bench.common_job.peers import Peers
from bench.lines import Line, Unusable, at_least, at_most, cpu_of
from bench.many_rules import BOUND, SHIPPED, measure
from retarget.engine.moment import Moment
from retarget.journeys import wire
from retarget.rules.vocabulary import VOCABULARY
from streams.lanes import outputs as emitted
from streams.lanes.bundle import Bundle, bundle_of
from streams.replaying import TOPIC
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.stores.packing import Packing

Events = Sequence[tuple[bytes, bytes]]
_FAR: Final = 2**62
_SIZE: Final = 1_000
_LATE: Final = 2**45  # a record's own timestamp, that bounds nothing


def shipped_bundle() -> Bundle:
    """The rules that ship, for people who may be written to."""
    settings = load_settings(None, {}, ["consent.assume=granted", "clock.now=event"])
    return bundle_of(settings, load_rules([default_rules_dir()], VOCABULARY), [TOPIC])


def work(lanes: Sequence[Events], bundle: Bundle) -> tuple[Counter[str], list[bytes]]:
    """All events of each lane through decode, step and encoding; message ids, and the journeys as bytes."""
    found: Counter[str] = Counter()
    journeys: list[bytes] = []
    for number, events in enumerate(lanes):
        lane, intake = bundle.lane(number), bundle.intake(number)
        lane.waits.horizon = _FAR
        for start in range(0, len(events), _SIZE):
            some = events[start : start + _SIZE]
            arrivals = [intake.arrival(TOPIC, start + n, _LATE, value) for n, (_, value) in enumerate(some)]
            moment = Moment(bundle.policy)
            batch = lane.work(arrivals, moment, limit=_FAR)
            for one in batch.changed.values():
                wire.encode(one)
            for output in emitted.outputs(batch.results):
                if output.topic in ("retarget.email", "retarget.push") and (key := id_of(output.value)):
                    found[key] += 1
        journeys += [wire.encode(one) for one in lane.journeys.values()]
    return found, journeys


def _job(peers: Peers, lanes: list[list[tuple[bytes, bytes]]]) -> float:
    """CPU seconds of the common job in memory. Raises Unusable where it differs from the reference."""
    spent, (found, _) = cpu_of(lambda: work(lanes, job_bundle(TOPIC)))
    told = compare(found, peers.expected(lanes))
    if told.missing or told.extra or told.duplicates:
        raise Unusable(f"the common job in memory: {told}")
    return spent


def shipped_against_job(peers: Peers, runs: int) -> Line:
    """All shipped rules on the data set against the common job on the same events."""
    lanes, bundle = peers.lanes(1), shipped_bundle()
    ratios = []
    for _ in range(runs):
        job = _job(peers, lanes)
        ratios.append(cpu_of(lambda: work(lanes, bundle))[0] / job)
    return at_most("all shipped rules on taobao-users against the common job, per event", ratios, 2, "times")


def lanes_8_and_64(peers: Peers, runs: int) -> Line:
    """Events per CPU second of one worker's lanes, 8 against 64 of them over the same people."""
    lanes = peers.lanes(1)
    finer: list[list[tuple[bytes, bytes]]] = [[] for _ in range(64)]
    for number, lane in enumerate(lanes):
        for key, value in lane:
            finer[number * 8 + sum(key) % 8].append((key, value))
    ratios = [_job(peers, lanes) / _job(peers, finer) for _ in range(runs)]
    return at_least(
        "64 lanes on one worker against 8, events per CPU second", ratios, 0.9, "",
        note="in memory: decode, step and encoding; without Kafka and store",
    )  # fmt: skip


def bytes_per_journey(peers: Peers) -> list[Line]:
    """What the store keeps of the median person, with ids as producers make them; in each of its forms."""
    lanes = [
        [
            (key, value.replace(value[: value.index(b",")], b'{"id":"%s"' % str(_uuid(n, at)).encode(), 1))
            for at, (key, value) in enumerate(lane)
        ]
        for n, lane in enumerate(peers.lanes(1))
    ]
    _, journeys = work(lanes, shipped_bundle())
    what = "bytes in the store per journey, median person, all shipped rules, UUID ids"
    found = [_sizes(what, journeys)]
    for how in ("zstd", "columns"):
        packing = Packing(how)
        stored = [packing.pack([one])[0] for one in journeys]
        found.append(_sizes(f"{what}, `store.compress = {how}`", stored))
    return found


def _sizes(what: str, journeys: Sequence[bytes]) -> Line:
    sizes = sorted(map(len, journeys))
    mean, tenth = sum(sizes) / len(sizes), sizes[len(sizes) * 9 // 10]
    note = f"{len(sizes)} people; mean {mean:,.0f}, p90 {tenth:,}"
    return at_most(what, [median(sizes)], 3 * 1024, "bytes", note=note)


def _uuid(lane: int, at: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{lane} {at}")


def many_rules(rounds: int, events: int) -> Line:
    """200 rules of which at most five match a type, against those that ship."""
    report = measure(events, 1000, rounds)
    base = report.sets[SHIPPED].cpu_us
    ratios = [one / other for one, other in zip(report.sets["200"].cpu_us, base, strict=True)]
    return at_most("200 rules against the shipped ones, per event", ratios, BOUND, "times")
