"""Topic names and the partition rule: the only place where they are spelled."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from aiokafka.partitioner import murmur2

from streams.keeping import KEPT, Kept

CHANNELS: Final = ("email", "push", "ads", "sms", "whatsapp", "direct_mail", "onsite", "chat", "service")
TOUCHPOINTS: Final = "touchpoints"
CATALOGUE: Final = "catalogue"
DECISIONS: Final = "retarget.decisions"
DEAD: Final = "retarget.dead"
JOURNAL: Final = "retarget.internal.journal"
RULES: Final = "retarget.internal.rules"  # bundles by their id, and which one is published
MERGE: Final = "retarget.internal.merge"  # what one lane has for another about a person
REDRIVEN: Final = "retarget.internal.redriven"  # which dead letters have been sent again
KEYS: Final = "retarget.internal.keys"  # by which what is told of each person is sealed
FANNED: Final = "retarget.internal.catalogue"  # each record of the catalogue, once for every lane

Keep = Literal["broker", "forever", "latest", "latest_soon", "limited"]


class TopicSpec(NamedTuple):
    """One topic as it must be. `exact`: another number of partitions than `partitions` is an error.

    `keep`: as the broker does by default, every record forever, or for ever the latest of each key; `_soon`:
    and the others no longer than a day. `limited`: each record for `most` ms, and up to a day more.
    """

    name: str
    partitions: int
    exact: bool
    keep: Keep
    most: int = 0


def channel_topic(channel: str) -> str:
    """The topic that messages of a channel go to."""
    return f"retarget.{channel}"


def dead_channel_topic(channel: str) -> str:
    """The topic for what a channel service could not send."""
    return f"retarget.dead.{channel}"


def leavers_topic(channel: str) -> str:
    """The topic of those whom a channel's service takes out of audiences when they expire."""
    return f"retarget.internal.leavers.{channel}"


def ledger_topic(channel: str) -> str:
    """The topic in which a channel's service puts down what it has settled."""
    return f"retarget.internal.channel.{channel}"


@lru_cache(maxsize=8192)  # murmur2 is interpreted here, and a batch tells of the same persons several times
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as Java's default partitioner has it."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions


def lane_of(person: str, lanes: int) -> int:
    """The lane of a person, of so many."""
    return partition_of(person.encode(), lanes)


def lane_topics(input_topics: Iterable[str]) -> tuple[str, ...]:
    """The topics whose partition p belongs to lane p, and which it reads: the inputs, then internal ones."""
    return (*input_topics, FANNED, MERGE)


def limited(kept: Kept) -> dict[str, int]:
    """How long (ms) each topic keeps what leaves the engine and its channel services."""
    return {
        **{channel_topic(channel): kept.messages for channel in CHANNELS},
        DECISIONS: kept.decisions,
        DEAD: kept.dead,
        **{dead_channel_topic(channel): kept.dead for channel in CHANNELS},
    }


def setting_of(topic: str) -> str:
    """The setting that says how long one of these is kept."""
    if topic == DECISIONS:
        return "topics.decisions_kept"
    return "topics.dead_kept" if topic.startswith(DEAD) else "topics.messages_kept"


def topic_specs(
    input_topics: Sequence[str],
    partitions: int,
    catalogue: str = CATALOGUE,
    *,
    sealed: bool = False,
    kept: Kept = KEPT,
) -> tuple[TopicSpec, ...]:
    """Every topic the engine reads or writes, for lanes 0 to `partitions` - 1; `sealed`: with keys."""
    return (
        *(TopicSpec(name, partitions, exact=True, keep="broker") for name in input_topics),
        *(TopicSpec(name, partitions, exact=True, keep="forever") for name in (JOURNAL, FANNED, MERGE)),
        *([TopicSpec(KEYS, partitions, exact=True, keep="latest_soon")] if sealed else []),
        TopicSpec(RULES, 1, exact=False, keep="latest"),
        TopicSpec(catalogue, partitions, exact=False, keep="forever"),
        *(
            TopicSpec(name, partitions, exact=False, keep="limited", most=most)
            for name, most in limited(kept).items()
        ),
    )
