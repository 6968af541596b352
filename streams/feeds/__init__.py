"""Feeds: what the shop says of its products, as files of JSON lines, CSV or Google Merchant XML."""

from streams.feeds.reading import read_feeds

__all__ = ["read_feeds"]
