"""What a file of test cases says, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Literal

import msgspec

from retarget.touchpoints import Touchpoint

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

# Of an expectation: nothing may be offered.
NO_OFFER: Final = "none"
Kind = Literal["sent", "recalled", "joined", "left", "suppressed", "deferred"]


class When(msgspec.Struct, frozen=True, kw_only=True):
    """A moment as an author writes it: a `date` on the clocks of the case's zone, a time of day, a duration.

    A time of day (`of_day`, ms) is that of the case's first day or of `days` later; `after` (ms) is exact.
    """

    date: datetime | None = None
    of_day: int | None = None
    days: int = 0
    after: int = 0

    def moment(self, start: datetime, zone: tzinfo) -> int:
        """Epoch ms; `start` is the case's start on the clocks of `zone`."""
        if self.date is not None:
            return moment_of(self.date, zone)
        if self.of_day is None:
            return moment_of(start, zone) + self.after
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        # Counted on the clock, not in hours: ten o'clock two days on is ten o'clock on any day.
        return moment_of(midnight + timedelta(days=self.days, milliseconds=self.of_day), zone)


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a case, whose person is the case's: `fields` are all but its time and `products`."""

    at: When
    fields: Mapping[str, Any]
    products: tuple[str, ...] = ()


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must come: of what kind and when; None is left open.

    `name` is the channel, the audience or the gate; `until` the end of a deferral, `good_until` of an offer.
    """

    kind: Kind
    at: When
    name: str | None = None
    until: When | None = None
    step: int | None = None
    channel: str | None = None
    template: str | None = None
    offer: str | None = None
    good_until: When | None = None
    products: tuple[str, ...] | None = None
    about: str | None = None
    rule: str | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One wait that must be left when the clock stops."""

    due: When
    step: int | None = None
    about: str | None = None
    rule: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case as it is written: `start` and `zone`: None is the file's; `settings` override the file's."""

    name: str
    events: tuple[Happening, ...]
    expect: tuple[Expected, ...]
    waits: tuple[Waiting, ...] | None = None
    until: When | None = None
    person: str = "ann"
    known: bool = True
    consent: Literal["granted", "denied"] = "granted"
    traits: Mapping[str, Any] = {}
    paused: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    start: datetime | None = None
    zone: str | None = None
    settings: Mapping[str, str] = {}


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """All cases of one document."""

    rule: str
    start: datetime
    zone: str
    settings: Mapping[str, str] = {}
    products: Mapping[str, Mapping[str, Any]] = {}
    cases: tuple[Case, ...]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A case with everything worked out that its file says once for all: ready to run."""

    case: Case
    start: datetime
    zone: tzinfo
    presets: Mapping[str, str]
    touchpoints: tuple[Touchpoint, ...]
    until: int | None

    def moment(self, when: When) -> int:
        """Epoch ms of what the author wrote."""
        return when.moment(self.start, self.zone)


def moment_of(local: datetime, zone: tzinfo) -> int:
    """Epoch ms of what the clocks of a zone show; of a moment they show twice, the first."""
    return (local.replace(tzinfo=zone).astimezone(UTC) - _EPOCH) // _MILLISECOND


def local_of(moment: int, zone: tzinfo) -> datetime:
    """What the clocks of a zone show."""
    return (_EPOCH + timedelta(milliseconds=moment)).astimezone(zone)


def worth(number: float, unit: str) -> str:
    """An offer as an expectation says it: `10 %`, `5 EUR`."""
    return f"{number:.15g} {unit}"
