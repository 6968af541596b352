import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from streams.cli import COMMANDS
from streams.settings_source import environment_name
from tests.streams.commands.conftest import Retarget

OURS = ["check", "topics", "settings", "produce", "simulate", "tail", "explain", "pause", "resume"]
PRESENT = [name for name in COMMANDS if find_spec(f"streams.commands.{name}")]


@pytest.mark.parametrize("name", PRESENT)
def test_help_of_every_command_names_its_settings_environment(retarget: Retarget, name: str) -> None:
    """Help exits 0 and shows the variable of every setting that the command says matters."""
    import argparse

    parser = argparse.ArgumentParser()
    import_module(f"streams.commands.{name}").add(parser)
    answer = retarget(name, "--help")

    assert answer.code == 0
    assert all(option in answer.out for option in ("--config", "--set", "RETARGET_CONFIG"))
    assert all(environment_name(key) in answer.out for key in parser.get_default("settings") or ())


def test_help_lists_the_commands(retarget: Retarget) -> None:
    """`retarget --help` exits 0 and has a line for each command."""
    answer = retarget("--help")
    assert answer.code == 0
    assert all(f"    {name}" in answer.out for name in OURS)


@pytest.mark.parametrize("words", [[], ["bogus"], ["settings", "--bogus"], ["produce"], ["tail"]])
def test_wrong_usage_is_exit_code_2(retarget: Retarget, words: list[str]) -> None:
    """No command, an unknown one, an unknown option, a missing argument."""
    answer = retarget(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("usage: retarget")


@pytest.mark.parametrize(
    "words",
    [
        ["produce", "f", "--rate", "fast"],
        ["produce", "f", "--rate", "0/s"],
        ["tail", "email", "--max", "0"],
        ["simulate", "--speed", "0"],
        ["simulate", "--people", "-3"],
    ],
)
def test_a_bad_number_is_wrong_usage_that_says_what_is_expected(retarget: Retarget, words: list[str]) -> None:
    """Options with numbers refuse what is none, or too small."""
    answer = retarget(*words)
    assert answer.code == 2
    assert "expected" in answer.err


def test_every_problem_of_the_settings_has_a_line(retarget: Retarget) -> None:
    """Exit 1, and each problem on a line of its own on standard error."""
    answer = retarget("settings", "--set", "kafka.partitions=0", "--set", "clock.latenes=1s")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines() == [
        "--set kafka.partitions: found '0', expected a whole number of at least 1",
        "--set clock.latenes: unknown; nearest known: clock.lateness",
    ]


@pytest.mark.parametrize(
    "words", [["topics"], ["topics", "--check"], ["tail", "email"], ["simulate", "--seconds", "1"]]
)
def test_a_broker_that_is_away_is_exit_code_3(retarget: Retarget, words: list[str]) -> None:
    """One line that names the address and its setting."""
    answer = retarget(*words, "--set", "kafka.bootstrap=127.0.0.1:1")
    assert (answer.code, answer.out) == (3, "")
    line = answer.err.splitlines()[-1]
    assert "127.0.0.1:1" in line
    assert "kafka.bootstrap" in line


@pytest.mark.parametrize("words", [["pause"], ["resume"]])
def test_a_store_that_is_away_is_exit_code_3(retarget: Retarget, words: list[str]) -> None:
    """One line that names the address and its setting."""
    answer = retarget(*words, "--set", "store.url=redis://127.0.0.1:1")
    assert (answer.code, answer.out) == (3, "")
    assert len(answer.err.splitlines()) == 1
    assert "127.0.0.1:1" in answer.err
    assert "store.url" in answer.err


def test_an_address_of_kafka_that_is_none_is_the_users_problem(retarget: Retarget) -> None:
    """A port that is no number is told before anything is connected."""
    answer = retarget("topics", "--set", "kafka.bootstrap=localhost:kafka")
    assert (answer.code, answer.err) == (
        1,
        "kafka.bootstrap: found 'localhost:kafka', expected HOST:PORT, several with commas\n",
    )


def test_help_needs_neither_kafka_nor_faust() -> None:
    """`python -m streams run --help` works as a process, and imports no heavy library."""
    code = (
        "import sys; from streams.cli import main; code = main(['run', '--help']); "
        "heavy = {'faust', 'aiokafka', 'redis', 'rich'} & {*sys.modules}; "
        "sys.exit(f'{heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
