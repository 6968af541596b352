"""What the code must never do, whatever a comment allows; ruff's S rules, bandit's, look for more."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
MODULES: Final = [path for part in ("retarget", "streams") for path in sorted((ROOT / part).rglob("*.py"))]
FORBIDDEN_MODULES: Final = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle", "xml"})
FORBIDDEN_CALLS: Final = frozenset({"eval", "exec", "compile", "__import__", "breakpoint"})
# Loaders of YAML that make objects of whatever a file names; and shells.
FORBIDDEN_ATTRIBUTES: Final = frozenset(
    {"Loader", "FullLoader", "UnsafeLoader", "full_load", "unsafe_load", "load_all", "unsafe_load_all",
     "system", "popen", "mktemp"}
)  # fmt: skip


def offences(tree: ast.AST) -> Iterator[str]:
    """What a module does that none may."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_ATTRIBUTES:
            yield node.attr
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                yield node.func.id
            if ast.unparse(node.func) == "yaml.load":
                yield "yaml.load"
            if any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords):
                yield "shell"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_what_comes_in(path: Path) -> None:
    """No pickle, no eval, no shell, and YAML by the safe loader only."""
    assert list(offences(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from marshal import loads", "eval('1')", "yaml.load(x)", "yaml.UnsafeLoader(x)",
     "run('ls', shell=True)", "os.system('ls')", "__import__('os')", "import xml.etree.ElementTree"],
)  # fmt: skip
def test_what_is_looked_for_is_found(text: str) -> None:
    """The test above would fail on each of these."""
    assert list(offences(ast.parse(text)))


def test_the_linters_security_rules_are_on() -> None:
    """Bandit runs as the S rules of ruff in `make lint`; none but `assert` is turned off everywhere."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'select = ["ALL"]' in text
    ignored = text.partition("ignore = [")[2].partition("\n]")[0]
    assert [line.split('"')[1] for line in ignored.splitlines() if '"S' in line] == ["S101"]


def test_ci_asks_for_known_vulnerabilities() -> None:
    """Of everything that is installed, by every change."""
    assert ".ci/audit" in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize(("said", "code", "ends", "must_say"), [
    ("No known vulnerabilities found", 0, 0, ""),
    ("Found 1 known vulnerability in 1 package", 1, 1, "Found 1 known vulnerability"),
    ("ConnectionError: nobody answers", 1, 75, "NOT AUDITED: the advisory service cannot be asked"),
    ("lib: Dependency not found on PyPI and could not be audited", 0, 75, "NOT AUDITED: about 1 of"),
])  # fmt: skip
def test_an_audit_that_nobody_could_make_says_so(
    tmp_path: Path, said: str, code: int, ends: int, must_say: str
) -> None:
    """It has a word and an exit code of its own, and is not taken for one that found nothing."""
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    tool.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci" / "audit"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_AUDIT": str(tool)},
    )
    assert done.returncode == ends, done
    assert must_say in done.stdout
    assert ("NOT AUDITED" in done.stdout) == (ends == 75)


def test_ci_says_at_its_end_that_nobody_was_asked() -> None:
    """Among forty minutes of lines nobody would find it."""
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "all passed, and NOT AUDITED" in text.partition('if [ "$audited" = 75 ]')[2]
