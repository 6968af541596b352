"""The collector: HTTP in, touchpoints in Kafka out."""

from streams.collect.delivery import Delivery, NotTaken
from streams.collect.server import Entrance

__all__ = ["Delivery", "Entrance", "NotTaken"]
