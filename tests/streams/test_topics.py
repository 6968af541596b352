import pytest

from streams import topics


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"abc", 479470107),
    ],
)
def test_keys_go_where_javas_clients_put_them(key: bytes, hashed: int) -> None:
    """The values are those of Kafka's own tests of its hash."""
    for partitions in (1, 8, 997):
        assert topics.partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions


def test_every_topic_of_the_contract_is_specified() -> None:
    """Inputs, journal and internal topics have one partition a lane; names are those that users rely on."""
    specs = {spec.name: spec for spec in topics.topic_specs(["touchpoints", "offline"], 8)}
    exact = {name for name, spec in specs.items() if spec.exact}
    internal = {name for name in specs if name.startswith("retarget.internal.")}
    assert specs.pop(topics.RULES) == topics.TopicSpec(topics.RULES, 1, exact=False, keep="latest")
    internal.remove(topics.RULES)
    assert exact == {"touchpoints", "offline"} | internal
    assert all(specs[name].keep == "forever" for name in {*internal, "catalogue"})
    assert {
        "retarget.direct_mail",
        "retarget.dead",
        "retarget.dead.sms",
        "retarget.decisions",
    } <= specs.keys()
    assert {spec.partitions for spec in specs.values()} == {8}


def test_a_lane_is_the_same_partition_of_these_topics() -> None:
    """The journal is not among what a lane reads as input."""
    assert topics.lane_topics(["touchpoints"]) == ("touchpoints", topics.FANNED, topics.MERGE)
