"""The gates, in the order of the contract."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .model import DAY, HOUR, NEVER, Event, Rule, Step
from .person import Person, Send

MAX_DELAY = 1 * HOUR
WAKES_NOBODY = ("ads", "direct_mail", "onsite")
TOTAL = ((3, DAY), (8, 7 * DAY))


def again_stops(rule: Rule, person: Person, subject: str, now: int) -> bool:
    """Whether the same (rule, person, subject) was decided too short a time ago."""
    last = person.passed_again.get((rule.name, subject))
    if last is None:
        return False
    return rule.again == NEVER or now - last < rule.again


def has_consent(person: Person, channel: str, *, assume: bool, began: int | None = None) -> bool:
    """Whether marketing is allowed on the channel: the last consent that speaks of both.

    What has been open since `began` was ended by a no since, also when a yes has come after it.
    """
    state = "granted" if assume else "denied"
    latest: int | None = None
    last_no: dict[tuple[Any, Any], int] = {}
    for event in person.events:
        consent: dict[str, Any] = event.get("consent") or {}
        if not is_a_word(event) or not speaks_of(consent, channel):
            continue
        if consent.get("state") != "granted":
            extent = (consent.get("purpose"), consent.get("channel"))
            last_no[extent] = max(event["time"], last_no.get(extent, 0))
        if latest is None or event["time"] >= latest:
            latest = event["time"]
            state = consent.get("state", "denied")
    if latest is not None and began is not None and any(began < no < latest for no in last_no.values()):
        return False
    return state == "granted"


def is_a_word(event: Event) -> bool:
    """Whether the event's consent is heard: a no on anything but a score, a yes of an account."""
    if event["type"] == "consent":
        return True
    if event["type"] == "score" or not event.get("consent"):
        return False
    heard = (
        ("denied", "revoked", "granted")
        if event["type"] in ("identify", "profile")
        else ("denied", "revoked")
    )
    return event["consent"].get("state") in heard


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
    told = [person.traits[name] for name in needed[channel] if person.traits.get(name)]
    return any(map(can_be_posted, told)) if channel == "direct_mail" else bool(told)


def can_be_posted(address: object) -> bool:
    """Whether a letter finds the way: a street, a postal code and a city, and nobody sent one back."""
    if not isinstance(address, dict) or address.get("undeliverable"):
        return False
    street = [address.get(key) for key in ("street", "line1", "address1", "street1")]
    code = [address.get(key) for key in ("postal_code", "zip", "postcode", "postalCode")]
    city = [address.get(key) for key in ("city", "town")]
    return all(any(isinstance(one, str) and one.strip() for one in part) for part in (street, code, city))


def open_channels(
    rule: Rule,
    person: Person,
    now: int,
    channels: tuple[str, ...] = (),
    *,
    assume: bool,
    began: int,
    paused: bool = False,
) -> tuple[list[str], str]:
    """The allowed and reachable channels in their order and '', or the first channel and the reason."""
    channels = channels or rule.channels
    marketing = rule.purpose == "marketing"
    if paused or (marketing and now < person.no_marketing_until):
        return [channels[0]], "paused"
    allowed = [
        name for name in channels if not marketing or has_consent(person, name, assume=assume, began=began)
    ]
    if not allowed:
        return [channels[0]], "no_consent"
    reachable = [channel for channel in allowed if is_reachable(person, channel)]
    if not reachable:
        return [channels[0]], "unreachable"
    return reachable, ""


def is_stale(due: int, now: int) -> bool:
    """Whether a step comes more than `delivery.max_delay` after its due."""
    return now - due > MAX_DELAY


def is_expired(step: Step, now: int) -> bool:
    """Whether the message is worth nothing any more."""
    return bool(step.rule.expires) and now - step.due >= step.rule.expires


def room_from(rule: Rule, person: Person, channel: str, now: int) -> int | None:
    """The first moment from `now` on at which no cap is reached: tried one by one, as sends leave windows."""
    windows = {window for _, _, window in limits(rule, person, channel, now)}
    moments = {now} | {send.counts_at() + window for send in person.sends for window in windows}
    later = sorted(moment for moment in moments if moment >= now)
    return next((moment for moment in later if not is_capped(rule, person, channel, moment)), None)


def is_capped(rule: Rule, person: Person, channel: str, now: int) -> bool:
    """Whether the person's marketing sends have reached a cap at `now`, if the rule is marketing."""
    return any(count >= most for count, most, _ in limits(rule, person, channel, now))


def limits(rule: Rule, person: Person, channel: str, now: int) -> list[tuple[int, int, int]]:
    """Each cap on such a message: how many sends it counts at `now`, its limit, its window."""
    if rule.purpose != "marketing":
        return []
    marketing = [s for s in person.sends if s.step.rule.purpose == "marketing" and s.channel != "ads"]

    def count(window: int, wanted: Callable[[Send], bool]) -> int:
        return len([s for s in marketing if wanted(s) and now - window < s.counts_at()])

    found = [(count(window, lambda _: True), most, window) for most, window in TOTAL]
    if channel == "direct_mail":
        found.append((count(30 * DAY, lambda s: s.channel == "direct_mail"), 1, 30 * DAY))
    for tag in rule.tags:
        if tag in person.less:
            found += [(count(window, tagged(tag)), max(1, most // 2), window) for most, window in TOTAL]
    if person.most_per_week is not None:
        found.append((count(7 * DAY, lambda _: True), person.most_per_week, 7 * DAY))
    return found


def tagged(tag: str) -> Callable[[Send], bool]:
    """Whether a send has the tag."""
    return lambda send: tag in send.step.rule.tags


def quiet_until(rule: Rule, person: Person, channel: str, now: int) -> int | None:
    """The end of the quiet hours that `now` lies in, None outside of them (21:00-08:00 local)."""
    if channel in WAKES_NOBODY or rule.purpose == "transactional":
        return None
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
