"""What a test does when a server that it needs cannot be had."""

from __future__ import annotations

import os
from typing import Final, NoReturn

import pytest

IN_CI: Final = os.environ.get("CI", "").lower() in {"1", "true"}


def unavailable(reason: str) -> NoReturn:
    """Skip the test; in CI, where all is to be had, fail it."""
    if IN_CI:
        pytest.fail(f"in CI this may not be missing: {reason}", pytrace=False)
    pytest.skip(reason)
