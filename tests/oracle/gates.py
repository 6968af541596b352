"""The gates, in the order of the contract."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .model import DAY, HOUR, NEVER, Event, Rule
from .person import Person

MAX_DELAY = 1 * HOUR


def again_stops(rule: Rule, person: Person, subject: str, now: int) -> bool:
    """Whether the same (rule, person, subject) was decided too short a time ago."""
    last = person.passed_again.get((rule.name, subject))
    if last is None:
        return False
    return rule.again == NEVER or now - last < rule.again


def has_consent(person: Person, channel: str, *, assume: bool) -> bool:
    """Whether marketing is allowed on the channel: the last consent that speaks of both."""
    state = "granted" if assume else "denied"
    latest: int | None = None
    for event in person.events:
        consent: dict[str, Any] = event.get("consent") or {}
        if event["type"] != "consent" or not speaks_of(consent, channel):
            continue
        if latest is None or event["time"] >= latest:
            latest = event["time"]
            state = consent.get("state", "denied")
    return state == "granted"


def speaks_of(consent: dict[str, Any], channel: str) -> bool:
    """Whether a consent covers marketing on the channel; what is absent covers all."""
    return consent.get("purpose") in (None, "marketing") and consent.get("channel") in (None, channel)


def is_reachable(person: Person, channel: str) -> bool:
    """Whether an address or token is known, or the channel service can look one up."""
    if channel in ("onsite", "chat", "service") or person.known:
        return True
    needed: dict[str, list[str]] = {
        "email": ["email"],
        "push": ["push_tokens"],
        "sms": ["phone"],
        "direct_mail": ["address", "postal_address"],
        "ads": ["email", "push_tokens", "phone"],
    }
    return any(person.traits.get(name) for name in needed[channel])


def choose_channel(
    rule: Rule, person: Person, now: int, channels: tuple[str, ...] = (), *, assume: bool
) -> tuple[str, str]:
    """The first allowed and reachable channel and '', or the first channel and the reason."""
    channels = channels or rule.channels
    marketing = rule.purpose == "marketing"
    if marketing and now < person.no_marketing_until:
        return channels[0], "paused"
    allowed = [name for name in channels if not marketing or has_consent(person, name, assume=assume)]
    if not allowed:
        return channels[0], "no_consent"
    reachable = [channel for channel in allowed if is_reachable(person, channel)]
    if not reachable:
        return channels[0], "unreachable"
    return reachable[0], ""


def is_stale(due: int, now: int) -> bool:
    """Whether a step comes more than `delivery.max_delay` after its due."""
    return now - due > MAX_DELAY


def is_capped(rule: Rule, person: Person, channel: str, now: int) -> bool:
    """Whether the person's marketing sends have reached a cap at `now`, if the rule is marketing."""
    if rule.purpose != "marketing":
        return False
    marketing = [send for send in person.sends if send.step.rule.purpose == "marketing"]

    def count(window: int, wanted: Callable[[str], bool]) -> int:
        return len([s for s in marketing if wanted(s.channel) and now - window < s.time <= now])

    if count(DAY, lambda name: name != "ads") >= 3 or count(7 * DAY, lambda name: name != "ads") >= 8:
        return True
    return channel == "direct_mail" and count(30 * DAY, lambda name: name == "direct_mail") >= 1


def quiet_until(person: Person, now: int) -> int | None:
    """The end of the quiet hours that `now` lies in, None outside of them (21:00-08:00 local)."""
    zone = ZoneInfo(zone_of(person.traits, person.events))
    local = datetime.fromtimestamp(now / 1000, tz=zone)
    if 8 <= local.hour < 21:
        return None
    day = local.date() + timedelta(days=1 if local.hour >= 21 else 0)
    release = datetime(day.year, day.month, day.day, 8, tzinfo=zone)
    return int(release.astimezone(UTC).timestamp() * 1000)


def zone_of(traits: dict[str, Any], events: list[Event]) -> str:
    """The person's zone: profile, else the last geo, else UTC."""
    if traits.get("timezone"):
        return str(traits["timezone"])
    for event in reversed(events):
        if (event.get("geo") or {}).get("timezone"):
            return str(event["geo"]["timezone"])
    return "UTC"
