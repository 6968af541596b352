"""Ids of people on the command line."""

from __future__ import annotations

import argparse

from retarget.touchpoints import LONGEST_ID


def person_id(text: str) -> str:
    """An id that somebody can have. Raises ArgumentTypeError."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected an id in UTF-8") from None
    if not 0 < len(text) <= LONGEST_ID:
        said = f"found {len(text):,} characters, expected an id of 1 to {LONGEST_ID}"
        raise argparse.ArgumentTypeError(said)
    return text
