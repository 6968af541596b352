"""Dead letters once more, after what was wrong has been mended."""

from streams.redriving.choosing import Choice
from streams.redriving.driving import redrive

__all__ = ["Choice", "redrive"]
