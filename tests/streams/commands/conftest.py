"""The command, called in this process, without the settings of whoever runs the tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from streams.cli import main
from streams.embedded import EmbeddedBroker
from tests.support.brokers import a_broker


class Answer(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Retarget = Callable[..., Answer]


@pytest.fixture
def retarget(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Retarget:
    """Run `retarget` with these words."""
    for name in [name for name in os.environ if name.startswith("RETARGET_")]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker for this test alone: whatever another one has sent, its topics begin empty."""
    yield from a_broker(tmp_path)
