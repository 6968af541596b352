"""A word of consent as a producer tells it: what can be read of it, and what becomes of the rest.

Whatever is unclear never allows more: a grant whose extent cannot be read grants nothing, and a denial whose
extent cannot be read denies everything in that direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from retarget.journeys.model import Consent, Journey
from retarget.journeys.texts import short

# Every purpose, every channel.
EVERY: Final = "*"
GRANTED: Final = "granted"
# Asked for, to be confirmed; and the confirmation of what was asked.
PENDING: Final = "pending"
CONFIRMED: Final = "confirmed"
REFUSED: Final = frozenset({"denied", "revoked"})
STATES: Final = REFUSED | {GRANTED, PENDING, CONFIRMED}
# Of which one word may tell.
MOST_CHANNELS: Final = 20


class Heard(NamedTuple):
    """A word for a purpose and a channel, None for an unclear grant; and how many parts were unclear.

    What is to be confirmed, and a confirmation, are unclear as a grant is.
    """

    word: Consent | None
    purpose: str
    channel: str
    ignored: int
    state: str = ""


def heard(said: Mapping[str, object], at: int) -> Heard:
    """What to keep of a word said at `at` (epoch ms)."""
    state, purpose, channel = said.get("state"), _extent(said.get("purpose")), _extent(said.get("channel"))
    granted = state == GRANTED
    opens = granted or state in (PENDING, CONFIRMED)
    known = isinstance(state, str) and state in STATES
    grounds = (said.get("basis"), said.get("text_version"))
    ignored = (not known) + (purpose is None) + (channel is None) + sum(map(_is_odd, grounds))
    basis, text_version = map(_text, grounds)
    word = Consent(granted, at, basis, text_version)
    unclear = opens and (purpose is None or channel is None)
    said_state = state if isinstance(state, str) else ""
    return Heard(None if unclear else word, purpose or EVERY, channel or EVERY, ignored, said_state)


def words(said: Mapping[str, object], at: int) -> list[Heard]:
    """What to keep of a word said at `at` (epoch ms); `channels` has a state for each of several channels."""
    channels = said.get("channels")
    if channels is None:
        return [heard(said, at)]
    if not isinstance(channels, Mapping) or not 0 < len(channels) <= MOST_CHANNELS:
        return [heard({**said, "channel": False}, at)]  # unclear
    return [heard({**said, "channel": name, "state": state}, at) for name, state in channels.items()]


def keep(journey: Journey, purpose: str, channel: str, word: Consent) -> None:
    """Keep the latest word of each kind, in the order in which they came: later words override wider ones.

    When it was refused last is known whatever comes after, and however late the no comes.
    """
    key = f"{purpose}|{channel}"
    known = journey.consents.get(key)
    if known is not None:
        word.refused = known.refused = max(word.last_refusal, known.last_refusal)
        if known.at > word.at:
            return
    journey.consents.pop(key, None)
    journey.consents[key] = word


def _extent(given: object) -> str | None:
    """What it covers, EVERY where nothing is said; None when that cannot be read."""
    if given is None or given == "":
        return EVERY
    return short(given) if isinstance(given, str) else None


def _is_odd(given: object) -> bool:
    return given is not None and (isinstance(given, bool) or not isinstance(given, str | int | float))


def _text(given: object) -> str | None:
    """What is stored as another type could never be read again."""
    return None if given is None else short(str(given))
