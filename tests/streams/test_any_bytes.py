"""Any bytes where bytes come in: used, or refused with a reason; `python -m bench.fuzz` does it longer."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz.mutating import broken
from bench.fuzz.targets import TARGETS, tried

# Of these one example costs a lane with sixty records, or a file of YAML.
_SLOW = {"topic: lane, all dialects": 15, "file: rule": 40, "file: cases": 30, "stored: bundle": 40}
_OFTEN = 200


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_that_are_nearly_right(name: str) -> None:
    """Whatever is changed in what is right, it is used or refused, and nothing else is raised."""
    target = TARGETS[name]
    seeds = target.seeds()

    @given(st.randoms(use_true_random=True))
    @settings(max_examples=_SLOW.get(name, _OFTEN))
    def used_or_refused(draw: Random) -> None:
        tried(target, broken(draw, seeds))

    used_or_refused()


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_of_any_kind(name: str) -> None:
    """What is like nothing that is right, too."""
    target = TARGETS[name]

    @given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode(errors="replace")))
    @settings(max_examples=_SLOW.get(name, _OFTEN) // 2)
    def used_or_refused(value: bytes) -> None:
        tried(target, value)

    used_or_refused()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_deeper_than_any_reader_goes(name: str) -> None:
    """Well-formed JSON, of some kilobytes, and no reader in Python has room for it."""
    tried(TARGETS[name], b'{"a":' * 1_200 + b"1" + b"}" * 1_200)
    tried(TARGETS[name], b"[" * 30_000 + b"]" * 30_000)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_right_is_used(name: str) -> None:
    """The changes begin at what is really used."""
    target = TARGETS[name]
    seeds = target.seeds()
    assert any(tried(target, value) for value in [*seeds[:10], *seeds[-10:]])
