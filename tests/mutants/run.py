"""Plants every bug of the table in README.md in a copy of the checkout and demands that its test fails there.

Where the table says what the failure must say, another failure does not count.
`python tests/mutants/run.py [PREFIX...]` takes the patches whose names begin with one of the prefixes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

_HERE: Final = Path(__file__).resolve().parent
_ROOT: Final = _HERE.parents[1]
_ROW: Final = re.compile(
    r"^\| `(?P<name>[^`]+)` \|.*\| `(?P<test>[^`]+\.py(?:::[^`]+)?)` \|(?: `(?P<says>[^`]+)` \|)?$",
    re.MULTILINE,
)
_COPIED: Final = ("retarget", "streams", "bench", "config", "docs", "tests", "pyproject.toml")
_BESIDE: Final = (">", "_", "FAILED ", "tests/")  # lines of source, headings, places
_A_TEST_FAILED: Final = 1  # pytest's exit codes: 0 is passed or skipped, above 1 it did not come to run


class Mutant(NamedTuple):
    """One line of the table."""

    name: str
    test: str
    says: str = ""  # what pytest must say of the failure; empty: anything


def mutants(prefix: str = "") -> list[Mutant]:
    """The table; raises ValueError when a patch has no line or a line no patch."""
    rows = _ROW.finditer((_HERE / "README.md").read_text())
    found = [Mutant(row["name"], row["test"], row["says"] or "") for row in rows]
    patches = {path.stem for path in _HERE.glob("*.patch")}
    if wrong := patches ^ {mutant.name for mutant in found}:
        raise ValueError(f"only in the table or only as a patch: {', '.join(sorted(wrong))}")
    return [mutant for mutant in found if mutant.name.startswith(prefix)]


def verdict(mutant: Mutant) -> str:
    """What became of a mutant: `caught`, or why not."""
    with tempfile.TemporaryDirectory(prefix="retarget-mutant-") as name:
        copy = Path(name)
        _copy_to(copy)
        patched = _run(["patch", "-p1", "-s", "-i", str(_HERE / f"{mutant.name}.patch")], copy)
        if patched.returncode:
            return f"the patch does not apply: {patched.stdout.strip()}"
        tested = _run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{mutant.test}"],
            copy,
        )
    return judged(mutant, tested.returncode, tested.stdout)


def judged(mutant: Mutant, code: int, output: str) -> str:
    """What pytest's exit code and output say of a mutant; a failure counts when it is the stated one."""
    if code != _A_TEST_FAILED:
        return f"NOT CAUGHT: pytest ended with {code}\n{output[-2000:]}"
    if mutant.says not in _said(output):
        return f"FAILED OTHERWISE: its test does not say {mutant.says!r}\n{output[-2000:]}"
    return "caught"


def _said(output: str) -> str:
    """What pytest and the test say of the failure, without the source and the names beside it."""
    lines = [line for line in output.splitlines() if line[:1].strip() and not line.startswith(_BESIDE)]
    return " ".join(" ".join(line.removeprefix("E ").split()) for line in lines)


def _copy_to(copy: Path) -> None:
    for part in _COPIED:
        source = _ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / part)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def main(*prefixes: str) -> int:
    """Try those whose names begin with a prefix, or all, one on each core; 1 when one was not caught."""
    chosen = {mutant.name: mutant for prefix in prefixes or ("",) for mutant in mutants(prefix)}
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, found in zip(chosen, pool.map(verdict, chosen.values()), strict=True):
            failed |= found != "caught"
            print(f"{name}: {found}", flush=True)  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
