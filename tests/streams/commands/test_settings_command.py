import json

from tests.streams.commands.conftest import Retarget


def test_the_table_has_key_value_source_and_meaning(retarget: Retarget) -> None:
    """A setting that was set says by what."""
    answer = retarget("settings", "clock", "--set", "clock.lateness=7s")
    header, first, *rest = answer.out.splitlines()
    assert answer.code == 0
    assert header.split() == ["key", "value", "source", "meaning"]
    assert first.split()[:3] == ["clock.lateness", "7s", "--set"]
    assert all(line.startswith("clock.") for line in rest)


def test_json_has_every_setting_and_no_secret(retarget: Retarget) -> None:
    """The password of the store is masked."""
    answer = retarget("settings", "--json", "--set", "store.url=redis://me:secret@localhost")
    rows = {row["key"]: row for row in json.loads(answer.out)}
    assert rows["store.url"]["value"] == "redis://me:***@localhost"
    assert rows["kafka.partitions"] == {
        "key": "kafka.partitions",
        "value": "8",
        "source": "default",
        "sentence": "Partitions of every input topic, thus the number of lanes.",
    }


def test_an_unknown_key_names_the_nearest(retarget: Retarget) -> None:
    """A typing error in the name of a section or key is exit 1."""
    answer = retarget("settings", "clok")
    assert (answer.code, answer.err) == (1, "unknown setting 'clok'; nearest: clock\n")
