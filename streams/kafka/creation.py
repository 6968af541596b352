"""Topics made, or found to be as they must be."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TransactionalIdAuthorizationFailed,
    for_code,
)

from retarget.errors import BadInput, Unreachable
from retarget.times import DAY, HOUR, format_duration
from streams.kafka.connection import TOPIC_RECORD_BYTES, KafkaAddress
from streams.kafka.reader import Reader
from streams.kafka.refusals import UNSEEN, is_refusal, refusal
from streams.keeping import SEGMENT, Kept
from streams.ports import UnknownOutcome
from streams.settings import Settings
from streams.topics import TopicSpec, setting_of, topic_specs

_REPLICAS: Final = 3
_READY_S: Final = 15.0
_POLL_S: Final = 0.05
_POLICY: Final = "cleanup.policy"
_RETENTION: Final = "retention.ms"
_SEGMENT: Final = "segment.ms"
# Whoever is late is told of repeats by those that stand before them, as long as these are there.
_SOON: Final = {"min.compaction.lag.ms": str(HOUR), "max.compaction.lag.ms": str(DAY)}


def specs_of(settings: Settings) -> tuple[TopicSpec, ...]:
    """Every topic that an engine of these settings reads or writes."""
    kafka, sealed = settings.kafka, bool(settings.privacy.keys)
    kept = Kept(settings.topics.messages_kept, settings.topics.decisions_kept, settings.topics.dead_kept)
    return topic_specs(kafka.input_topics, kafka.partitions, kafka.catalogue_topic, sealed=sealed, kept=kept)


async def create_or_check(
    address: KafkaAddress, specs: Sequence[TopicSpec], *, replication: int = -1
) -> list[str]:
    """Create the missing topics and look at the others; the names of those created.

    Each new one gets `replication` copies; -1: three, or as many as there are brokers.
    Raises BadInput with a line for every topic that is not as it must be, Unreachable.
    """
    async with _asking(address) as admin:
        before = await _partitions(admin)
        missing = [spec for spec in specs if spec.name not in before]
        created, refused = await _create(admin, missing, replication)
        existing = await _ready(admin, {spec.name for spec in specs} - refused.keys())
        problems = [*refused.values(), *await _otherwise(admin, specs, existing)]
    if problems:
        raise BadInput(problems)
    return created


async def check_topics(address: KafkaAddress, specs: Sequence[TopicSpec]) -> None:
    """Look whether all topics are as they must be, and create none.

    Raises BadInput with a line for every topic that is not, Unreachable.
    """
    unseen = UNSEEN if "sasl_mechanism" in address.security else ""
    async with _asking(address) as admin:
        existing = await _existing(admin)
        problems = [
            f"topic {spec.name} is missing{unseen}; `retarget topics` creates it"
            for spec in specs
            if spec.name not in existing
        ]
        problems += await _otherwise(admin, specs, existing)
    if problems:
        raise BadInput(problems)


async def kept_otherwise(address: KafkaAddress, specs: Sequence[TopicSpec]) -> list[str]:
    """A line for every topic that is there, and keeps its records longer or shorter than the settings say.

    Nothing goes wrong by that but what was promised to people about their data. Raises Unreachable.
    """
    limited = [spec for spec in specs if spec.keep == "limited"]
    async with _asking(address) as admin:
        existing = await _existing(admin)
        said = await configured(admin, [spec.name for spec in limited if spec.name in existing])
    return [line for spec in limited for line in _limited(spec, said.get(spec.name, {}))]


@asynccontextmanager
async def _asking(address: KafkaAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    """Whom to ask; what goes wrong between us becomes Unreachable."""
    admin = address.admin()
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await admin.close()


async def _existing(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """The partitions of every topic."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _otherwise(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], existing: Mapping[str, int]
) -> list[str]:
    """A line for each of the topics that is there, and not as it must be so that nothing is lost."""
    found = [spec for spec in specs if spec.name in existing]
    counted = [line for spec in found for line in _counted(spec, existing[spec.name])]
    said = await configured(admin, [spec.name for spec in found if spec.keep not in ("broker", "limited")])
    return counted + [line for spec in found for line in _kept(spec, said.get(spec.name, {}))]


async def require_rights(
    address: KafkaAddress, topics: Sequence[str], groups: Sequence[str], transactional_id: str | None
) -> None:
    """Look whether a worker may read these topics, join these groups and have its transactions.

    Else nobody says so: who may not read hears nothing. Raises BadInput with each missing right, Unreachable.
    """
    problems = [*await _unreadable(address, topics), *await _unjoinable(address, groups, transactional_id)]
    if problems:
        raise BadInput(problems)


async def _unreadable(address: KafkaAddress, topics: Sequence[str]) -> list[str]:
    reader, problems = Reader(address), []
    await reader.start()
    try:
        for topic in topics:
            try:
                await reader.end(topic, 0)
            except UnknownOutcome as error:
                if not is_refusal(error.__cause__):
                    raise
                problems.append(refusal(error.__cause__, "Read", topic))
    finally:
        await reader.close()
    return problems


async def _unjoinable(
    address: KafkaAddress, groups: Sequence[str], transactional_id: str | None
) -> list[str]:
    client, problems = address.client(), []
    asked = [(CoordinationType.GROUP, group) for group in groups]
    asked += [] if transactional_id is None else [(CoordinationType.TRANSACTION, transactional_id)]
    try:
        await client.bootstrap()
        for kind, name in asked:
            problems += await _refused(client, kind, name)
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await client.close()
    return problems


async def _refused(client: AIOKafkaClient, kind: int, name: str) -> list[str]:
    """The right to be coordinated under this name, if it is missing."""
    try:
        await client.coordinator_lookup(kind, name)
    except (GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed) as error:
        return [refusal(type(error)(name), "Write")]
    except KafkaError as error:
        if not error.retriable:
            raise
    return []


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """The partitions of every topic whose partitions all have a leader."""
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in await admin.describe_topics()
        if all(partition["leader"] >= 0 for partition in topic["partitions"])
    }


async def _ready(admin: AIOKafkaAdminClient, names: set[str]) -> dict[str, int]:
    """The partitions of every topic, once the brokers know those of `names`. Raises TimeoutError."""
    async with asyncio.timeout(_READY_S):
        while not (existing := await _partitions(admin)).keys() >= names:  # noqa: ASYNC110 - brokers signal nothing
            await asyncio.sleep(_POLL_S)
        return existing


async def _create(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], replication: int
) -> tuple[list[str], dict[str, str]]:
    """The names created, and a line for each name that the broker refused."""
    if not specs:
        return [], {}
    replicas = replication
    if replication < 0:
        replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
    wanted = [
        NewTopic(spec.name, spec.partitions, replicas, topic_configs=_configuration(spec)) for spec in specs
    ]
    answer = await admin.create_topics(wanted)
    created: list[str] = []
    refused: dict[str, str] = {}
    for name, code, *detail in answer.topic_errors:
        kind = for_code(code)
        if not kind.errno:
            created.append(name)
        elif kind is not TopicAlreadyExistsError:  # another worker was faster
            refused[name] = f"topic {name}: the broker refuses to create it: {kind.__name__} {detail}"
    return created, refused


def _configuration(spec: TopicSpec) -> dict[str, str]:
    size = {"max.message.bytes": str(TOPIC_RECORD_BYTES)}
    if spec.keep == "latest":
        return size | {_POLICY: "compact"}
    if spec.keep == "latest_soon":
        return size | {_POLICY: "compact"} | _SOON
    if spec.keep == "limited":
        return size | {_POLICY: "delete", _RETENTION: str(spec.most), _SEGMENT: str(min(spec.most, SEGMENT))}
    return size | ({_POLICY: "delete", _RETENTION: "-1"} if spec.keep == "forever" else {})


def _counted(spec: TopicSpec, partitions: int) -> list[str]:
    if not spec.exact or partitions == spec.partitions:
        return []
    line = (
        f"topic {spec.name} has {partitions} partitions, and kafka.partitions is {spec.partitions}: "
        f"input, journal and internal topics all need the same number; set kafka.partitions to it, "
        f"or let `retarget topics` make the topic anew while it is empty"
    )
    return [line]


async def configured(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """What the broker says of how it keeps these topics; nothing where it does not say."""
    asked = {_POLICY: None, _RETENTION: None}
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs=asked) for name in names]
    try:
        answers: list[Any] = await admin.describe_configs(wanted) if wanted else []
    except KafkaError:
        return {}  # the embedded broker hangs up on this question
    return {
        resource[3]: {name: value or "" for name, value, *_ in resource[4] if name in asked}
        for answer in answers
        for resource in answer.resources
    }


def _kept(spec: TopicSpec, said: Mapping[str, str]) -> list[str]:
    """A line where the broker would drop what is needed."""
    if spec.keep in ("broker", "limited") or _POLICY not in said:
        return []
    policy = "compact" if spec.keep in ("latest", "latest_soon") else "delete"
    if said[_POLICY] == policy or (policy == "delete" and "compact" not in said[_POLICY]):
        return []
    line = f"topic {spec.name} has {_POLICY}={said[_POLICY]} and would lose records that a replay needs; "
    return [f"{line}set {_POLICY}={policy}"]


def _limited(spec: TopicSpec, said: Mapping[str, str]) -> list[str]:
    if _POLICY not in said:
        return []
    setting = setting_of(spec.name)
    if said[_POLICY] != "delete":
        line = f"topic {spec.name} has {_POLICY}={said[_POLICY]}; {setting} needs {_POLICY}=delete: set that"
        return [line]
    found = said.get(_RETENTION, "")
    if not found or found == str(spec.most):
        return []
    line = f"topic {spec.name} has {_RETENTION}={found}, and {setting} is {format_duration(spec.most)}: "
    return [f"{line}set {_RETENTION}={spec.most} there, or {setting} to what is to hold"]
