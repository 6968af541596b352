"""Who comes to the shop: people with habits, devices and addresses. Nobody here exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from retarget.times import DAY, HOUR
from streams.shop.catalogue import STAPLES
from streams.shop.draw import around, chance, identifier, pick
from streams.shop.funnel import FUNNEL

# (zone, its offset in hours without summer time, country, locale): habits need no exact clock, and
# the zone files of the machine must not change the stream.
_ZONES: Final = (
    ("Europe/Berlin", 1, "DE", "de-DE"), ("Europe/London", 0, "GB", "en-GB"),
    ("Europe/Paris", 1, "FR", "fr-FR"), ("America/New_York", -5, "US", "en-US"),
    ("America/Los_Angeles", -8, "US", "en-US"), ("America/Sao_Paulo", -3, "BR", "pt-BR"),
    ("Asia/Tokyo", 9, "JP", "en-JP"), ("Asia/Kolkata", 5, "IN", "en-IN"),
    ("Australia/Sydney", 10, "AU", "en-AU"), ("Pacific/Auckland", 12, "NZ", "en-NZ"),
    ("Asia/Dubai", 4, "AE", "en-AE"), ("Africa/Johannesburg", 2, "ZA", "en-ZA"),
)  # fmt: skip
_FIRST: Final = (
    ("Ada", "female"), ("Bruno", "male"), ("Chiara", "female"), ("Dele", "male"), ("Edda", "female"),
    ("Felix", "male"), ("Greta", "female"), ("Hiro", "male"), ("Ines", "female"), ("Jonas", "male"),
    ("Kavya", "female"), ("Liam", "male"), ("Mara", "female"), ("Nadim", "male"), ("Olga", "female"),
    ("Pavel", "male"), ("Robin", None), ("Sasha", None), ("Tala", "female"), ("Yuto", "male"),
)  # fmt: skip
_LAST_NAMES: Final = (
    "Abadi,Berg,Castell,Dorn,Eriksen,Fonseca,Gruber,Hale,Iyer,Jansen,Kimura,Lindqvist,Moreau,Nwosu,"
    "Okafor,Petrov,Quist,Rossi,Sandoval,Tanaka,Ueda,Varga,Weiss,Zhou"
)
_LAST: Final = _LAST_NAMES.split(",")
_STREETS: Final = ("Mill Lane", "Station Road", "Harbour Street", "Orchard Way", "Canal Row")
_CHANNELS: Final[Mapping[str, float]] = {
    "email": 0.72, "push": 0.6, "ads": 0.6, "onsite": 0.85, "chat": 0.8, "sms": 0.3, "direct_mail": 0.5,
}  # fmt: skip
_USES_UP: Final = 0.2
# What the banner asks people whom the shop does not know.
_BANNER: Final = ("onsite", "chat", "ads", "push")

# Nobody shops at night, nor when the quiet hours are near.
_OPENS, _CLOSES = 8 * HOUR + HOUR // 2, 20 * HOUR + HOUR // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Something to browse with; the shop knows it by its cookie, the anonymous id."""

    device_id: str
    anonymous_id: str
    kind: str
    push_token: str | None

    @property
    def app(self) -> bool:
        """Whether the shop's app is on it."""
        return self.push_token is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """When somebody is awake for shopping (ms of the local day), and how keen they are (1 is the average)."""

    wakes: int
    sleeps: int
    offset: int
    interests: Sequence[str]
    keenness: float

    def next_visit(self, rng: Random, now: int) -> int:
        """Ms until the next visit, which falls into the hours of this person."""
        at = now + round(rng.expovariate(FUNNEL.visits_per_day * self.keenness / DAY))
        return at - now + self.until_awake(rng, at)

    def awake(self, at: int) -> bool:
        """Whether it is day for this person, their hours or not."""
        return _OPENS <= (at + self.offset) % DAY < _CLOSES

    def until_awake(self, rng: Random, at: int) -> int:
        """0 when this person may be shopping at `at`, else ms until some moment of their next hours."""
        local = (at + self.offset) % DAY
        if self.wakes <= local < self.sleeps:
            return 0
        return (self.wakes - local) % DAY + round(rng.random() * (self.sleeps - self.wakes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One person; `user_id` is None for those who never sign in."""

    user_id: str | None
    devices: Sequence[Device]
    habits: Habits
    timezone: str
    country: str
    traits: Mapping[str, Any]
    address: Mapping[str, str]
    consents: Mapping[str, bool]
    staple: str | None


def meet(rng: Random, categories: Sequence[str], *, known: bool) -> Person:
    """Somebody new; with `known` they have an account, otherwise only a device."""
    zone, hours, country, locale = pick(rng, _ZONES)
    devices = [_device(rng) for _ in range(rng.choice((1, 1, 2, 2, 3)) if known else 1)]
    traits, address = _traits(rng, country) | {"locale": locale, "timezone": zone}, _address(rng, country)
    asked = [name for name in _CHANNELS if known or name in _BANNER]
    return Person(
        user_id=account_number(rng) if known else None,
        devices=devices,
        habits=_habits(rng, hours, categories),
        timezone=zone,
        country=country,
        traits=traits,
        address=address,
        consents={name: chance(rng, _CHANNELS[name]) for name in asked},
        staple=pick(rng, STAPLES) if chance(rng, _USES_UP) else None,
    )


def _habits(rng: Random, hours: int, categories: Sequence[str]) -> Habits:
    length = rng.randint(5, 12) * HOUR
    wakes = _OPENS + round(rng.random() * (_CLOSES - _OPENS - length))
    return Habits(
        wakes=wakes,
        sleeps=wakes + length,
        offset=hours * HOUR,
        interests=rng.sample(categories, rng.choice((1, 2, 2, 3))),
        keenness=rng.gammavariate(4, 1 / 4),
    )


def _device(rng: Random) -> Device:
    kind = rng.choice(("phone", "phone", "laptop", "tablet"))
    token = identifier(rng).replace("-", "") if kind == "phone" and chance(rng, 0.7) else None
    return Device(
        device_id=f"d-{rng.getrandbits(40):010x}", anonymous_id=identifier(rng), kind=kind, push_token=token
    )


def _traits(rng: Random, country: str) -> dict[str, Any]:
    """What an account holds: always an e-mail address, the rest as people please."""
    (first, gender), last = pick(rng, _FIRST), pick(rng, _LAST)
    traits: dict[str, Any] = {"email": f"{first}.{last}{rng.randrange(10**4)}@mail.example".lower()}
    if chance(rng, 0.75):
        traits |= {"first_name": first, "last_name": last}
        if gender and chance(rng, 0.6):
            traits["gender"] = gender
        if chance(rng, 0.1):
            traits["title"] = "Dr."
    if chance(rng, 0.45):
        traits["phone"] = f"+999{rng.randrange(10**8, 10**9)}"  # 999 is assigned to no country
    return traits | {"country": country}


def _address(rng: Random, country: str) -> dict[str, str]:
    return {
        "street": f"{rng.randint(1, 180)} {pick(rng, _STREETS)}",
        "postal_code": f"{rng.randrange(10_000, 99_999)}",
        "city": pick(rng, ("Ashford Bay", "Brook End", "Castle Rise", "Dunmouth")),
        "country": country,
    }


def account_number(rng: Random) -> str:
    """A user id."""
    return f"u-{rng.getrandbits(40):010x}"


def refill_gap(rng: Random) -> int:
    """Ms until a staple is used up; much alike for one and the same household."""
    return around(rng, 24 * DAY, 0.1)
