"""Sentiment: how a post, a review or a chat sounds, which producers tell by a word or by a number."""

from __future__ import annotations

from typing import Final

from retarget.journeys.traits import finite

WORDS: Final = ("negative", "neutral", "positive")


def word(told: str | float | None) -> str | None:
    """One of WORDS: the word in any letters, or the sign of a number; None for anything else."""
    number = score(told)
    if number is not None:
        return WORDS[1 + (number > 0) - (number < 0)]
    text = told.strip().lower() if isinstance(told, str) else None
    return text if text in WORDS else None


def score(told: str | float | None) -> float | None:
    """The number, also where it came as text; None for a word."""
    return finite(told) if isinstance(told, str) else told
