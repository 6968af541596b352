"""Topics made, or found to be as they must be."""

from collections.abc import Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from retarget.errors import BadInput, Unreachable
from streams.kafka.connection import MAX_BATCH_BYTES, MAX_RECORD_BYTES, KafkaAddress
from streams.topics import TopicSpec

_REPLICAS: Final = 3
_POLICY: Final = "cleanup.policy"
_RETENTION: Final = "retention.ms"


async def create_or_check(address: KafkaAddress, specs: Sequence[TopicSpec]) -> list[str]:
    """Create the missing topics and look at the others; the names of those created.

    Raises BadInput with a line for every topic that is not as it must be, Unreachable.
    """
    admin = address.admin()
    try:
        await admin.start()
        existing = await _partitions(admin)
        created, problems = await _create(admin, [spec for spec in specs if spec.name not in existing])
        found = [spec for spec in specs if spec.name in existing]
        problems += [line for spec in found for line in _counted(spec, existing[spec.name])]
        problems += await _kept(admin, [spec.name for spec in found if spec.keep == "forever"])
    except KafkaError as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await admin.close()
    if problems:
        raise BadInput(problems)
    return created


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics()}


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> tuple[list[str], list[str]]:
    """The names created, and a line for each that the broker refused."""
    if not specs:
        return [], []
    replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
    wanted = [
        NewTopic(spec.name, spec.partitions, replicas, topic_configs=_configuration(spec)) for spec in specs
    ]
    answer = await admin.create_topics(wanted)
    created: list[str] = []
    problems: list[str] = []
    for name, code, *detail in answer.topic_errors:
        kind = for_code(code)
        if not kind.errno:
            created.append(name)
        elif kind is not TopicAlreadyExistsError:  # another worker was faster
            problems.append(f"topic {name}: the broker refuses to create it: {kind.__name__} {detail}")
    return created, problems


def _configuration(spec: TopicSpec) -> dict[str, str]:
    # Room for one record of the largest size with what surrounds it.
    size = {"max.message.bytes": str(MAX_RECORD_BYTES + MAX_BATCH_BYTES)}
    return size | ({_POLICY: "delete", _RETENTION: "-1"} if spec.keep == "forever" else {})


def _counted(spec: TopicSpec, partitions: int) -> list[str]:
    if not spec.exact or partitions == spec.partitions:
        return []
    line = (
        f"topic {spec.name} has {partitions} partitions, and kafka.partitions is {spec.partitions}: "
        f"input, journal and internal topics all need the same number; set kafka.partitions to it, "
        f"or move the state with `retarget repartition`"
    )
    return [line]


async def _kept(admin: AIOKafkaAdminClient, names: Sequence[str]) -> list[str]:
    """A line for each of these topics that the broker would compact."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs={_POLICY: None}) for name in names]
    try:
        answers: list[Any] = await admin.describe_configs(wanted) if wanted else []
    except KafkaError:
        return []  # the embedded broker hangs up on this question
    compacted = [
        resource[3]
        for answer in answers
        for resource in answer.resources
        if any(name == _POLICY and "compact" in (value or "") for name, value, *_ in resource[4])
    ]
    return [
        f"topic {name} has {_POLICY}=compact and would lose records that a replay needs; set {_POLICY}=delete"
        for name in compacted
    ]
