"""The optional compiled build: `RETARGET_COMPILE=1 python -m build --wheel`, or a compiled copy to work in.

mypyc makes C of the core's modules, from the very sources that are interpreted else. What declares structs
stays as it is: msgspec has C of its own for those. `python hatch_build.py FOLDER` copies the checkout and
compiles the copy, so that tests and benchmarks run over it: `make test-compiled`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # only a build has it
    BuildHookInterface = object

ROOT: Final = Path(__file__).resolve().parent
ASKED: Final = "RETARGET_COMPILE"
# What an event passes through; for the rest, which runs once at a start, C would be size without gain.
_HOT: Final = (
    "journeys/*.py", "engine/*.py", "lane/*.py", "rules/scene.py", "rules/matcher.py", "rules/tallies.py",
    "rules/subjects.py", "rules/vocabulary.py", "times.py", "decode.py", "dialects/recognise.py",
)  # fmt: skip
_STRUCTS: Final = "msgspec.Struct"
_NEEDED: Final = ("mypy[mypyc]>=1.15", "setuptools>=68")
_SETUP: Final = """\
import sys
from mypyc.build import mypycify
from setuptools import setup
made = mypycify(sys.argv[3:], opt_level="3")
setup(name="compiled", packages=[], ext_modules=made, script_args=sys.argv[1:3])
"""


def modules(root: Path) -> list[str]:
    """The modules to compile, relative to `root`."""
    core = root / "retarget"
    found = [path for pattern in _HOT for path in sorted(core.glob(pattern)) if path.name != "__init__.py"]
    return [str(path.relative_to(root)) for path in found if _STRUCTS not in path.read_text(encoding="utf-8")]


def compile_in(folder: Path) -> list[Path]:
    """Compile the sources in a folder, beside each its library; the libraries."""
    # There, setuptools would read the project's file, which is for hatchling.
    with tempfile.TemporaryDirectory() as apart:
        shutil.copytree(folder / "retarget", Path(apart) / "retarget")
        command = [sys.executable, "-c", _SETUP, "build_ext", "--inplace", *modules(Path(apart))]
        subprocess.run(command, cwd=apart, check=True)  # noqa: S603 - our own words
        built = [path for path in Path(apart).rglob("*.so") if "build" not in path.relative_to(apart).parts]
        return [Path(shutil.copy(path, folder / path.relative_to(apart))) for path in built]


class CompiledCore(BuildHookInterface):
    """Puts the libraries into the wheel where the environment asks for them."""

    def dependencies(self) -> list[str]:
        """What only a compiled build needs."""
        return list(_NEEDED) if os.environ.get(ASKED) == "1" else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make it a wheel of this platform."""
        if os.environ.get(ASKED) != "1" or version == "editable":
            return
        folder = Path(tempfile.mkdtemp(prefix="retarget-compiled-"))
        shutil.copytree(ROOT / "retarget", folder / "retarget")
        for library in compile_in(folder):
            build_data["force_include"][str(library)] = str(library.relative_to(folder))
        build_data["pure_python"], build_data["infer_tag"] = False, True


def main() -> int:
    """Make a compiled copy of the checkout."""
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    kept = shutil.ignore_patterns(".*", "build", "dist", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=kept)
    sys.stdout.write(f"{len(compile_in(folder))} libraries in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
