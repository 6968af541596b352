"""Quiet hours: whether it is night for a person and when their morning comes, in their own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from retarget.engine.policy import Policy, QuietHours
from retarget.journeys.model import Journey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_name(journey: Journey, quiet: QuietHours) -> str:
    """The zone a person lives in: their profile's, else where they were seen, else the setting."""
    geo = journey.geo or {}
    return str(journey.traits.get("timezone") or geo.get("timezone") or quiet.zone)


def release_after(journey: Journey, policy: Policy, at: int, spread_key: str) -> int | None:
    """When a message of `at` may leave: None at once, else a moment after the quiet hours' end, ms.

    The release is spread by the key, so that a whole night's messages do not leave in one second.
    """
    quiet = policy.quiet_hours
    zone = policy.zone_of(zone_name(journey, quiet)) or policy.zone_of(quiet.zone) or UTC
    local = (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)
    if not _is_quiet(quiet, local.hour * 60 + local.minute):
        return None
    return _morning(quiet, local, zone) + int(spread_key[:8], 16) % max(quiet.spread, 1)


def _is_quiet(quiet: QuietHours, minute: int) -> bool:
    if quiet.start <= quiet.end:
        return quiet.start <= minute < quiet.end
    return minute >= quiet.start or minute < quiet.end


def _morning(quiet: QuietHours, local: datetime, zone: tzinfo) -> int:
    """The next local time at which quiet hours end. In a gap of the clock that moment is the gap's end."""
    end = local.replace(
        hour=quiet.end // 60, minute=quiet.end % 60, second=0, microsecond=0, fold=1, tzinfo=None
    )
    if end <= local.replace(tzinfo=None):
        end += timedelta(days=1)
    return (end.replace(tzinfo=zone, fold=1).astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
