"""The planted bugs fit the code as it is: a patch that no longer applies proves nothing."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.run import Mutant, judged, mutants

ROOT: Final = Path(__file__).resolve().parents[2]
PATCHES: Final = sorted((ROOT / "tests" / "mutants").glob("*.patch"))


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What git says in the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False, text=True)


@pytest.fixture(scope="module")
def _checkout() -> None:
    """Skips a copy without a checkout: in a folder of another one, git passes over every file silently."""
    try:
        top = git("rev-parse", "--show-toplevel")
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if top.returncode or Path(top.stdout.strip()).resolve() != ROOT:
        pytest.skip("this is a copy without its git checkout")


@pytest.mark.usefixtures("_checkout")
@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_every_patch_applies(patch: Path) -> None:
    """A planted bug can be planted; if not, make the patch anew against the code as it is."""
    applied = git("apply", "--check", str(patch))

    assert applied.returncode == 0, applied.stderr


def test_every_patch_has_its_line_in_the_table() -> None:
    """No patch is without a line in the table, no line without a patch, and no name stands there twice."""
    assert [mutant.name for mutant in sorted(mutants())] == [patch.stem for patch in PATCHES]


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_the_test_beside_a_patch_exists(mutant: Mutant) -> None:
    """The table names a function of a test module; which of its cases is for pytest to find."""
    module, _, case = mutant.test.partition("::")
    tree = ast.parse((ROOT / "tests" / module).read_text(encoding="utf-8"))

    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert re.sub(r"\[.*", "", case) in {node.name for node in tree.body if isinstance(node, functions)}


FAILED: Final = """
____ test_it ____
one missing
    def test_it() -> None:
        assert lanes == wanted, "two lanes"
E       AssertionError: one
E         lane
FAILED tests/test_it.py::test_it
"""


@pytest.mark.parametrize(
    ("code", "says", "verdict"),
    [
        (1, "", "caught"),
        (1, "AssertionError: one lane", "caught"),
        (1, "one missing", "caught"),
        (1, "two lanes", "FAILED OTHERWISE"),
        (1, "____", "FAILED OTHERWISE"),
        (1, "tests/test_it.py", "FAILED OTHERWISE"),
        (0, "", "NOT CAUGHT"),
        (2, "AssertionError", "NOT CAUGHT"),
    ],
)
def test_a_bug_is_caught_by_the_failure_that_is_meant(code: int, says: str, verdict: str) -> None:
    """Another failure than the stated one proves nothing, nor does a word of the test's source."""
    assert judged(Mutant("a", "test_it.py", says), code, FAILED).startswith(verdict)


def applied_by_ci() -> list[Mutant]:
    """The bugs that `.ci/run` plants."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (prefixes,) = re.findall(r"tests/mutants/run\.py (.+)", script)
    return [mutant for prefix in prefixes.split() for mutant in mutants(prefix)]


@pytest.mark.parametrize("mutant", applied_by_ci(), ids=lambda mutant: mutant.name)
def test_what_ci_applies_says_why_it_fails(mutant: Mutant) -> None:
    """The table states the reason."""
    assert mutant.says


def test_ci_applies_every_bug_that_was_asked_for() -> None:
    """The guarantees of exactly once in effect; what each breaks is in the table."""
    assert {mutant.name for mutant in applied_by_ci()} >= {
        "store-no-compare-and-set",
        "protocol-checkpoint-before-commit",
        "protocol-history-before-claim",
        "protocol-load-unchecked",
        "protocol-cache-kept",
        "protocol-replay-cuts-freely",
        "protocol-commit-assumed",
        "protocol-replay-emits",
        "protocol-replay-never-emits",
        "protocol-claims-not-read-back",
        "protocol-feed-from-the-old-frontier",
        "protocol-one-send-not-awaited",
        "protocol-wall-moves-a-lane-behind",
        "protocol-feed-is-never-behind",
        "protocol-gap-counts-as-read",
        "protocol-read-before-it-is-handed-over",
    }
