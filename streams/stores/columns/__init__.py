"""Journeys as columns: like stands beside like, each text and time once, so that they compress to less."""

from streams.stores.columns.reading import restored
from streams.stores.columns.shapes import LENGTH, MARK, Laid
from streams.stores.columns.words import WORDS
from streams.stores.columns.writing import laid_out

__all__ = ["LENGTH", "MARK", "WORDS", "Laid", "laid_out", "restored"]
