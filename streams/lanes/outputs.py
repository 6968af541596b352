"""A batch's results as records for their topics, and the fingerprint by which replays are compared."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from retarget.engine.moment import Result
from streams import topics
from streams.ports import Output


def outputs(results: Sequence[Result], catalogue: str = topics.CATALOGUE) -> list[Output]:
    """Each result for its topic, in the order in which it was decided; `catalogue` takes its own records."""
    return [
        Output(_topic(result, catalogue), (result.key or result.person).encode(), result.value)
        for result in results
    ]


def _topic(result: Result, catalogue: str) -> str:
    if result.kind == "message":
        return topics.channel_topic(result.channel)
    if result.kind == "catalogue":
        return catalogue
    if result.kind == "merge":
        return topics.MERGE
    return topics.DECISIONS if result.kind == "decision" else topics.DEAD


def digest(found: Sequence[Output]) -> str:
    """A hash of the outputs in their order; empty for none."""
    if not found:
        return ""
    hashed = blake2b(digest_size=8)
    for output in found:
        hashed.update(b"".join((output.topic.encode(), output.key, output.value)))
    return hashed.hexdigest()
