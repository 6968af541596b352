"""Dead letters once more, after what was wrong has been mended."""

from streams.redriving.choosing import Choice
from streams.redriving.driving import Told, redrive

__all__ = ["Choice", "Told", "redrive"]
