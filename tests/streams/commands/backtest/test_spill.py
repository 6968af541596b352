"""Temporary files give back what was put into them, in order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.spill import KEY, Spill

ENTRIES = st.lists(st.tuples(st.binary(min_size=KEY, max_size=KEY), st.binary(max_size=200_000)), max_size=8)


@given(st.lists(ENTRIES, max_size=6), st.booleans())
def test_what_was_put_in_comes_out_in_order(
    runs: list[list[tuple[bytes, bytes]]],
    in_order: bool,  # noqa: FBT001
) -> None:
    """Any entries in any runs, also long ones, come back sorted; runs that follow one another become one."""
    if in_order:
        everything = iter(sorted(entry for run in runs for entry in run))
        runs = [[next(everything) for _ in run] for run in runs]
    with TemporaryDirectory() as folder:
        spill = Spill(Path(folder) / "entries")
        for run in runs:
            for key, value in run:
                spill.add(key, value)
            spill.flush()
        found = spill.close()
        assert sorted(found.read()) == sorted(entry for run in runs for entry in run)
        assert [key for key, _ in found.read()] == sorted(key for key, _ in found.read())
        assert found.entries == sum(map(len, runs))
        if in_order:
            assert len(found.runs) <= 1
