"""Where the files that ship with the product lie: in a checkout and in an installed wheel."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
# pyproject.toml puts the top-level folder config/ there when it builds the wheel.
_IN_WHEEL: Final = _PACKAGE / "defaults"
_IN_CHECKOUT: Final = _PACKAGE.parent / "config"


def config_dir() -> Path:
    """The folder with `minimal.toml`, `reference.toml` and `rules/` that ships with this version.

    Raises FileNotFoundError when neither a wheel nor a checkout has it: the installation is broken.
    """
    for folder in (_IN_WHEEL, _IN_CHECKOUT):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"neither {_IN_WHEEL} nor {_IN_CHECKOUT} is there; install retarget again")


def default_rules_dir() -> Path:
    """The folder of the rules that ship; what `rules.dir` means when nobody has set it."""
    return config_dir() / "rules"
