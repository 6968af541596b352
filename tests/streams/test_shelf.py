"""A shelf keeps what a dict would."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.stores.shelf import Shelf

PEOPLE = st.sampled_from(["", "u1", "u2", "ü", "\ud800", "a" * 300])


@given(st.lists(st.tuples(PEOPLE, st.none() | st.binary(max_size=40))))
def test_it_keeps_what_a_dict_keeps(done: list[tuple[str, bytes | None]]) -> None:
    """Whatever is written and taken away, in any order, whatever people are called."""
    wanted: dict[str, bytes] = {}
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder) / "shelf")
        for person, content in done:
            if content is None:
                assert shelf.pop(person, None) == wanted.pop(person, None)
            else:
                shelf[person] = wanted[person] = content
            assert shelf.get(person) == wanted.get(person)
        assert (dict(shelf), len(shelf)) == (wanted, len(wanted))
        shelf.remove()
        assert not [*Path(folder).iterdir()]


def test_a_full_disk_is_said_as_one(tmp_path: Path) -> None:
    """As an OSError like any other file's, so that the command says where there is room."""
    shelf = Shelf(tmp_path / "shelf", pages=8)
    with pytest.raises(OSError, match="no space left") as full:
        shelf.update({f"u{number}": b"x" * 10_000 for number in range(20)})
    assert full.value.errno == errno.ENOSPC
    shelf.remove()
