"""What a user writes into files, variables and flags becomes settings, or every problem at once."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.dialects import DIALECTS
from retarget.engine.shops import Shop
from retarget.errors import BadInput
from retarget.times import DAY, HOUR, MINUTE, SECOND
from streams.lanes.bundle import policy_of
from streams.resources import config_dir
from streams.settings import DECLARED, Settings, load_settings
from streams.settings_declared import STORE_SCHEMES, Dialect
from streams.settings_kinds import LIMITS, SHOP, Limit
from streams.settings_reference import reference
from streams.stores.link import Link

FIXED_DEFAULTS = {
    "kafka.emit": "transactional",
    "kafka.partitions": "8",
    "kafka.input_topics": "touchpoints",
    "kafka.catalogue_topic": "catalogue",
    "clock.lateness": "2s",
    "clock.max_skew": "5m",
    "clock.max_age": "30d",
    "clock.idle": "wall",
    "clock.idle_after": "1s",
    "clock.now": "wall",
    "delivery.max_delay": "1h",
    "input.dedupe_window": "1d",
    "consent.assume": "denied",
    "quiet_hours.enabled": "true",
    "quiet_hours.start": "21:00",
    "quiet_hours.end": "08:00",
    "quiet_hours.spread": "30m",
    "caps.total": "3/24h, 8/7d",
    "caps.direct_mail": "1/30d",
    "hold_out.global": "0.0",
}


def problems(**sources: object) -> tuple[str, ...]:
    """The lines with which `load_settings` refuses these sources."""
    with pytest.raises(BadInput) as refused:
        load_settings(**sources)  # type: ignore[arg-type]
    return refused.value.problems


def written(folder: Path, text: str) -> Path:
    """A settings file with this text."""
    path = folder / "retarget.toml"
    path.write_text(text, encoding="utf-8")
    return path


def values(settings: Settings) -> dict[str, str]:
    """What `retarget settings` shows, by key."""
    return {row.key: row.value for row in settings.describe()}


def test_the_defaults_are_those_of_the_contract() -> None:
    """Numbers that producers and operators rely on stay as they were promised."""
    shown = values(load_settings())

    assert {key: shown[key] for key in FIXED_DEFAULTS} == FIXED_DEFAULTS


def test_durations_and_caps_arrive_in_milliseconds() -> None:
    """The core counts in integers of milliseconds, whatever the unit was in the file."""
    settings = load_settings(overrides=["clock.lateness=250ms", "caps.sms=2/36h"])

    assert settings.clock.lateness == 250
    assert settings.clock.max_skew == 5 * MINUTE
    assert settings.quiet_hours.start == 21 * HOUR
    assert settings.caps.limits["sms"] == (Limit(2, 36 * HOUR),)
    assert settings.caps.limits["total"] == (Limit(3, 24 * HOUR), Limit(8, 7 * DAY))


def test_the_last_source_wins_and_is_remembered(tmp_path: Path) -> None:
    """A flag beats the environment, that beats the file, that a command's preset, that the default."""
    config = written(tmp_path, '[clock]\nlateness = "3s"\nmax_skew = "3s"\nidle_after = "3s"\n')
    environ = {"RETARGET_CLOCK_MAX_SKEW": "4s", "RETARGET_CLOCK_IDLE_AFTER": "4s"}
    presets = dict.fromkeys(("clock.max_age", "clock.lateness"), "2s")

    settings = load_settings(config, environ, ["clock.idle_after=5s"], presets=presets)

    clock = settings.clock
    assert [clock.max_age, clock.lateness, clock.max_skew, clock.idle_after] == [
        n * SECOND for n in (2, 3, 4, 5)
    ]
    assert settings.sources["clock.lateness"] == str(config)
    assert settings.sources["clock.max_skew"] == "environment RETARGET_CLOCK_MAX_SKEW"
    assert settings.sources["clock.idle_after"] == "--set"
    assert settings.sources["clock.max_age"] == "preset"
    assert settings.sources["clock.now"] == "default"


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    """A container image can be told its file without a changed command line."""
    config = written(tmp_path, "[kafka]\npartitions = 3\n")

    assert load_settings(None, {"RETARGET_CONFIG": str(config)}).kafka.partitions == 3


def test_every_problem_of_every_source_is_reported_at_once(tmp_path: Path) -> None:
    """Nobody has to start five times to find five mistakes."""
    config = written(tmp_path, '[kafka]\nbootstap = "a"\npartitions = "eight"\n[clock]\nidle = "never"\n')
    environ = {"RETARGET_QUIET_HOUR_ZONE": "UTC"}

    found = problems(config=config, environ=environ, overrides=["web.port=70000", "log.format"])

    assert found == (
        f"{config}: kafka.bootstap: unknown; nearest known: kafka.bootstrap",
        f"{config}: kafka.partitions: found 'eight', expected a whole number of at least 1",
        f"{config}: clock.idle: found 'never', expected one of wall, heartbeat, off",
        "environment RETARGET_QUIET_HOUR_ZONE: unknown; nearest known: RETARGET_QUIET_HOURS_ZONE",
        "--set web.port: found '70000', expected a whole number from 0 to 65535",
        "--set log.format: found no value, expected log.format=VALUE",
    )


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("kafka.partitions=0", "whole number of at least 1"),
        ("kafka.partitions=true", "whole number"),
        ("clock.lateness=2", "a duration"),
        ("clock.lateness=-2s", "a duration"),
        ("quiet_hours.zone=Mars/Olympus", "a time zone"),
        ("quiet_hours.zone=../../etc/passwd", "a time zone"),
        ("quiet_hours.start=24:00", "a time of day"),
        ("quiet_hours.enabled=maybe", "true or false"),
        ("hold_out.global=5", "a share from 0 to 1"),
        ("hold_out.global=nan", "a share from 0 to 1"),
        ("caps.total=3", "COUNT/DURATION"),
        ("caps.total=3/0s", "COUNT/DURATION"),
        ("caps.Total=3/1d", "unknown"),
        ("kafka.input_topics=", "at least one"),
        ("kafka.input_topics=a,a", "different names"),
        ("input.dialect_by_topic=touchpoints", "NAME=VALUE"),
        ("app.id=", "text that is not empty"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_is_allowed(flag: str, expected: str) -> None:
    """The line says what may stand there."""
    (line,) = problems(overrides=[flag])

    assert line.startswith(f"--set {flag.partition('=')[0]}: ")
    assert expected in line


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("rates.emial=5/1h", "rates.emial: unknown channel 'emial'; known: ads, chat, direct_mail, email, "),
        ("channels.external=push,emails", "channels.external: unknown channel 'emails'; known: ads, "),
        ("catalogue.currency=EUX", "catalogue.currency: unknown currency of ISO 4217 'EUX'; known: AED, "),
    ],
)
def test_names_that_nobody_knows_are_refused(flag: str, said: str, tmp_path: Path) -> None:
    """Wherever they are said, with the nearest; only a bundle of a former version may have them."""
    key, _, value = flag.partition("=")
    section, _, name = key.partition(".")
    file = tmp_path / "retarget.toml"
    file.write_text(f"[{section}]\n{name} = {value.split(',') if ',' in value else repr(value)}\n")
    (line,) = problems(overrides=[flag])
    (of_file,) = problems(config=file)

    assert line.startswith(f"--set: {said}")
    assert re.search("; nearest: (email|EUR)$", line)
    assert of_file.startswith(f"{file}: {said}")
    assert load_settings(presets={key: value}, past=True)


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        (["kafka.catalogue_topic=touchpoints"], "kafka.catalogue_topic"),
        (["kafka.input_topics=retarget.email"], "kafka.input_topics"),
        (["kafka.replication=0"], "kafka.replication"),
        (["kafka.security=sasl_ssl"], "kafka.sasl_user"),
        (["quiet_hours.end=21:00"], "quiet_hours.end"),
        (["store.url=http://localhost"], "store.url"),
        (["input.dialect_by_topic=other=segment"], "input.dialect_by_topic"),
        (["input.dialect_by_topic=touchpoints=klingon"], "input.dialect_by_topic"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(flags: list[str], key: str) -> None:
    """A combination that cannot work does not start."""
    assert any(f": {key}: " in line for line in problems(overrides=flags))


@pytest.mark.parametrize("scheme", STORE_SCHEMES)
def test_every_way_to_a_store_is_one_that_settings_know(scheme: str) -> None:
    """And its password is not shown."""
    url = (
        f"{scheme}://me:hunter2@db:1,other:2/shop/0" if "sentinel" in scheme else f"{scheme}://me:hunter2@db"
    )
    settings = load_settings(overrides=[f"store.url={url}"])

    assert Link.to(settings.store.url).address
    assert "hunter2" not in f"{settings.describe()} {settings}"


def test_a_file_that_is_missing_or_broken_is_one_line(tmp_path: Path) -> None:
    """The line names the file, and for broken TOML the place in it."""
    (missing,) = problems(config=tmp_path / "none.toml")
    (broken,) = problems(config=written(tmp_path, "[kafka\n"))

    assert missing.endswith("none.toml: cannot be read as TOML: No such file or directory")
    assert "line 1" in broken


def test_variables_of_others_are_left_alone() -> None:
    """Kubernetes' service links, empty variables and our own tools' variables are no settings."""
    environ = {
        "PATH": "/bin",
        "RETARGET_DATA": "/data",
        "RETARGET_PEERS": "/peers",
        "RETARGET_PEERS_PYTHON": "/peers/venv/bin/python",
        "RETARGET_COMPILE": "1",
        "RETARGET_KAFKA_HOME": "/opt/kafka",
        "RETARGET_STORE_SERVER": "redis-server",
        "RETARGET_TEST_KAFKA": "localhost:1",
        "RETARGET_KAFKA_EMIT": "",
        "RETARGET_PORT": "tcp://10.0.0.1:80",
        "RETARGET_PORT_80_TCP_ADDR": "10.0.0.1",
        "RETARGET_SERVICE_HOST": "10.0.0.1",
        "RETARGET_WEB_SERVICE_PORT_HTTP": "80",
    }

    assert set(load_settings(None, environ).sources.values()) == {"default"}


def test_secrets_are_never_shown() -> None:
    """Neither the listing nor the value's own text nor a complaint holds a password."""
    environ = {
        "RETARGET_KAFKA_SASL_PASSWORD": "hunter2",
        "RETARGET_STORE_URL": "redis://me:hunter2@db:6379/0",
    }
    settings = load_settings(None, environ, ["kafka.security=sasl_ssl", "kafka.sasl_user=me"])
    in_query = load_settings(overrides=["store.url=redis://db/0?password=hunter2&db=1"])
    refused = problems(environ={"RETARGET_STORE_URL": "http://me:hunter2@db"})

    assert settings.kafka.sasl_password == "hunter2"  # noqa: S105
    assert "hunter2" not in f"{settings.describe()} {settings} {in_query.describe()} {refused}"
    assert values(settings)["store.url"] == "redis://me:***@db:6379/0"


def test_the_deciding_settings_read_back_the_same() -> None:
    """A replay of the journal finds caps, clocks and quiet hours as they were."""
    flags = ["caps.total=1/1h", "caps.email=off", "input.dialect_by_topic=touchpoints=segment"]
    flags.append("shops.S-12=52.5245, 13.41; Mitte; Berlin; Mo-Fr 10-20; Sa 10-18")
    before = load_settings(overrides=[*flags, "hold_out.global=0.1", "quiet_hours.zone=Europe/Berlin"])

    after = load_settings(presets=before.deciding())

    for section in {key.partition(".")[0] for key in before.deciding()}:
        assert getattr(after, section) == getattr(before, section)
    assert "kafka.bootstrap" not in before.deciding()


@given(st.lists(st.builds(Limit, st.integers(0, 1000), st.integers(1, 10**10)), max_size=4))
def test_any_caps_read_back_as_written(limits: list[Limit]) -> None:
    """What `retarget settings` prints can be pasted into a file."""
    assert LIMITS.read(LIMITS.write(tuple(limits))) == tuple(limits)


_WORD = st.text(st.characters(exclude_characters=";", exclude_categories=["Cs"]), max_size=9).map(str.strip)


@given(st.floats(-90, 90), st.floats(-180, 180), _WORD.filter(bool), _WORD, _WORD)
def test_any_store_reads_back_as_written(lat: float, lon: float, name: str, city: str, opening: str) -> None:
    """A replay tells people the same store, to the last letter."""
    shop = Shop("", lat, lon, name, city, opening)
    assert SHOP.read(SHOP.write(shop)) == shop


def test_stores_of_a_shop(tmp_path: Path) -> None:
    """By ids as the shop has them; hours may have the semicolons that such hours have."""
    text = (
        '[shops]\n0042 = "52.5245, 13.41; Mitte; Berlin; Mo-Fr 10-20; Sa 10-18"\nS-12 = "-33.9,18.4;Kaap"\n'
    )
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")

    settings = load_settings(tmp_path / "config.toml")

    mitte, kaap = (
        Shop("", 52.5245, 13.41, "Mitte", "Berlin", "Mo-Fr 10-20; Sa 10-18"),
        Shop("", -33.9, 18.4, "Kaap"),
    )
    assert settings.shops.by_id == {"0042": mitte, "S-12": kaap}
    assert policy_of(settings, 1, {}).shops == (mitte._replace(id="0042"), kaap._replace(id="S-12"))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "52, 13",
        "52, 13;",
        "52; 13; a",
        "91, 13; a",
        "52, 181; a",
        "nan, 1; a",
        "52,5, 13,4; a",
        "x, y; a",
    ],
)
def test_no_store(wrong: str) -> None:
    """It is refused with the form that is expected."""
    with pytest.raises(BadInput, match=r"LAT, LON; NAME; CITY; OPENING|found no value"):
        load_settings(overrides=[f"shops.s={wrong}"])


def test_the_reference_file_is_the_declaration() -> None:
    """If not: `python -m streams.settings_reference > config/reference.toml`."""
    path = config_dir() / "reference.toml"

    assert path.read_text(encoding="utf-8") == reference()
    assert values(load_settings(path)) == values(load_settings())
    found = {f"{section}.{key}" for section, table in tomllib.loads(reference()).items() for key in table}
    assert found == {row.key for row in load_settings().describe()}


def test_a_topic_can_be_given_every_dialect_of_records_and_no_other() -> None:
    """What the setting offers is what there is to decode records with."""
    for_records = {name for name, dialect in DIALECTS.items() if dialect.kind == "record"}

    assert set(get_args(Dialect)) == for_records


def test_the_minimal_file_loads() -> None:
    """The file that a newcomer starts from is accepted as it stands."""
    assert load_settings(config_dir() / "minimal.toml").kafka.bootstrap == "localhost:9092"


def test_every_setting_says_what_it_means() -> None:
    """Each key has a sentence, and defaults that its own kind accepts."""
    for key, declared in DECLARED.items():
        assert declared.sentence.endswith("."), key
        if not declared.open:
            assert declared.kind.read(declared.kind.write(declared.default)) == declared.default, key


def test_settings_cannot_be_changed() -> None:
    """A worker's settings are the same from start to end."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings().clock.lateness = 0  # type: ignore[misc]
