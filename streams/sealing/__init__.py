"""What is told of people outside the store, sealed by a key of each; see docs/decisions/0022."""

from __future__ import annotations

from collections.abc import Sequence

from streams.kafka.reader import Reader
from streams.sealing.keys import Wrapping
from streams.sealing.leaving import AsTheyAre, Leaving, Sealing
from streams.sealing.past import KeysInTopic


def leaving_by(secrets: Sequence[str], reader: Reader) -> Leaving:
    """How outputs of a lane leave by these secrets; without any as they are."""
    return Sealing(Wrapping(secrets), KeysInTopic(reader)) if secrets else AsTheyAre()
