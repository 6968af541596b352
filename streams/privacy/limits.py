"""How long each topic keeps what it has of a person, and whether what was found there is within that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from retarget.times import HOUR, format_duration, format_time
from streams.kafka.creation import specs_of
from streams.kafka.looking import Seen
from streams.keeping import LATER
from streams.privacy.scanning import inside
from streams.sealing.opening import Opening, Unopened
from streams.settings import Settings
from streams.topics import KEYS, MERGE, setting_of

_FOREVER: Final = -1


class Limit(NamedTuple):
    """What a topic keeps a record for: at most `most` ms after its time (None: for ever).

    `setting` says so, `documented` is what it says, ms, and `remedy` is what to do about anything else.
    """

    setting: str
    documented: int
    most: int | None
    remedy: str


class Verdict(NamedTuple):
    """How many records of a topic are under the ids, with the times of the first and the last, epoch ms.

    `sealed`: how many of them nobody can read any more. `until`: when the last of the others is gone, None
    where there is none. `wrong`: why they are not within the retention; empty when they are.
    """

    topic: str
    records: int
    first: int
    last: int
    sealed: int
    until: int | None
    setting: str
    wrong: Sequence[str]


def limits_of(settings: Settings) -> dict[str, Limit]:
    """The limit of each topic that may hold something of a person."""
    found = {
        spec.name: _limit(setting_of(spec.name), spec.most, "set retention.ms of the topic to it")
        for spec in specs_of(settings)
        if spec.keep == "limited"
    }
    inputs = _limit(
        "topics.inputs_kept",
        settings.topics.inputs_kept,
        "set retention.ms of the topic to it, and segment.ms to at most a day",
    )
    found |= dict.fromkeys(settings.kafka.input_topics, inputs)
    found[MERGE] = _merge(settings)
    found[KEYS] = Limit("compaction within a day", LATER, LATER + HOUR, "look whether the broker compacts it")
    return found


def _limit(setting: str, kept: int, remedy: str) -> Limit:
    return Limit(f"{setting}={format_duration(kept)}", kept, kept + LATER, remedy)


def _merge(settings: Settings) -> Limit:
    """Cut by snapshots: when none of those that are kept needs it any more."""
    snapshot = settings.snapshot
    if not (snapshot.folder and snapshot.merge_kept):
        missing = "snapshot.merge_kept=0" if snapshot.folder else "snapshot.folder is not set"
        return Limit(missing, _FOREVER, None, "set it, then `retarget erase --snapshots`")
    most = snapshot.merge_kept + (snapshot.keep + 1) * snapshot.every + LATER
    setting = f"snapshot.merge_kept={format_duration(snapshot.merge_kept)}"
    return Limit(setting, _FOREVER, most, "`retarget snapshot`, or `retarget erase --snapshots`, cuts it")


async def judge(
    topic: str, found: Sequence[Seen], limit: Limit, broker: int | None, now: int, opening: Opening | None
) -> Verdict:
    """Whether what was found in a topic may be there at `now`, epoch ms; `broker`: its retention, if known.

    Raises UnknownOutcome, LaneRefused.
    """
    clear = _with_key(found) if topic == KEYS else await _readable(found, opening)
    wrong: list[str] = []
    until = None
    if clear:
        last = max(seen.timestamp for seen in clear)
        until = None if limit.most is None else last + limit.most
        # Keys go by compaction, whatever the broker says of their age.
        wrong = [*_judged(clear, limit, None if topic == KEYS else broker, now)]
        if topic == KEYS and (found[-1].value or b""):
            wrong.append("the last of them is a key that has not been thrown away: `retarget erase` does")
    times = [seen.timestamp for seen in found]
    sealed = len(found) - len(clear)
    return Verdict(topic, len(found), min(times), max(times), sealed, until, limit.setting, wrong)


def _judged(clear: Sequence[Seen], limit: Limit, broker: int | None, now: int) -> list[str]:
    if limit.most is None:
        return [f"{len(clear)} are kept for ever ({limit.setting}): {limit.remedy}"]
    most, said = limit.most, []
    if old := [seen for seen in clear if seen.timestamp + most < now]:
        first = format_time(min(seen.timestamp for seen in old))
        said.append(f"{len(old)} are older than {limit.setting} allows, from {first} on: {limit.remedy}")
    if late := [seen for seen in clear if seen.timestamp > now + LATER]:
        said.append(f"{len(late)} have a time to come, and stay until long after it: delete them yourself")
    if broker is not None and limit.documented > 0 and not 0 <= broker <= limit.documented:
        kept = "for ever" if broker < 0 else format_duration(broker)
        said.append(f"the broker keeps this topic {kept}, and not {limit.setting}: {limit.remedy}")
    return said


def _with_key(found: Sequence[Seen]) -> list[Seen]:
    return [seen for seen in found if seen.value]


async def _readable(found: Sequence[Seen], opening: Opening | None) -> list[Seen]:
    """Those that somebody can read, or of whom nobody can say that nobody can."""
    if opening is None:
        return list(found)
    opened = await opening([inside(seen.value or b"") for seen in found])
    return [seen for seen, one in zip(found, opened, strict=True) if one is not Unopened.GONE]


def by_topic(settings: Settings) -> Mapping[str, Limit]:
    """The limits, input topics first, as they are told."""
    limits = limits_of(settings)
    inputs = settings.kafka.input_topics
    return {name: limits[name] for name in (*inputs, *(one for one in limits if one not in inputs))}
