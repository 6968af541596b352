"""PURLs: the link of each message, sealed by the worker, and what becomes of it when somebody follows it."""

from streams.links.answer import Followed, Links
from streams.links.tokens import Seal, opened

__all__ = ["Followed", "Links", "Seal", "opened"]
