"""What the README shows is what happens: its files are written, its commands run, their answers compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from streams.cli import COMMANDS
from tests.support.pages import sessions, write_files

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")


def answer(command: str, folder: Path) -> str:
    """What a command of ours says, with files in that folder and no settings from outside."""
    arguments = shlex.split(command)
    assert arguments.pop(0) == "retarget"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
    done = subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        capture_output=True, check=False, text=True, cwd=folder, env=environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).rstrip("\n")


@pytest.mark.parametrize(("page", "least"), [("README.md", 3), ("docs/writing-rules.md", 1)])
def test_the_sessions_are_true(page: str, least: int, tmp_path: Path) -> None:
    """A newcomer who copies the files and commands sees what the page shows."""
    written = (ROOT / page).read_text(encoding="utf-8")
    write_files(written, tmp_path)
    assert len(sessions(written)) >= least

    for command, shown in sessions(written):
        said = answer(command, tmp_path)
        assert said
        if shown:
            assert re.sub(r" in \d+\.\d s", " in 0.0 s", said) == shown


def test_the_named_commands_exist() -> None:
    """Every `retarget VERB` of the README is one of ours."""
    named = set(re.findall(r"(?<![/\w.-])retarget ([a-z]+)\b", README))
    prose = {"engine"}

    assert {"replay", "check", "topics", "run"} <= named
    assert named - prose - COMMANDS.keys() == set()


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, re.MULTILINE))
def test_the_targets_exist(target: str) -> None:
    """Every `make TARGET` is in the Makefile."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_containers_named_exist() -> None:
    """The service that the README looks into is one of the compose file."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]

    assert set(re.findall(r"compose exec (\S+)", README)) <= services.keys()


def test_every_folder_is_on_the_map() -> None:
    """And every folder on the map is there."""
    table = README.split("\n## Where is what\n")[1].split("\n## ")[0]
    named = set(re.findall(r"^\| `(\w+)/`", table, re.MULTILINE))
    parts = {"retarget", "streams", "config", "deploy", "docs", "tests"}

    assert named >= parts
    assert [name for name in named if not (ROOT / name).is_dir()] == []
