"""A simulated shop sent in all eight dialects: the same decisions and messages, to the byte."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import takewhile
from typing import Final

import msgspec
import pytest

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.dialects import decoder_for
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR
from retarget.touchpoints import IMPERSONAL, Touchpoint
from streams.files import FileEvent
from streams.lanes.bundle import bundle_of
from streams.ports import Output
from streams.replaying import TOPIC, replay
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.shop import open_shop, simulate
from tests.support.encoders import ENCODERS

_START: Final = 1_772_359_200_000  # 2026-03-01T10:00:00Z
PEOPLE: Final = 200
_SETTINGS: Final = ("clock.now=event", "clock.idle=heartbeat", "offers.secret=of-a-test")


@cache
def shop(people: int, length: int) -> tuple[Touchpoint, ...]:
    """What happens in so many milliseconds."""
    stream = simulate(open_shop(), seed=11, people=people, start_ms=_START, opening_ms=12 * HOUR)
    return tuple(takewhile(lambda event: event.time < _START + length, stream))


def sent(events: Sequence[Touchpoint], dialect: str, reader: str) -> Iterator[FileEvent]:
    """The events as records of a dialect, decoded again."""
    decode = decoder_for(reader)
    for line, event in enumerate(events, start=1):
        raw = encode_touchpoint(event)
        if dialect != "canonical":
            raw = msgspec.json.encode(ENCODERS[dialect](event))
        # What has no person is told by no tracker: by its content it is only canonical.
        found = decode_canonical(encode_touchpoint(event)) if _is_told_apart(event, reader) else decode(raw)
        yield FileEvent("shop", line, found, raw)


def _is_told_apart(event: Touchpoint, reader: str) -> bool:
    return reader == "auto" and event.type in IMPERSONAL


def decided(events: Iterator[FileEvent]) -> list[Output]:
    """What one lane makes of them by the rules that ship."""
    rules = load_rules([default_rules_dir()], VOCABULARY)
    found: list[Output] = []
    bundle = bundle_of(load_settings(None, {}, _SETTINGS), rules, [TOPIC])
    asyncio.run(replay(list(events), bundle, found.append))
    return found


@cache
def wanted_of(people: int, length: int) -> list[Output]:
    """What comes of the shop's own form."""
    return decided(sent(shop(people, length), "canonical", "canonical"))


def require_the_same(people: int, length: int, dialect: str, reader: str) -> None:
    """Compare with the canonical form."""
    wanted, found = wanted_of(people, length), decided(sent(shop(people, length), dialect, reader))
    assert len(wanted) > 20
    for one, other in zip(wanted, found, strict=False):
        assert one == other
    assert len(wanted) == len(found)


@pytest.mark.parametrize("dialect", ENCODERS)
@pytest.mark.parametrize("recognised", [True, False])
def test_two_days_of_a_small_shop(dialect: str, recognised: bool) -> None:  # noqa: FBT001
    """Told by the setting or by the content alone."""
    require_the_same(12, 2 * DAY, dialect, "auto" if recognised else dialect)


@pytest.mark.parametrize("dialect", ENCODERS)
def test_a_week_of_a_shop(dialect: str) -> None:
    """More people, longer: it says what the small shop is too small for."""
    require_the_same(PEOPLE, 7 * DAY, dialect, dialect)
