"""Quiet hours: whether it is night for a person and when their morning comes, in their own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from retarget.engine.free_days import IsFree, never
from retarget.engine.policy import Policy, QuietHours
from retarget.journeys.model import Journey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_name(journey: Journey, policy: Policy) -> str:
    """The zone a person lives in: their profile's, else where they were seen, else the setting.

    One that nobody knows is passed over.
    """
    for told in (journey.traits.get("timezone"), (journey.geo or {}).get("timezone")):
        if told and policy.zone_of(name := str(told)) is not None:
            return name
    return policy.quiet_hours.zone


def zone_of(journey: Journey, policy: Policy) -> tzinfo:
    """The clocks where a person lives."""
    return policy.zone_of(zone_name(journey, policy)) or UTC


def release_after(
    journey: Journey, policy: Policy, at: int, spread_key: str, is_free: IsFree = never
) -> int | None:
    """When a message of `at` may leave: None at once, else a moment after the quiet hours' end, ms.

    A day that is free is as quiet as a night. The release is spread by the key, so that a whole night's
    messages do not leave in one second; never so far that the next quiet hours have begun.
    """
    quiet = policy.quiet_hours
    zone = zone_of(journey, policy)
    local = _local(at, zone)
    if not _is_quiet(quiet, local) and not is_free(local.date()):
        return None
    morning = _morning(quiet, local, zone)
    while is_free(_local(morning, zone).date()):
        morning = _morning(quiet, _local(morning, zone), zone)
    spread = morning + int(spread_key[:8], 16) % max(quiet.spread, 1)
    return morning if _is_quiet(quiet, _local(spread, zone)) else spread


def _local(at: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)


def _is_quiet(quiet: QuietHours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    if quiet.start <= quiet.end:
        return quiet.start <= minute < quiet.end
    return minute >= quiet.start or minute < quiet.end


def _morning(quiet: QuietHours, local: datetime, zone: tzinfo) -> int:
    """When the clocks show the end of the quiet hours for the next time.

    Of the two moments that an end in a gap or a fold of the clock may mean, the later one: the earlier lies
    in the quiet hours, or is followed by the rest of them once more.
    """
    today = local.replace(hour=quiet.end // 60, minute=quiet.end % 60, second=0, microsecond=0, tzinfo=None)
    end = today if today > local.replace(tzinfo=None) else today + timedelta(days=1)
    moments = (end.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return (max(moments) - _EPOCH) // timedelta(milliseconds=1)
